// Intrinsics 12 and 13: int32 → int32 requantisation, for biases.
import * as check from "./check";
import { nearest, requantizeValue, stochastic } from "./requantize-value";
import { QUANT_HI, QUANT_KEY, QUANT_LO, QUANT_MULTIPLIER, QUANT_ROUNDING, QUANT_SHIFT } from "./structs";

/** Biases lie in ±2^30: that leaves accumulators 2^30 for products, and a difference of two fits i32. */
export const BIAS_MAX: i32 = 1 << 30;

/** Checks shared by both: one multiplier, range within ±2^30, two int32 arrays. */
function checkArguments(fn: i32, quant: usize, x: usize, n: i32, y: usize): void {
  check.start(fn);
  check.quantStruct(quant);
  check.count(n);
  check.zeroPoints(quant);
  check.requantisation(quant, 1, -BIAS_MAX, BIAS_MAX);
  check.pointer(x, (<u64>n) << 2, 4);
  check.pointer(y, (<u64>n) << 2, 4);
  check.output(y, (<u64>n) << 2);
  check.read(x, (<u64>n) << 2);
  check.readQuant(quant);
}

/** Requantised x[i]; the draws are those of element first + i. Zero points are not used. */
function value(quant: usize, x: usize, i: i32, first: i32): i32 {
  const s = load<i32>(<usize>load<i32>(quant, QUANT_SHIFT));
  const r = load<i32>(quant, QUANT_ROUNDING)
    ? stochastic(s, load<i32>(quant, QUANT_KEY), first + i)
    : nearest(s);
  const m = load<i32>(<usize>load<i32>(quant, QUANT_MULTIPLIER));
  return requantizeValue(
    load<i32>(x + ((<usize>i) << 2)),
    m,
    s,
    r,
    0,
    load<i32>(quant, QUANT_LO),
    load<i32>(quant, QUANT_HI),
  );
}

/** y[i] = requantise(x[i]): biases to accumulator units. int32, 4-aligned; lo, hi within ±2^30. */
export function requantize32(quant: usize, x: usize, n: i32, first: i32, y: usize): void {
  checkArguments(12, quant, x, n, y);
  for (let i = 0; i < n; ++i) store<i32>(y + ((<usize>i) << 2), value(quant, x, i, first));
}

/** y[i] = clamp(y[i] − requantise(x[i]), lo, hi): SGD on int32 biases. */
export function sgdUpdate32(quant: usize, x: usize, n: i32, first: i32, y: usize): void {
  checkArguments(13, quant, x, n, y);
  const lo = load<i32>(quant, QUANT_LO);
  const hi = load<i32>(quant, QUANT_HI);
  for (let i = 0; i < n; ++i) {
    const at = y + ((<usize>i) << 2);
    // whatever y held before, its distance from a value of ±2^30 is taken in 64 bits
    const moved = <i64>load<i32>(at) - <i64>value(quant, x, i, first);
    store<i32>(at, <i32>max(min(moved, <i64>hi), <i64>lo));
  }
}
