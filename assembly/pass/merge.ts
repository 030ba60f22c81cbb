// Intrinsic 97: takes over what changed, marks it, and tells it to the positions of the next tensor that see it.
import * as check from "../int8/check";
import { BAD_QUANT } from "../device/errors";
import {
  CONV_BYTES,
  CONV_DILATION_H,
  CONV_DILATION_W,
  CONV_KERNEL_H,
  CONV_KERNEL_W,
  CONV_PAD_LEFT,
  CONV_PAD_TOP,
  CONV_STRIDE_H,
  CONV_STRIDE_W,
  TENSOR_BYTES,
  TENSOR_C,
  TENSOR_H,
  TENSOR_PITCH,
  TENSOR_W,
} from "../int8/structs";
import {
  SPREAD_BYTES,
  SPREAD_CONV,
  SPREAD_LIMIT,
  SPREAD_PENDING,
  SPREAD_SHIFT,
  SPREAD_TENSOR,
  SPREAD_TODO,
  WINDOW_BYTES,
  WINDOW_X0,
  WINDOW_Y0,
} from "./structs";

const FN: i32 = 97;

/** Bytes of a bitmap over a tensor: h rows of ⌈w / 32⌉ words. */
function mapBytes(t: usize): u64 {
  return <u64>load<i32>(t, TENSOR_H) * ((<u64>((load<i32>(t, TENSOR_W) + 31) >> 5)) << 2);
}

/**
 * Σ|a − b| over c values, or 0 where none differs by more than tau. ≤ 255·32,767
 */
function distance(a: usize, b: usize, c: usize, tau: i32): i32 {
  let sum = 0;
  let most = 0;
  const end = a + c;
  for (const eights = a + (c & ~7); a < eights; a += 8, b += 8) {
    if (load<u64>(a) == load<u64>(b)) continue;
    for (let i: usize = 0; i < 8; ++i) {
      const d = abs(<i32>load<i8>(a + i) - <i32>load<i8>(b + i));
      sum += d;
      most = max(most, d);
    }
  }
  for (; a < end; ++a, ++b) {
    const d = abs(<i32>load<i8>(a) - <i32>load<i8>(b));
    sum += d;
    most = max(most, d);
  }
  return most > tau ? sum : 0;
}

// The spread struct and what it points to, read once after the checks: what is written may lie over them.
let h: i32 = 0;
let w: i32 = 0;
let words: i32 = 0;
let shift: i32 = 0;
let limit: i32 = 0;
let kernelH: i32 = 0;
let kernelW: i32 = 0;
let strideH: i32 = 0;
let strideW: i32 = 0;
let dilationH: i32 = 0;
let dilationW: i32 = 0;
let padTop: i32 = 0;
let padLeft: i32 = 0;
let pending: usize = 0;
let todo: usize = 0;

function open(spread: usize): void {
  const conv = <usize>load<i32>(spread, SPREAD_CONV);
  const next = <usize>load<i32>(spread, SPREAD_TENSOR);
  h = load<i32>(next, TENSOR_H);
  w = load<i32>(next, TENSOR_W);
  words = (w + 31) >> 5;
  shift = load<i32>(spread, SPREAD_SHIFT);
  limit = load<i32>(spread, SPREAD_LIMIT);
  kernelH = load<i32>(conv, CONV_KERNEL_H);
  kernelW = load<i32>(conv, CONV_KERNEL_W);
  strideH = load<i32>(conv, CONV_STRIDE_H);
  strideW = load<i32>(conv, CONV_STRIDE_W);
  dilationH = load<i32>(conv, CONV_DILATION_H);
  dilationW = load<i32>(conv, CONV_DILATION_W);
  padTop = load<i32>(conv, CONV_PAD_TOP);
  padLeft = load<i32>(conv, CONV_PAD_LEFT);
  pending = <usize>load<i32>(spread, SPREAD_PENDING);
  todo = <usize>load<i32>(spread, SPREAD_TODO);
}

/** Adds a change at (y, x) to every position of the next tensor that has a tap there. */
function tell(y: i32, x: i32, change: i32): void {
  let top = y + padTop;
  for (let ky = kernelH; ky && top >= 0; --ky, top -= dilationH) {
    const oy = top / strideH;
    if (oy * strideH != top || oy >= h) continue;
    let left = x + padLeft;
    for (let kx = kernelW; kx && left >= 0; --kx, left -= dilationW) {
      const ox = left / strideW;
      if (ox * strideW != left || ox >= w) continue;
      const at = pending + <usize>(oy * w + ox);
      const sum = min(<i32>load<u8>(at) + change, 255);
      store<u8>(at, sum);
      if (sum <= limit) continue;
      const word = todo + ((<usize>(oy * words + (ox >> 5))) << 2);
      store<u32>(word, load<u32>(word) | (1 << (ox & 31)));
    }
  }
}

/**
 * For each position of the window: if some channel of `fresh` differs from `cache` by more than tau, all its channels are
 * copied to the cache and its bit is set; else the cache keeps what it has. Other bits stay as they are. Returns how many were copied.
 *
 * A change is e = ⌈Σ|fresh − cache| / 2^shift⌉ over the channels. It is added to `pending` (saturating at 255) of each position of the next
 * tensor that has a tap there, and sets that position's bit in `todo` where the sum exceeds the limit.
 *
 * @param window size, y0, y1, x0, x1 (end exclusive) in the tensor
 * @param tau 0 … 255
 * @param yT shape of the cache, int8 [h, w, c]
 * @param fresh the window's rows, whole: row y0 is the first; the row pitch is that of the tensor
 * @param changed bitmap: h rows of ⌈w / 32⌉ words, position x is bit x & 31 of word x >> 5
 * @param spread size, conv, tensor, pending, todo, shift (0 … 15), limit (0 … 254); or 0: nobody is told
 */
export function merge(
  window: usize,
  tau: i32,
  yT: usize,
  fresh: usize,
  cache: usize,
  changed: usize,
  spread: usize,
): i32 {
  checkArguments(window, tau, yT, fresh, cache, changed, spread);
  const y0 = load<i32>(window, WINDOW_Y0);
  const y1 = load<i32>(window, WINDOW_Y0 + 4);
  const x0 = load<i32>(window, WINDOW_X0);
  const x1 = load<i32>(window, WINDOW_X0 + 4);
  const rowWords = (load<i32>(yT, TENSOR_W) + 31) >> 5;
  const c = <usize>load<i32>(yT, TENSOR_C);
  const pitch = <usize>load<i32>(yT, TENSOR_PITCH);
  if (spread) open(spread);
  let count = 0;
  for (let y = y0; y < y1; ++y) {
    let from = fresh + <usize>(y - y0) * pitch + <usize>x0 * c;
    let to = cache + <usize>y * pitch + <usize>x0 * c;
    const row = changed + ((<usize>(y * rowWords)) << 2);
    for (let x = x0; x < x1; ++x, from += c, to += c) {
      const change = distance(from, to, c, tau);
      if (!change) continue;
      memory.copy(to, from, c);
      const word = row + ((<usize>x >> 5) << 2);
      store<u32>(word, load<u32>(word) | (1 << (x & 31)));
      ++count;
      if (spread) tell(y, x, (change + (1 << shift) - 1) >> shift);
    }
  }
  return count;
}

/** Checks in the order of docs/abi.md. */
function checkArguments(
  window: usize,
  tau: i32,
  yT: usize,
  fresh: usize,
  cache: usize,
  changed: usize,
  spread: usize,
): void {
  check.start(FN);
  check.struct(window, WINDOW_BYTES);
  check.tensorStruct(yT);
  let conv: usize = 0;
  let next: usize = 0;
  if (spread) {
    check.struct(spread, SPREAD_BYTES);
    conv = <usize>load<i32>(spread, SPREAD_CONV);
    next = <usize>load<i32>(spread, SPREAD_TENSOR);
    check.convStruct(conv);
    check.tensorStruct(next);
  }
  check.tensorShape(yT);
  if (spread) {
    check.tensorShape(next);
    check.convShape(conv, yT, next);
  }
  const y0 = load<i32>(window, WINDOW_Y0);
  const y1 = load<i32>(window, WINDOW_Y0 + 4);
  check.range(y0, y1, load<i32>(yT, TENSOR_H));
  check.range(load<i32>(window, WINDOW_X0), load<i32>(window, WINDOW_X0 + 4), load<i32>(yT, TENSOR_W));
  check.within(BAD_QUANT, tau, 0, 255);
  if (spread) {
    check.within(BAD_QUANT, load<i32>(spread, SPREAD_SHIFT), 0, 15);
    check.within(BAD_QUANT, load<i32>(spread, SPREAD_LIMIT), 0, 254);
  }
  const bytes = check.tensorBytes(yT, 1);
  const row = <u64>load<i32>(yT, TENSOR_W) * <u64>load<i32>(yT, TENSOR_C);
  const freshBytes = y1 > y0 ? <u64>(y1 - y0 - 1) * <u64>load<i32>(yT, TENSOR_PITCH) + row : 0;
  const changedBytes = mapBytes(yT);
  check.pointer(fresh, freshBytes, 1);
  check.pointer(cache, bytes, 1);
  check.pointer(changed, changedBytes, 4);
  let pending: usize = 0;
  let pendingBytes: u64 = 0;
  let todo: usize = 0;
  let todoBytes: u64 = 0;
  if (spread) {
    pending = <usize>load<i32>(spread, SPREAD_PENDING);
    pendingBytes = <u64>load<i32>(next, TENSOR_H) * <u64>load<i32>(next, TENSOR_W);
    todo = <usize>load<i32>(spread, SPREAD_TODO);
    todoBytes = mapBytes(next);
    check.pointer(pending, pendingBytes, 1);
    check.pointer(todo, todoBytes, 4);
  }
  check.output(cache, bytes);
  check.another(changed, changedBytes);
  check.another(pending, pendingBytes);
  check.another(todo, todoBytes);
  check.read(fresh, freshBytes);
  check.read(window, WINDOW_BYTES);
  check.read(yT, TENSOR_BYTES);
  if (!spread) return;
  check.read(spread, SPREAD_BYTES);
  check.read(conv, CONV_BYTES);
  check.read(next, TENSOR_BYTES);
}
