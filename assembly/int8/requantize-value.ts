// Requantisation, defined once (DESIGN §2): q = clamp(((i64(acc)·m + r) >> s) + zero, lo, hi).
import { draw } from "./rng";

/** Smallest and largest mantissa: m in [2^30, 2^31). */
export const MANTISSA_MIN: i32 = 1 << 30;

/** r for rounding to nearest, halves upwards: 2^(s−1). */
// @ts-ignore: decorator
@inline
export function nearest(s: i32): i64 {
  return (<i64>1) << (s - 1);
}

/** r for stochastic rounding: the 16-bit draw scaled to [0, 2^s). */
// @ts-ignore: decorator
@inline
export function stochastic(s: i32, key: u32, index: u32): i64 {
  const d = <i64>draw(key, index);
  return s >= 16 ? d << (s - 16) : d >> (16 - s);
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
