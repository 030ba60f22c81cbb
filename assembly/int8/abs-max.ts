// Intrinsics 4 and 5: the largest magnitude of a tensor, from which a dynamic scale is made.
import * as check from "./check";

/** Largest |x| of n int8 values, 0 … 128; 0 for n = 0. */
export function absMaxS8(x: usize, n: i32): i32 {
  check.start(4);
  check.count(n);
  check.pointer(x, <u64>n, 1);
  let most = 0;
  for (const end = x + <usize>n; x < end; ++x) {
    const v = <i32>load<i8>(x);
    const a = v < 0 ? -v : v;
    if (a > most) most = a;
  }
  return most;
}

/** Largest |x| of n int32 values (4-aligned), 0 … 2^31 − 1; 2^31 has no positive twin and counts as 2^31 − 1. */
export function absMaxS32(x: usize, n: i32): i32 {
  check.start(5);
  check.count(n);
  check.pointer(x, (<u64>n) << 2, 4);
  let most = 0;
  for (const end = x + ((<usize>n) << 2); x < end; x += 4) {
    const v = load<i32>(x);
    const a = v < 0 ? (v == i32.MIN_VALUE ? i32.MAX_VALUE : -v) : v;
    if (a > most) most = a;
  }
  return most;
}
