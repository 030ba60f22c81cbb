// Intrinsic 97: takes over what changed, and marks it.
import * as check from "../int8/check";
import { BAD_QUANT } from "../device/errors";
import { TENSOR_C, TENSOR_H, TENSOR_PITCH, TENSOR_W } from "../int8/structs";
import { WINDOW_BYTES, WINDOW_X0, WINDOW_Y0 } from "./structs";

const FN: i32 = 97;

/** Whether some of c values at a and b differ by more than tau. */
function moved(a: usize, b: usize, c: usize, tau: i32): bool {
  const end = a + c;
  for (const eights = a + (c & ~7); a < eights; a += 8, b += 8) {
    if (load<u64>(a) == load<u64>(b)) continue;
    if (!tau) return true;
    for (let i: usize = 0; i < 8; ++i) {
      if (abs(<i32>load<i8>(a + i) - <i32>load<i8>(b + i)) > tau) return true;
    }
  }
  for (; a < end; ++a, ++b) if (abs(<i32>load<i8>(a) - <i32>load<i8>(b)) > tau) return true;
  return false;
}

/**
 * For each position of the window: if some channel of `fresh` differs from `cache` by more than tau, all its channels are copied
 * to the cache and its bit is set; else the cache keeps what it has. Other bits stay as they are. Returns how many were copied.
 *
 * @param window size, y0, y1, x0, x1 (end exclusive) in the tensor
 * @param tau 0 … 255
 * @param yT shape of the cache, int8 [h, w, c]
 * @param fresh the window's rows, whole: row y0 is the first; the row pitch is that of the tensor
 * @param changed bitmap: h rows of ⌈w / 32⌉ words, position x is bit x & 31 of word x >> 5
 */
export function merge(window: usize, tau: i32, yT: usize, fresh: usize, cache: usize, changed: usize): i32 {
  check.struct(FN, window, WINDOW_BYTES);
  check.tensorStruct(FN, yT);
  check.tensorShape(FN, yT);
  const y0 = load<i32>(window, WINDOW_Y0);
  const y1 = load<i32>(window, WINDOW_Y0 + 4);
  const x0 = load<i32>(window, WINDOW_X0);
  const x1 = load<i32>(window, WINDOW_X0 + 4);
  const h = load<i32>(yT, TENSOR_H);
  const w = load<i32>(yT, TENSOR_W);
  const c = <usize>load<i32>(yT, TENSOR_C);
  const pitch = <usize>load<i32>(yT, TENSOR_PITCH);
  check.range(FN, y0, y1, h);
  check.range(FN, x0, x1, w);
  check.within(FN, BAD_QUANT, tau, 0, 255);
  const bytes = check.tensorBytes(yT, 1);
  const freshBytes = y1 > y0 ? <u64>(y1 - y0 - 1) * <u64>pitch + <u64>w * <u64>c : 0;
  const words = (w + 31) >> 5;
  const mapBytes = <u64>h * ((<u64>words) << 2);
  check.pointer(FN, fresh, freshBytes, 1);
  check.pointer(FN, cache, bytes, 1);
  check.pointer(FN, changed, mapBytes, 4);
  check.apart(FN, cache, bytes, fresh, freshBytes);
  check.apart(FN, changed, mapBytes, fresh, freshBytes);
  check.apart(FN, changed, mapBytes, cache, bytes);

  let count = 0;
  for (let y = y0; y < y1; ++y) {
    let from = fresh + <usize>(y - y0) * pitch + <usize>x0 * c;
    let to = cache + <usize>y * pitch + <usize>x0 * c;
    const row = changed + ((<usize>(y * words)) << 2);
    for (let x = x0; x < x1; ++x, from += c, to += c) {
      if (!moved(from, to, c, tau)) continue;
      memory.copy(to, from, c);
      const word = row + ((<usize>x >> 5) << 2);
      store<u32>(word, load<u32>(word) | (1 << (x & 31)));
      ++count;
    }
  }
  return count;
}
