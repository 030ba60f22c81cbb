// Intrinsics 15 and 16: int16 master weights, their first values, and the INT8 weights that they stand for.
import { BAD_SHAPE } from "../device/errors";
import * as check from "./check";
import { draw } from "./rng";
import { weightOf } from "./sgd-update";

/**
 * w16[i] = (draw(key, i) − 2^15)·bound >> shift: uniform in ±bound·2^(15 − shift).
 *
 * @param bound 0 … 2^18, @param shift 0 … 31; |draw − 2^15|·bound ≤ 2^33 is taken in 64 bits; the result is clamped to int16
 */
export function drawMasters(key: u32, bound: i32, shift: i32, n: i32, w16: usize): void {
  check.start(15);
  check.count(n);
  check.within(BAD_SHAPE, bound, 0, 1 << 18);
  check.within(BAD_SHAPE, shift, 0, 31);
  check.pointer(w16, (<u64>n) << 1, 2);
  for (let i = 0; i < n; ++i) {
    const value = (<i64>(<i32>draw(key, i) - 32768) * <i64>bound) >> shift;
    store<i16>(w16 + ((<usize>i) << 1), <i32>max(min(value, <i64>i16.MAX_VALUE), <i64>i16.MIN_VALUE));
  }
}

/**
 * w16[i] = (w16[i] + half) >> halve, then w8[i] = (w16[i] + 128) >> 8.
 *
 * @param halve 0: masters stay; 1: they are halved, halves rounded upwards (a wider unit for the same weights)
 */
export function weightsOf(w16: usize, n: i32, halve: i32, w8: usize): void {
  check.start(16);
  check.count(n);
  check.within(BAD_SHAPE, halve, 0, 1);
  check.pointer(w16, (<u64>n) << 1, 2);
  check.pointer(w8, <u64>n, 1);
  check.apart(w8, <u64>n, w16, (<u64>n) << 1);
  for (let i: usize = 0; i < <usize>n; ++i) {
    const at = w16 + (i << 1);
    const master = (<i32>load<i16>(at) + halve) >> halve;
    store<i16>(at, master);
    store<i8>(w8 + i, weightOf(master));
  }
}
