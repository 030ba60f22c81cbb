// Argument checks of the intrinsics, shared by all of them. The C twins (boards/runtime/intrinsics/check.c) make the
// same checks in the same order with the same numbers (docs/abi.md, "Checks"): a bad call traps alike everywhere.
// Sizes are computed in 64 bits: dimensions reach 32,767, so a product of three
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

/** What an int32 accumulator can take, in INT8 weights or errors: 2^31 / 127 (DESIGN §2). */
const ACCUMULATOR_MAX: i32 = 16909320;
/** Largest dimension of a tensor. */
export const MAX_DIM: i32 = 32767;
/** Largest kernel, stride, dilation, padding. */
export const MAX_CONV: i32 = 1024;
/** Largest element count of a flat argument and largest row pitch. */
export const MAX_COUNT: i32 = 1 << 30;

/** Number of the intrinsic whose arguments are being checked; as a global, since calls of many arguments are what fills metacode. */
let fn: i32 = 0;

/** Begins the checks of intrinsic `number`. */
export function start(number: i32): void {
  fn = number;
}

function refuse(code: i32, got: i32, want: i32): void {
  fail(code, fn, got, want);
}

export function within(code: i32, value: i32, lo: i32, hi: i32): void {
  if (value < lo) refuse(code, value, lo);
  if (value > hi) refuse(code, value, hi);
}

export function struct(pointer: usize, bytes: i32): void {
  if (<u64>pointer + <u64>bytes > <u64>limit) refuse(BAD_STRUCT, <i32>pointer, <i32>limit);
  if (pointer & 3) refuse(BAD_STRUCT, <i32>pointer, 4);
  if (load<i32>(pointer) < bytes) refuse(BAD_STRUCT, load<i32>(pointer), bytes);
}

export function tensorStruct(t: usize): void {
  struct(t, TENSOR_BYTES);
}

export function convStruct(conv: usize): void {
  struct(conv, CONV_BYTES);
}

export function quantStruct(quant: usize): void {
  struct(quant, QUANT_BYTES);
}

export function scratchStruct(scratch: usize): void {
  struct(scratch, SCRATCH_BYTES);
}

/** Dimensions 1 … 32,767; row pitch w·c … 2^30. */
export function tensorShape(t: usize): void {
  for (let at = TENSOR_H; at <= TENSOR_C; at += 4) within(BAD_SHAPE, load<i32>(t + at), 1, MAX_DIM);
  within(BAD_SHAPE, load<i32>(t, TENSOR_PITCH), load<i32>(t, TENSOR_W) * load<i32>(t, TENSOR_C), MAX_COUNT);
}

/**
 * Structs of a convolution in the order of its arguments, then the shapes of its tensors. One without a quant struct names
 * its conv struct twice: that is larger.
 */
export function convStructs(scratch: usize, conv: usize, quant: usize, aT: usize, bT: usize): void {
  scratchStruct(scratch);
  convStruct(conv);
  quantStruct(quant);
  tensorStruct(aT);
  tensorStruct(bT);
  tensorShape(aT);
  tensorShape(bT);
}

/** Output length of a sliding window, 0 if the window does not fit once. */
function outputLength(input: i32, before: i32, after: i32, kernel: i32, stride: i32, dilation: i32): i32 {
  const room = input + before + after - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

/** Kernel, stride, dilation, padding, groups in range; the output's height and width are what they must be. */
export function convShape(conv: usize, input: usize, output: usize): void {
  for (let at = CONV_KERNEL_H; at <= CONV_DILATION_W; at += 4)
    within(BAD_SHAPE, load<i32>(conv + at), 1, MAX_CONV);
  for (let at = CONV_PAD_TOP; at <= CONV_PAD_RIGHT; at += 4)
    within(BAD_SHAPE, load<i32>(conv + at), 0, MAX_CONV);
  const groups = load<i32>(conv, CONV_GROUPS);
  within(BAD_SHAPE, groups, 1, MAX_DIM);
  if (load<i32>(input, TENSOR_C) % groups) refuse(BAD_SHAPE, load<i32>(input, TENSOR_C), groups);
  if (load<i32>(output, TENSOR_C) % groups) refuse(BAD_SHAPE, load<i32>(output, TENSOR_C), groups);
  const h = outputLength(
    load<i32>(input, TENSOR_H),
    load<i32>(conv, CONV_PAD_TOP),
    load<i32>(conv, CONV_PAD_BOTTOM),
    load<i32>(conv, CONV_KERNEL_H),
    load<i32>(conv, CONV_STRIDE_H),
    load<i32>(conv, CONV_DILATION_H),
  );
  if (load<i32>(output, TENSOR_H) != h) refuse(BAD_SHAPE, load<i32>(output, TENSOR_H), h);
  const w = outputLength(
    load<i32>(input, TENSOR_W),
    load<i32>(conv, CONV_PAD_LEFT),
    load<i32>(conv, CONV_PAD_RIGHT),
    load<i32>(conv, CONV_KERNEL_W),
    load<i32>(conv, CONV_STRIDE_W),
    load<i32>(conv, CONV_DILATION_W),
  );
  if (load<i32>(output, TENSOR_W) != w) refuse(BAD_SHAPE, load<i32>(output, TENSOR_W), w);
}

/** 0 ≤ y0 ≤ y1 ≤ height and 0 ≤ x0 ≤ x1 ≤ width of the output. */
export function window(conv: usize, output: usize): void {
  range(load<i32>(conv, CONV_Y0), load<i32>(conv, CONV_Y0 + 4), load<i32>(output, TENSOR_H));
  range(load<i32>(conv, CONV_X0), load<i32>(conv, CONV_X0 + 4), load<i32>(output, TENSOR_W));
}

/** Shapes and window of a pooling: as many channels come out as go in. */
export function pool(conv: usize, input: usize, output: usize): void {
  tensorShape(input);
  tensorShape(output);
  convShape(conv, input, output);
  if (load<i32>(output, TENSOR_C) != load<i32>(input, TENSOR_C))
    refuse(BAD_SHAPE, load<i32>(output, TENSOR_C), load<i32>(input, TENSOR_C));
  window(conv, output);
}

/** 0 ≤ first ≤ end ≤ length. */
export function range(first: i32, end: i32, length: i32): void {
  if (first < 0 || first > end) refuse(BAD_WINDOW, first, end);
  if (end > length) refuse(BAD_WINDOW, end, length);
}

/**
 * Products that may meet in one accumulator, 132,104 at zero point 0, 66,052 at ±128: |Σ w·(x − zero)| ≤ K·127·(128 + |zero|) < 2^31.
 */
export function mostProducts(zero: i32): i32 {
  return ACCUMULATOR_MAX / (128 + abs(zero));
}

/** No more products meet than an accumulator can take; the zero point has been checked. */
export function products(count: i64, zero: i32): void {
  const most = mostProducts(zero);
  if (count > <i64>most) refuse(ACCUMULATOR, <i32>min(count, <i64>i32.MAX_VALUE), most);
}

/** Zero points are int8. */
export function zeroPoints(quant: usize): void {
  within(BAD_QUANT, load<i32>(quant, QUANT_INPUT_ZERO), -128, 127);
  within(BAD_QUANT, load<i32>(quant, QUANT_OUTPUT_ZERO), -128, 127);
}

/** Everything that requantisation to [min, max] needs; `channels` are those of the output. */
export function requantisation(quant: usize, channels: i32, min: i32, max: i32): void {
  const n = load<i32>(quant, QUANT_CHANNELS);
  if (n != 1 && n != channels) refuse(BAD_QUANT, n, channels);
  within(BAD_QUANT, load<i32>(quant, QUANT_ROUNDING), 0, 1);
  const lo = load<i32>(quant, QUANT_LO);
  within(BAD_QUANT, lo, min, max);
  within(BAD_QUANT, load<i32>(quant, QUANT_HI), lo, max);
  const m = <usize>load<i32>(quant, QUANT_MULTIPLIER);
  const s = <usize>load<i32>(quant, QUANT_SHIFT);
  pointer(m, (<u64>n) << 2, 4);
  pointer(s, (<u64>n) << 2, 4);
  for (let i: usize = 0, end = (<usize>n) << 2; i < end; i += 4) {
    within(BAD_QUANT, load<i32>(m + i), MANTISSA_MIN, i32.MAX_VALUE);
    within(BAD_QUANT, load<i32>(s + i), 1, 62);
  }
}

/** The caller's scratch holds `need` bytes. */
export function scratchSize(scratch: usize, need: i64): void {
  const bytes = load<i32>(scratch, SCRATCH_SIZE);
  if (bytes < 0 || <i64>bytes < need) refuse(SCRATCH_SMALL, bytes, <i32>min(need, <i64>i32.MAX_VALUE));
  pointer(<usize>load<i32>(scratch, SCRATCH_DATA), <u64>bytes, 4);
}

/** Element count of a flat argument: 0 … 2^30. */
export function count(n: i32): void {
  within(BAD_SHAPE, n, 0, MAX_COUNT);
}

/** A zero point given as a number. */
export function int8(zero: i32): void {
  within(BAD_QUANT, zero, -128, 127);
}

/** Alignment, then range, of one pointer. */
export function pointer(at: usize, bytes: u64, align: i32): void {
  if (at & (align - 1)) refuse(MISALIGNED, <i32>at, align);
  if (<u64>at + bytes > <u64>limit) refuse(OUT_OF_RANGE, <i32>at, <i32>limit);
}

// What the call under check writes; ends are exclusive. Areas have been found to lie in memory by then, so an end fits into
// 32 bits.
let first: usize = 0;
let firstEnd: usize = 0;
let second: usize = 0;
let secondEnd: usize = 0;
let third: usize = 0;
let thirdEnd: usize = 0;
let fourth: usize = 0;
let fourthEnd: usize = 0;

/** A call's first output: `read` is against this one and those of `another` after it. */
export function output(at: usize, bytes: u64): void {
  first = at;
  firstEnd = at + <usize>bytes;
  secondEnd = 0;
  thirdEnd = 0;
  fourthEnd = 0;
}

/** An output more, four at most: it shares no byte with those before it. */
export function another(at: usize, bytes: u64): void {
  read(at, bytes);
  fourth = third;
  fourthEnd = thirdEnd;
  third = second;
  thirdEnd = secondEnd;
  second = at;
  secondEnd = at + <usize>bytes;
}

/** Two areas share no byte. */
export function apart(a: usize, aBytes: u64, b: usize, bBytes: u64): void {
  output(a, aBytes);
  read(b, bBytes);
}

function clear(at: usize, end: usize, b: usize, bEnd: usize): void {
  if (at < end && at < bEnd && b < end) refuse(OVERLAP, <i32>at, <i32>b);
}

/** What is read while the call writes its outputs shares no byte with them. */
export function read(at: usize, bytes: u64): void {
  const end = at + <usize>bytes;
  if (at == end) return;
  clear(first, firstEnd, at, end);
  // of the others, the last one was pushed in front
  clear(fourth, fourthEnd, at, end);
  clear(third, thirdEnd, at, end);
  clear(second, secondEnd, at, end);
}

/** A conv struct and two tensor structs. */
export function readShapes(conv: usize, xT: usize, yT: usize): void {
  read(conv, CONV_BYTES);
  read(xT, TENSOR_BYTES);
  read(yT, TENSOR_BYTES);
}

/** A quant struct and, if it has a multiplier, its tables. */
export function readQuant(quant: usize): void {
  read(quant, QUANT_BYTES);
  const multiplier = <usize>load<i32>(quant, QUANT_MULTIPLIER);
  if (!multiplier) return;
  const n = (<u64>load<i32>(quant, QUANT_CHANNELS)) << 2;
  read(multiplier, n);
  read(<usize>load<i32>(quant, QUANT_SHIFT), n);
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
