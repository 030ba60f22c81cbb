// Argument checks of the intrinsics, shared by all of them. The C twins (boards/runtime/intrinsics/check.c) make the
// same checks in the same order with the same numbers (docs/abi.md, "Checks"): a bad call traps alike everywhere.
// `fn` is the intrinsic's number. Sizes are computed in 64 bits: dimensions reach 32,767, so a product of three
// stays below 2^45.
import {
  ACCUMULATOR,
  BAD_QUANT,
  BAD_SHAPE,
  BAD_STRUCT,
  BAD_WINDOW,
  MISALIGNED,
  OUT_OF_RANGE,
  OVERLAP,
  SCRATCH_SMALL,
} from "../device/errors";
import { fail } from "../device/host";
import { limit } from "../device/limit";
import { MANTISSA_MIN } from "./requantize-value";
import {
  CONV_BYTES,
  CONV_DILATION_H,
  CONV_DILATION_W,
  CONV_GROUPS,
  CONV_KERNEL_H,
  CONV_KERNEL_W,
  CONV_PAD_BOTTOM,
  CONV_PAD_LEFT,
  CONV_PAD_RIGHT,
  CONV_PAD_TOP,
  CONV_STRIDE_H,
  CONV_STRIDE_W,
  CONV_X0,
  CONV_Y0,
  QUANT_BYTES,
  QUANT_CHANNELS,
  QUANT_HI,
  QUANT_INPUT_ZERO,
  QUANT_LO,
  QUANT_MULTIPLIER,
  QUANT_OUTPUT_ZERO,
  QUANT_ROUNDING,
  QUANT_SHIFT,
  SCRATCH_BYTES,
  SCRATCH_DATA,
  SCRATCH_SIZE,
  TENSOR_BYTES,
  TENSOR_C,
  TENSOR_H,
  TENSOR_PITCH,
  TENSOR_W,
} from "./structs";

/** Products that an int32 accumulator can take: 2^31 / (127·128) (DESIGN §2). */
export const MAX_PRODUCTS: i64 = 132104;
/** Largest dimension of a tensor. */
export const MAX_DIM: i32 = 32767;
/** Largest kernel, stride, dilation, padding. */
export const MAX_CONV: i32 = 1024;
/** Largest element count of a flat argument and largest row pitch. */
export const MAX_COUNT: i32 = 1 << 30;

export function within(fn: i32, code: i32, value: i32, lo: i32, hi: i32): void {
  if (value < lo) fail(code, fn, value, lo);
  if (value > hi) fail(code, fn, value, hi);
}

export function struct(fn: i32, pointer: usize, bytes: i32): void {
  if (<u64>pointer + <u64>bytes > <u64>limit) fail(BAD_STRUCT, fn, <i32>pointer, <i32>limit);
  if (pointer & 3) fail(BAD_STRUCT, fn, <i32>pointer, 4);
  if (load<i32>(pointer) < bytes) fail(BAD_STRUCT, fn, load<i32>(pointer), bytes);
}

export function tensorStruct(fn: i32, t: usize): void {
  struct(fn, t, TENSOR_BYTES);
}

export function convStruct(fn: i32, conv: usize): void {
  struct(fn, conv, CONV_BYTES);
}

export function quantStruct(fn: i32, quant: usize): void {
  struct(fn, quant, QUANT_BYTES);
}

export function scratchStruct(fn: i32, scratch: usize): void {
  struct(fn, scratch, SCRATCH_BYTES);
}

/** Dimensions 1 … 32,767; row pitch w·c … 2^30. */
export function tensorShape(fn: i32, t: usize): void {
  for (let at = TENSOR_H; at <= TENSOR_C; at += 4) within(fn, BAD_SHAPE, load<i32>(t + at), 1, MAX_DIM);
  within(
    fn,
    BAD_SHAPE,
    load<i32>(t, TENSOR_PITCH),
    load<i32>(t, TENSOR_W) * load<i32>(t, TENSOR_C),
    MAX_COUNT,
  );
}

/** Output length of a sliding window, 0 if the window does not fit once. */
function outputLength(input: i32, before: i32, after: i32, kernel: i32, stride: i32, dilation: i32): i32 {
  const room = input + before + after - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

/** Kernel, stride, dilation, padding, groups in range; the output's height and width are what they must be. */
export function convShape(fn: i32, conv: usize, input: usize, output: usize): void {
  for (let at = CONV_KERNEL_H; at <= CONV_DILATION_W; at += 4)
    within(fn, BAD_SHAPE, load<i32>(conv + at), 1, MAX_CONV);
  for (let at = CONV_PAD_TOP; at <= CONV_PAD_RIGHT; at += 4)
    within(fn, BAD_SHAPE, load<i32>(conv + at), 0, MAX_CONV);
  const groups = load<i32>(conv, CONV_GROUPS);
  within(fn, BAD_SHAPE, groups, 1, MAX_DIM);
  if (load<i32>(input, TENSOR_C) % groups) fail(BAD_SHAPE, fn, load<i32>(input, TENSOR_C), groups);
  if (load<i32>(output, TENSOR_C) % groups) fail(BAD_SHAPE, fn, load<i32>(output, TENSOR_C), groups);
  const h = outputLength(
    load<i32>(input, TENSOR_H),
    load<i32>(conv, CONV_PAD_TOP),
    load<i32>(conv, CONV_PAD_BOTTOM),
    load<i32>(conv, CONV_KERNEL_H),
    load<i32>(conv, CONV_STRIDE_H),
    load<i32>(conv, CONV_DILATION_H),
  );
  if (load<i32>(output, TENSOR_H) != h) fail(BAD_SHAPE, fn, load<i32>(output, TENSOR_H), h);
  const w = outputLength(
    load<i32>(input, TENSOR_W),
    load<i32>(conv, CONV_PAD_LEFT),
    load<i32>(conv, CONV_PAD_RIGHT),
    load<i32>(conv, CONV_KERNEL_W),
    load<i32>(conv, CONV_STRIDE_W),
    load<i32>(conv, CONV_DILATION_W),
  );
  if (load<i32>(output, TENSOR_W) != w) fail(BAD_SHAPE, fn, load<i32>(output, TENSOR_W), w);
}

/** 0 ≤ y0 ≤ y1 ≤ height and 0 ≤ x0 ≤ x1 ≤ width of the output. */
export function window(fn: i32, conv: usize, output: usize): void {
  range(fn, load<i32>(conv, CONV_Y0), load<i32>(conv, CONV_Y0 + 4), load<i32>(output, TENSOR_H));
  range(fn, load<i32>(conv, CONV_X0), load<i32>(conv, CONV_X0 + 4), load<i32>(output, TENSOR_W));
}

/** Shapes and window of a pooling: as many channels come out as go in. */
export function pool(fn: i32, conv: usize, input: usize, output: usize): void {
  tensorShape(fn, input);
  tensorShape(fn, output);
  convShape(fn, conv, input, output);
  if (load<i32>(output, TENSOR_C) != load<i32>(input, TENSOR_C))
    fail(BAD_SHAPE, fn, load<i32>(output, TENSOR_C), load<i32>(input, TENSOR_C));
  window(fn, conv, output);
}

/** 0 ≤ first ≤ end ≤ length. */
export function range(fn: i32, first: i32, end: i32, length: i32): void {
  if (first < 0 || first > end) fail(BAD_WINDOW, fn, first, end);
  if (end > length) fail(BAD_WINDOW, fn, end, length);
}

/** At most 132,104 products meet in one accumulator. */
export function products(fn: i32, count: i64): void {
  if (count > MAX_PRODUCTS) fail(ACCUMULATOR, fn, <i32>min(count, <i64>i32.MAX_VALUE), <i32>MAX_PRODUCTS);
}

/** Zero points are int8. */
export function zeroPoints(fn: i32, quant: usize): void {
  within(fn, BAD_QUANT, load<i32>(quant, QUANT_INPUT_ZERO), -128, 127);
  within(fn, BAD_QUANT, load<i32>(quant, QUANT_OUTPUT_ZERO), -128, 127);
}

/** Everything that requantisation to [min, max] needs; `channels` are those of the output. */
export function requantisation(fn: i32, quant: usize, channels: i32, min: i32, max: i32): void {
  const n = load<i32>(quant, QUANT_CHANNELS);
  if (n != 1 && n != channels) fail(BAD_QUANT, fn, n, channels);
  within(fn, BAD_QUANT, load<i32>(quant, QUANT_ROUNDING), 0, 1);
  const lo = load<i32>(quant, QUANT_LO);
  within(fn, BAD_QUANT, lo, min, max);
  within(fn, BAD_QUANT, load<i32>(quant, QUANT_HI), lo, max);
  const m = <usize>load<i32>(quant, QUANT_MULTIPLIER);
  const s = <usize>load<i32>(quant, QUANT_SHIFT);
  pointer(fn, m, (<u64>n) << 2, 4);
  pointer(fn, s, (<u64>n) << 2, 4);
  for (let i: usize = 0, end = (<usize>n) << 2; i < end; i += 4) {
    within(fn, BAD_QUANT, load<i32>(m + i), MANTISSA_MIN, i32.MAX_VALUE);
    within(fn, BAD_QUANT, load<i32>(s + i), 1, 62);
  }
}

/** The caller's scratch holds `need` bytes. */
export function scratchSize(fn: i32, scratch: usize, need: i64): void {
  const bytes = load<i32>(scratch, SCRATCH_SIZE);
  if (bytes < 0 || <i64>bytes < need) fail(SCRATCH_SMALL, fn, bytes, <i32>min(need, <i64>i32.MAX_VALUE));
  pointer(fn, <usize>load<i32>(scratch, SCRATCH_DATA), <u64>bytes, 4);
}

/** Element count of a flat argument: 0 … 2^30. */
export function count(fn: i32, n: i32): void {
  within(fn, BAD_SHAPE, n, 0, MAX_COUNT);
}

/** A zero point given as a number. */
export function int8(fn: i32, zero: i32): void {
  within(fn, BAD_QUANT, zero, -128, 127);
}

/** Alignment, then range, of one pointer. */
export function pointer(fn: i32, at: usize, bytes: u64, align: i32): void {
  if (at & (align - 1)) fail(MISALIGNED, fn, <i32>at, align);
  if (<u64>at + bytes > <u64>limit) fail(OUT_OF_RANGE, fn, <i32>at, <i32>limit);
}

/** Two areas share no byte. */
export function apart(fn: i32, a: usize, aBytes: u64, b: usize, bBytes: u64): void {
  if (!aBytes || !bBytes) return;
  if (<u64>a < <u64>b + bBytes && <u64>b < <u64>a + aBytes) fail(OVERLAP, fn, <i32>a, <i32>b);
}

/** What is written shares no byte with the conv struct and two tensor structs, which are read meanwhile. */
export function shapesApart(fn: i32, at: usize, bytes: u64, conv: usize, xT: usize, yT: usize): void {
  apart(fn, at, bytes, conv, CONV_BYTES);
  apart(fn, at, bytes, xT, TENSOR_BYTES);
  apart(fn, at, bytes, yT, TENSOR_BYTES);
}

/** The same of a quant struct and, if it has a multiplier, its tables. */
export function quantApart(fn: i32, at: usize, bytes: u64, quant: usize): void {
  apart(fn, at, bytes, quant, QUANT_BYTES);
  const multiplier = <usize>load<i32>(quant, QUANT_MULTIPLIER);
  if (!multiplier) return;
  const n = (<u64>load<i32>(quant, QUANT_CHANNELS)) << 2;
  apart(fn, at, bytes, multiplier, n);
  apart(fn, at, bytes, <usize>load<i32>(quant, QUANT_SHIFT), n);
}

/** Bytes from a tensor's first element to its last. */
export function tensorBytes(t: usize, elementBytes: i64): u64 {
  return <u64>(
    ((<i64>(load<i32>(t, TENSOR_H) - 1) * load<i32>(t, TENSOR_PITCH) +
      <i64>(load<i32>(t, TENSOR_W) * load<i32>(t, TENSOR_C))) *
      elementBytes)
  );
}

/** Bytes of OHWI weights: kernelH · kernelW · c / groups · output channels. */
export function kernelSize(conv: usize, input: usize): i64 {
  return (
    <i64>(load<i32>(conv, CONV_KERNEL_H) * load<i32>(conv, CONV_KERNEL_W)) *
    (load<i32>(input, TENSOR_C) / load<i32>(conv, CONV_GROUPS))
  );
}
