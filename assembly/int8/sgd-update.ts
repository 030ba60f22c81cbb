// Intrinsic 7: plain SGD on int16 master weights; the INT8 weight is the master's rounded top byte.
import * as check from "./check";
import { nearest, requantizeValue, stochastic } from "./requantize-value";
import { QUANT_HI, QUANT_KEY, QUANT_LO, QUANT_MULTIPLIER, QUANT_ROUNDING, QUANT_SHIFT } from "./structs";

/** Masters lie in ±32,512 = ±127·256, so that the rounded top byte lies in ±127. */
export const MASTER_MAX: i32 = 32512;

/** INT8 weight of a master: (w16 + 128) >> 8. */
// @ts-ignore: decorator
@inline
export function weightOf(master: i32): i32 {
  return (master + 128) >> 8;
}

/**
 * w16[i] = clamp(w16[i] − requantise(dw[i]), lo, hi), w8[i] = weightOf(w16[i]); element i uses draw first + i.
 *
 * @param quant one multiplier (learning rate and scales); lo, hi within ±32,512; zero points 0
 * @param dw int32 gradient, @param w16 int16 masters (2-aligned), @param w8 int8 weights
 * @returns how many masters were clamped
 *
 * The step itself is clamped to ±65,024 = ±2·32,512, enough to cross the whole range, so w16 − step fits i32.
 */
export function sgdUpdate(quant: usize, dw: usize, n: i32, first: i32, w16: usize, w8: usize): i32 {
  check.quantStruct(7, quant);
  check.count(7, n);
  check.zeroPoints(7, quant);
  check.requantisation(7, quant, 1, -MASTER_MAX, MASTER_MAX);
  check.pointer(7, dw, (<u64>n) << 2, 4);
  check.pointer(7, w16, (<u64>n) << 1, 2);
  check.pointer(7, w8, <u64>n, 1);
  check.apart(7, w16, (<u64>n) << 1, dw, (<u64>n) << 2);
  check.apart(7, w16, (<u64>n) << 1, w8, <u64>n);
  check.apart(7, w8, <u64>n, dw, (<u64>n) << 2);

  const m = load<i32>(<usize>load<i32>(quant, QUANT_MULTIPLIER));
  const s = load<i32>(<usize>load<i32>(quant, QUANT_SHIFT));
  const lo = load<i32>(quant, QUANT_LO);
  const hi = load<i32>(quant, QUANT_HI);
  const random = load<i32>(quant, QUANT_ROUNDING);
  const key = load<i32>(quant, QUANT_KEY);
  let clamped = 0;
  let r = nearest(s);
  for (let i = 0; i < n; ++i) {
    const gradient = load<i32>(dw + ((<usize>i) << 2));
    // a zero gradient moves nothing: r < 2^s for either rounding
    if (!gradient) continue;
    if (random) r = stochastic(s, key, first + i);
    const at = w16 + ((<usize>i) << 1);
    let master = <i32>load<i16>(at) - requantizeValue(gradient, m, s, r, 0, -2 * MASTER_MAX, 2 * MASTER_MAX);
    if (master < lo) {
      master = lo;
      ++clamped;
    } else if (master > hi) {
      master = hi;
      ++clamped;
    }
    store<i16>(at, master);
    store<i8>(w8 + <usize>i, weightOf(master));
  }
  return clamped;
}
