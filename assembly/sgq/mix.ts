// Intrinsic 66: what the channels of a group share (SGQ's form 1).
import * as check from "../int8/check";
import { TENSOR_BYTES, TENSOR_C, TENSOR_H, TENSOR_PITCH, TENSOR_W } from "../int8/structs";
import { BAD_SHAPE } from "../device/errors";
import { fail } from "../device/host";

/**
 * s[y, x, k] = clamp((Σ weight·x + 64) >> 7, −128, 127) over the channels group·k … group·k + group − 1.
 *
 * @param xT tensor [h, w, c], @param x int8 NHWC, @param weights int8 [c], @param group divides c, at most 256 channels:
 *   |Σ| ≤ 2^22, @param s int8 [h, w, c / group] without gaps
 */
export function sgqMix(xT: usize, x: usize, weights: usize, group: i32, s: usize): void {
  check.start(66);
  check.tensorStruct(xT);
  check.tensorShape(xT);
  check.within(BAD_SHAPE, group, 1, 256);
  const c = load<i32>(xT, TENSOR_C);
  if (c % group) fail(BAD_SHAPE, 66, c, group);
  const h = load<i32>(xT, TENSOR_H);
  const w = load<i32>(xT, TENSOR_W);
  const n = <u64>(h * w) * <u64>(c / group);
  check.pointer(x, check.tensorBytes(xT, 1), 1);
  check.pointer(weights, <u64>c, 1);
  check.pointer(s, n, 1);
  check.apart(s, n, xT, TENSOR_BYTES);
  check.apart(s, n, x, check.tensorBytes(xT, 1));
  check.apart(s, n, weights, <u64>c);

  for (let y = 0; y < h; ++y, x += <usize>load<i32>(xT, TENSOR_PITCH)) {
    let at = x;
    for (let left = w; left; --left) {
      let weight = weights;
      for (let k = c; k; k -= group) {
        let sum = 64;
        for (let i = group; i; --i) sum += <i32>load<i8>(at++) * <i32>load<i8>(weight++);
        store<i8>(s++, max(min(sum >> 7, 127), -128));
      }
    }
  }
}
