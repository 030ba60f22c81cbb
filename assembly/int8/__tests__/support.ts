// What the specs share: memory, the structs of docs/abi.md, random numbers, and a look at the error of the last call.
import { setLimit } from "../../device/limit";
import { draw, drawKey } from "../rng";
import {
  CONV_BYTES,
  CONV_KERNEL_H,
  QUANT_BYTES,
  SCRATCH_BYTES,
  TENSOR_BYTES,
  TENSOR_PITCH,
  tensorOf,
} from "../structs";

// @ts-ignore: decorator
@external("octomote_spec", "failure")
declare function hostFailure(index: i32): i32;

// @ts-ignore: decorator
@external("octomote_spec", "forget")
declare function hostForget(): void;

/** The error that the last failed call named: code << 16 | where, and then none. */
export function failure(): i32 {
  const code = (hostFailure(0) << 16) | (hostFailure(1) & 0xffff);
  hostForget();
  return code;
}

/** What an error looks like to failure(). */
export function errorOf(code: i32, where: i32): i32 {
  return (code << 16) | (where & 0xffff);
}

let next: u32 = 0;
let stream: u32 = 0;

/** Starts a new stream of random numbers; a spec that fails prints its number. */
export function seed(value: u32): void {
  stream = drawKey(value, 1, 2);
  next = 0;
}

/** A random whole number from lo to hi. */
export function random(lo: i32, hi: i32): i32 {
  return lo + <i32>((draw(stream, next++) * <u32>(hi - lo + 1)) >> 16);
}

/** A random int32, all bits of it. */
export function random32(): i32 {
  return (random(0, 65535) << 16) | random(0, 65535);
}

/** Zeroed memory that stays; every address is then within the limit. */
export function bytes(n: i32): usize {
  const at = (heap.alloc(<usize>n + 31) + 15) & ~15;
  memory.fill(at, 0, n);
  setLimit(<u32>min((<u64>memory.size()) << 16, <u64>u32.MAX_VALUE));
  return at;
}

/** n random int8 values from lo to hi. */
export function randomBytes(n: i32, lo: i32, hi: i32): usize {
  const at = bytes(n);
  for (let i = 0; i < n; ++i) store<i8>(at + i, random(lo, hi));
  return at;
}

/** n random int32 values from lo to hi (hi − lo below 2^16). */
export function randomWords(n: i32, lo: i32, hi: i32): usize {
  const at = bytes(n << 2);
  for (let i = 0; i < n; ++i) store<i32>(at + (i << 2), random(lo, hi));
  return at;
}

export function copyOf(from: usize, n: i32): usize {
  const at = bytes(n);
  memory.copy(at, from, n);
  return at;
}

/** Whether two areas hold the same bytes. */
export function same(a: usize, b: usize, n: i32): bool {
  return memory.compare(a, b, n) == 0;
}

/** Tensor struct whose rows are `gap` elements further apart than they must be. */
export function tensor(h: i32, w: i32, c: i32, gap: i32 = 0): usize {
  const t = tensorOf(bytes(TENSOR_BYTES), h, w, c);
  store<i32>(t, w * c + gap, TENSOR_PITCH);
  return t;
}

/** Elements from a tensor's first to its last, gaps included. */
export function span(t: usize): i32 {
  return load<i32>(t, 4) * load<i32>(t, 16);
}

/** Index of element (y, x, c). */
export function index(t: usize, y: i32, x: i32, c: i32): i32 {
  return y * load<i32>(t, 16) + x * load<i32>(t, 12) + c;
}

/** Convolution struct: its fields in order, from kernelH. */
export function conv(fields: StaticArray<i32>): usize {
  const at = bytes(CONV_BYTES);
  store<i32>(at, CONV_BYTES);
  for (let i = 0; i < fields.length; ++i) store<i32>(at + (i << 2), fields[i], CONV_KERNEL_H);
  return at;
}

/** Quantisation struct with one multiplier and one shift. */
export function quant(m: i32, s: i32, lo: i32, hi: i32, rounding: i32 = 0, key: u32 = 0): usize {
  const at = bytes(QUANT_BYTES + 8);
  store<i32>(at, QUANT_BYTES);
  store<i32>(at, lo, 12);
  store<i32>(at, hi, 16);
  store<i32>(at, <i32>at + QUANT_BYTES, 20);
  store<i32>(at, <i32>at + QUANT_BYTES + 4, 24);
  store<i32>(at, 1, 28);
  store<i32>(at, rounding, 32);
  store<u32>(at, key, 36);
  store<i32>(at, m, QUANT_BYTES);
  store<i32>(at, s, QUANT_BYTES + 4);
  return at;
}

export function scratch(size: i32): usize {
  const at = bytes(SCRATCH_BYTES);
  store<i32>(at, SCRATCH_BYTES);
  store<i32>(at, <i32>bytes(size), 4);
  store<i32>(at, size, 8);
  return at;
}

/**
 * Requantisation by its definition (DESIGN §2), without a 64-bit overflow that the real one could share: the product is split
 * into its high and low half.
 */
export function requantised(acc: i32, m: i32, s: i32, r: u64, zero: i32, lo: i32, hi: i32): i32 {
  // acc·m + r = high·2^32 + low with 0 ≤ low < 2^32
  const low0 = <u64>(<u32>acc) * <u64>m;
  const high0 = acc < 0 ? -(<i64>m) : 0;
  const low1 = (low0 & 0xffffffff) + (r & 0xffffffff);
  const high = high0 + <i64>(low0 >> 32) + <i64>(r >> 32) + <i64>(low1 >> 32);
  const low = low1 & 0xffffffff;
  let q: i64 = 0;
  if (s >= 32) q = high >> (s - 32);
  else if (high >= 1 << 30) q = hi + 256;
  else if (high < -(1 << 30)) q = lo - 256;
  else q = (high << (32 - s)) | <i64>(low >> s);
  q += zero;
  return <i32>(q < lo ? lo : q > hi ? hi : q);
}
