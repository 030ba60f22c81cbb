// Requantisation, defined once (DESIGN §2): q = clamp(((i64(acc)·m + r) >> s) + zero, lo, hi).
import { DRAW_STEP, drawAt } from "./rng";

/** Smallest and largest mantissa: m in [2^30, 2^31). */
export const MANTISSA_MIN: i32 = 1 << 30;

/** r for rounding to nearest, halves upwards: 2^(s−1). */
// @ts-ignore: decorator
@inline
export function nearest(s: i32): i64 {
  return (<i64>1) << (s - 1);
}

/** r for stochastic rounding: the 16-bit draw scaled to [0, 2^s), or to 0 … 2^s − 1 where s < 16. */
// @ts-ignore: decorator
@inline
export function stochastic(s: i32, key: u32, index: u32): i64 {
  return stochasticAt(64 - s, key + index * DRAW_STEP);
}

/** The same for loops: `down` = 64 − s, and draws are counted by DRAW_STEP. */
// @ts-ignore: decorator
@inline
export function stochasticAt(down: i64, at: u32): i64 {
  return <i64>(((<u64>drawAt(at)) << 48) >> down);
}

/**
 * One value. |acc·m| ≤ 2^31·(2^31 − 1) and r < 2^62, so the sum stays below 2^63 for every s ≤ 62; the clamp
 * happens in 64 bits because a small s can leave more than 32.
 */
// @ts-ignore: decorator
@inline
export function requantizeValue(acc: i32, m: i32, s: i32, r: i64, zero: i32, lo: i32, hi: i32): i32 {
  const q = ((<i64>acc * <i64>m + r) >> s) + <i64>zero;
  return <i32>(q < <i64>lo ? <i64>lo : q > <i64>hi ? <i64>hi : q);
}
