// Weights of few bits (Octo §3.2): 2^bits − 1 levels, equally far apart and symmetric about 0. INT8 holds the level, −k … k with
// k = 2^(bits − 1) − 1. What one level is worth, the step size, follows the weights; layers that ask for it learn it besides.
import { draw } from "../int8/rng";
import { apply, divide, multiply, Scale, scaleOf, sqrt, times2, whole } from "./scale";

/** Whether a layer of the module has a grid. One that is never set leaves nothing of this file in a module. */
export let used: bool = false;

export function use(): void {
  used = true;
}

/** State: the step size (u32, Q8 in units of the masters), a zero. */
export const STATE_BYTES: i32 = 8;
/** One master unit. */
const STEP_MIN: i64 = 1 << 8;
/** A step size at most so large that (k + ½) of them reach the largest master, 32,512. */
function bounded(step: i64, k: i32): u32 {
  return <u32>max(min(step, <i64>((32512 << 9) / (2 * k + 1))), STEP_MIN);
}

/** Largest level. */
export function levels(bits: i32): i32 {
  return (1 << (bits - 1)) - 1;
}

/** Step size that suits weights spread evenly over ±bound (in master units): 2·bound / (2k + 1). */
export function fit(bound: i32, k: i32): u32 {
  return bounded(((<i64>bound) << 9) / (2 * k + 1), k);
}

/** Levels of n masters: round(master / step). |master|·2^8 + (k + ½)·step < 2^25. */
export function code(masters: usize, n: i32, step: u32, k: i32, weights: usize): void {
  const half = <i32>((<u64>step * <u64>(2 * k + 1)) >> 1);
  for (let i: usize = 0; i < <usize>n; ++i) {
    const t = ((<i32>load<i16>(masters + (i << 1))) << 8) + half;
    store<i8>(weights + i, t <= 0 ? -k : min(t / <i32>step - k, k));
  }
}

/**
 * How far the weights lead the step size: a 32nd of the way to Σ w·q / Σ q², which with these levels loses least (least squares).
 * |Σ w·q| ≤ 2^15·127·n and Σ q² ≤ 2^14·n, with n < 2^30.
 */
export function lead(masters: usize, weights: usize, n: i32, step: u32): i32 {
  let products: i64 = 0;
  let squares: i64 = 0;
  for (let i: usize = 0; i < <usize>n; ++i) {
    const q = <i32>load<i8>(weights + i);
    products += <i64>(q * <i32>load<i16>(masters + (i << 1)));
    squares += <i64>(q * q);
  }
  // with no level but 0 it is too wide
  const best = squares ? (products << 8) / squares : 0;
  return <i32>((best - <i64>step) >> 5);
}

/** The step size after it was led. */
export function moved(step: u32, lead: i32, k: i32): u32 {
  return bounded(<i64>step + lead, k);
}

/**
 * Σ dw·(q·step − w) over n weights of one output channel, in master units: what the loss gains by a wider step, times that step
 * (learned step size quantisation; past the last level, q·step alone). |dw| ≤ P·127·128 for P positions; with P and n at
 * most 132,104 and |q·step − w| < 32,512·k/(k + ½) the sum stays below 2^63.
 */
export function gradient(dw: usize, masters: usize, weights: usize, n: i32, step: u32, k: i32): i64 {
  const last = (<i32>step * k) >> 8;
  let sum: i64 = 0;
  for (let i: usize = 0; i < <usize>n; ++i) {
    const slope = load<i32>(dw + (i << 2));
    if (!slope) continue;
    const master = <i32>load<i16>(masters + (i << 1));
    const value = (<i32>load<i8>(weights + i) * <i32>step) >> 8;
    sum += <i64>slope * <i64>(master > last || master < -last ? value : value - master);
  }
  return sum;
}

/**
 * The step size after a step against its gradient, scaled by 1/√(n·k) as is usual, so that it moves as weights do; by at most a
 * 32nd of itself.
 *
 * @param sum of gradient() over the layer, Q−16; @param by master units that one unit of dw moves a weight
 */
export function learn(step: u32, sum: i64, by: Scale, count: i32, k: i32, key: u32): u32 {
  const slope = divide(times2(by, 32), multiply(scaleOf(step, 0), sqrt(multiply(whole(count), whole(k)))));
  const moved = <i64>step - apply(sum, slope, step >> 5, draw(key, 0));
  return bounded(moved, k);
}
