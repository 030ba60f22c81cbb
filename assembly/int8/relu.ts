// Intrinsics 10 and 11: the rectifier, forward and backward.
import * as check from "./check";

/** y[i] = max(x[i], zero) over n int8 values; zero is the zero point. x = y is allowed, other overlap is not. */
export function relu(x: usize, n: i32, zero: i32, y: usize): void {
  check.start(10);
  check.count(n);
  check.int8(zero);
  check.pointer(x, <u64>n, 1);
  check.pointer(y, <u64>n, 1);
  if (x != y) check.apart(y, <u64>n, x, <u64>n);
  for (let i: usize = 0; i < <usize>n; ++i) store<i8>(y + i, max(<i32>load<i8>(x + i), zero));
}

/** e[i] = 0 where y[i] ≤ zero, in place; y is the output of the forward pass. */
export function reluGrad(y: usize, n: i32, zero: i32, e: usize): void {
  check.start(11);
  check.count(n);
  check.int8(zero);
  check.pointer(y, <u64>n, 1);
  check.pointer(e, <u64>n, 1);
  check.apart(e, <u64>n, y, <u64>n);
  for (let i: usize = 0; i < <usize>n; ++i) {
    if (<i32>load<i8>(y + i) <= zero) store<i8>(e + i, 0);
  }
}
