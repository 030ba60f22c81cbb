// Intrinsic 7: plain SGD on int16 master weights; the INT8 weight is the master's rounded top byte.
import * as check from "./check";
import { nearest, stochasticAt } from "./requantize-value";
import { DRAW_STEP } from "./rng";
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
 * w16[i] = clamp(w16[i] − step, lo, hi), w8[i] = weightOf(w16[i]) with step = requantise(dw[i]); element i uses draw
 * first + i. Where the step is 0, both stay what they are.
 *
 * @param quant one multiplier (learning rate and scales); lo, hi within ±32,512; zero points 0
 * @param dw int32 gradient, @param w16 int16 masters (2-aligned), @param w8 int8 weights
 * @returns how many masters were clamped
 *
 * |step| ≤ 2^62 (s = 1), so w16 − step is taken in 64 bits.
 */
export function sgdUpdate(quant: usize, dw: usize, n: i32, first: i32, w16: usize, w8: usize): i32 {
  check.start(7);
  check.quantStruct(quant);
  check.count(n);
  check.zeroPoints(quant);
  check.requantisation(quant, 1, -MASTER_MAX, MASTER_MAX);
  check.pointer(dw, (<u64>n) << 2, 4);
  check.pointer(w16, (<u64>n) << 1, 2);
  check.pointer(w8, <u64>n, 1);
  check.output(w16, (<u64>n) << 1);
  check.another(w8, <u64>n);
  check.read(dw, (<u64>n) << 2);
  check.readQuant(quant);

  const m = <i64>load<i32>(<usize>load<i32>(quant, QUANT_MULTIPLIER));
  const s = load<i32>(<usize>load<i32>(quant, QUANT_SHIFT));
  const shift = <i64>s;
  const down: i64 = 64 - shift;
  const lo = <i64>load<i32>(quant, QUANT_LO);
  const hi = <i64>load<i32>(quant, QUANT_HI);
  const span = hi - lo;
  const random = load<i32>(quant, QUANT_ROUNDING);
  // where w16 and w8 would begin if dw began at 0
  const masters = w16 - (dw >> 1);
  const weights = w8 - (dw >> 2);
  let drawn = <u32>load<i32>(quant, QUANT_KEY) + <u32>first * DRAW_STEP;
  let clamped = 0;
  let r = nearest(s);
  for (let at = dw, end = dw + ((<usize>n) << 2); at < end; at += 4, drawn += DRAW_STEP) {
    const gradient = load<i32>(at);
    // a zero gradient moves nothing: r < 2^s for either rounding
    if (!gradient) continue;
    if (random) r = stochasticAt(down, drawn);
    const step = (<i64>gradient * m + r) >> shift;
    if (!step) continue;
    const to = masters + (at >> 1);
    let master = <i64>load<i16>(to) - step;
    if (<u64>(master - lo) > <u64>span) {
      master = master < lo ? lo : hi;
      ++clamped;
    }
    store<i16>(to, master);
    store<i8>(weights + (at >> 2), weightOf(<i32>master));
  }
  return clamped;
}
