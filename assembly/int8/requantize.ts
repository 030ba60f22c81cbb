// Intrinsic 6: a flat run of INT32 values to INT8.
import * as check from "./check";
import { nearest, requantizeValue, stochastic } from "./requantize-value";
import {
  QUANT_HI,
  QUANT_KEY,
  QUANT_LO,
  QUANT_MULTIPLIER,
  QUANT_OUTPUT_ZERO,
  QUANT_ROUNDING,
  QUANT_SHIFT,
} from "./structs";

/**
 * y[i] = requantise(x[i]) with one multiplier (quant.channels = 1); element i uses draw first + i.
 *
 * @param x int32, 4-aligned
 * @param y int8
 */
export function requantize(quant: usize, x: usize, n: i32, first: i32, y: usize): void {
  check.start(6);
  check.quantStruct(quant);
  check.count(n);
  check.zeroPoints(quant);
  check.requantisation(quant, 1, -128, 127);
  check.pointer(x, (<u64>n) << 2, 4);
  check.pointer(y, <u64>n, 1);
  check.output(y, <u64>n);
  check.read(x, (<u64>n) << 2);
  check.readQuant(quant);

  const m = load<i32>(<usize>load<i32>(quant, QUANT_MULTIPLIER));
  const s = load<i32>(<usize>load<i32>(quant, QUANT_SHIFT));
  const zero = load<i32>(quant, QUANT_OUTPUT_ZERO);
  const lo = load<i32>(quant, QUANT_LO);
  const hi = load<i32>(quant, QUANT_HI);
  const random = load<i32>(quant, QUANT_ROUNDING);
  const key = load<i32>(quant, QUANT_KEY);
  let r = nearest(s);
  for (let i = 0; i < n; ++i) {
    if (random) r = stochastic(s, key, first + i);
    store<i8>(y + <usize>i, requantizeValue(load<i32>(x + ((<usize>i) << 2)), m, s, r, zero, lo, hi));
  }
}
