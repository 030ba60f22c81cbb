// Intrinsics 20 and 21: the sum of two tensors of different scales, as at the end of a residual block, and what its backward
// pass needs. The error of a sum is that of either summand, so nothing is computed there; where the two paths part, the
// errors that come back along them meet, and 21 adds one to the other.
import * as check from "./check";
import { nearest, stochastic } from "./requantize-value";
import {
  QUANT_HI,
  QUANT_INPUT_ZERO,
  QUANT_KEY,
  QUANT_LO,
  QUANT_MULTIPLIER,
  QUANT_OUTPUT_ZERO,
  QUANT_ROUNDING,
  QUANT_SHIFT,
} from "./structs";

/**
 * y[i] = clamp(⌊(a[i] − zeroA)·mA·2^−sA + (b[i] − zeroB)·mB·2^−sB + r·2^−s⌋ + outputZero, lo, hi) with s = max(sA, sB): the
 * sum is exact and rounded once. Element i uses draw first + i.
 *
 * @param quantA of a and of the sum: output zero point, range, rounding, key; one multiplier
 * @param quantB of b: input zero point, multiplier and shift; the rest is checked and not used
 * @param a, b, y int8; y = a and y = b are allowed, other overlap of y is not
 *
 * Of two shifts the smaller one is applied last: ⌊(p·2^d + q) / 2^(s−d+d)⌋ = ⌊(p + ⌊q / 2^d⌋) / 2^(s−d)⌋. |p|, |q| < 2^39 + 2^62.
 */
export function add(quantA: usize, a: usize, quantB: usize, b: usize, n: i32, first: i32, y: usize): void {
  check.start(20);
  check.quantStruct(quantA);
  check.quantStruct(quantB);
  check.count(n);
  check.zeroPoints(quantA);
  check.requantisation(quantA, 1, -128, 127);
  check.zeroPoints(quantB);
  check.requantisation(quantB, 1, -128, 127);
  check.pointer(a, n, 1);
  check.pointer(b, n, 1);
  check.pointer(y, n, 1);
  check.output(y, n);
  if (y != a) check.read(a, n);
  if (y != b) check.read(b, n);
  check.readQuant(quantA);
  check.readQuant(quantB);

  const zero = <i64>load<i32>(quantA, QUANT_OUTPUT_ZERO);
  const lo = <i64>load<i32>(quantA, QUANT_LO);
  const hi = <i64>load<i32>(quantA, QUANT_HI);
  const random = load<i32>(quantA, QUANT_ROUNDING);
  const key = load<i32>(quantA, QUANT_KEY);
  // from here on a is the one with the larger shift
  if (shiftOf(quantA) < shiftOf(quantB)) {
    const quant = quantA;
    quantA = quantB;
    quantB = quant;
    const other = a;
    a = b;
    b = other;
  }
  const s = shiftOf(quantA);
  const last = shiftOf(quantB);
  const d = s - last;
  const mA = multiplierOf(quantA);
  const mB = multiplierOf(quantB);
  const zeroA = load<i32>(quantA, QUANT_INPUT_ZERO);
  const zeroB = load<i32>(quantB, QUANT_INPUT_ZERO);
  let r = nearest(s);
  for (let i = 0; i < n; ++i) {
    if (random) r = stochastic(s, key, first + i);
    const far = <i64>(load<i8>(a + <usize>i) - zeroA) * mA + r;
    const q = ((<i64>(load<i8>(b + <usize>i) - zeroB) * mB + (far >> d)) >> last) + zero;
    store<i8>(y + <usize>i, q < lo ? lo : q > hi ? hi : q);
  }
}

/**
 * y[i] = clamp(y[i] + (((e[i] − inputZero)·m + r) >> s), lo, hi): adds an int8 error to an int32 one of another scale, in the
 * latter's units. Element i uses draw first + i. m·2^−s may reach 2^30, since units of y are finer than those of e.
 *
 * @param quant one multiplier; lo, hi any int32; outputZero is not used
 * @param e int8, @param y int32, 4-aligned
 *
 * 255·2^31 + 2^62 and its shifted sum with y fit i64.
 */
export function addGrad(quant: usize, e: usize, n: i32, first: i32, y: usize): void {
  const bytes = (<u64>n) << 2;
  check.start(21);
  check.quantStruct(quant);
  check.count(n);
  check.zeroPoints(quant);
  check.requantisation(quant, 1, i32.MIN_VALUE, i32.MAX_VALUE);
  check.pointer(e, n, 1);
  check.pointer(y, bytes, 4);
  check.output(y, bytes);
  check.read(e, n);
  check.readQuant(quant);

  const zero = load<i32>(quant, QUANT_INPUT_ZERO);
  const lo = <i64>load<i32>(quant, QUANT_LO);
  const hi = <i64>load<i32>(quant, QUANT_HI);
  const random = load<i32>(quant, QUANT_ROUNDING);
  const key = load<i32>(quant, QUANT_KEY);
  const m = multiplierOf(quant);
  const s = shiftOf(quant);
  let r = nearest(s);
  for (let i = 0; i < n; ++i) {
    if (random) r = stochastic(s, key, first + i);
    const at = y + ((<usize>i) << 2);
    const sum = <i64>load<i32>(at) + ((<i64>(load<i8>(e + <usize>i) - zero) * m + r) >> s);
    store<i32>(at, sum < lo ? lo : sum > hi ? hi : sum);
  }
}

// @ts-ignore: decorator
@inline
function shiftOf(quant: usize): i32 {
  return load<i32>(<usize>load<i32>(quant, QUANT_SHIFT));
}

// @ts-ignore: decorator
@inline
function multiplierOf(quant: usize): i64 {
  return load<i32>(<usize>load<i32>(quant, QUANT_MULTIPLIER));
}
