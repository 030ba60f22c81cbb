// intrinsics.ts: every intrinsic by itself on dense data, at the shapes of the reference net and at those that other INT8
// kernels publish. bench/kernels/parts.ts names the regions in the same order.
import { allocate } from "octomote/assembly/device/arena";
import * as int8 from "octomote/assembly/int8/intrinsics";
import { draw, drawKey } from "octomote/assembly/int8/rng";
import {
  CONV_BYTES, CONV_DILATION_H, CONV_GROUPS, CONV_KERNEL_H, CONV_STRIDE_H, CONV_X1, CONV_Y1, QUANT_BYTES, QUANT_CHANNELS,
  QUANT_HI, QUANT_KEY, QUANT_LO, QUANT_MULTIPLIER, QUANT_ROUNDING, QUANT_SHIFT, SCRATCH_BYTES, SCRATCH_DATA, SCRATCH_SIZE,
  scratchNeed,
  TENSOR_BYTES, tensorOf,
} from "octomote/assembly/int8/structs";

/** Elements of the largest tensor, of the most weights, of the int32 workspace (the largest input gradient). */
const MOST: i32 = 24 * 24 * 8;
const WEIGHTS: i32 = 16 * 200;
const WIDE: i32 = 16 * 16 * 16;
/** Elements of the error that travels on below the second convolution. */
const ERRORS: i32 = 12 * 12 * 8;
/** Input height and width, channels, filters, kernel. */
const SHAPES: StaticArray<i32> = [
  28, 1, 8, 5, //
  12, 8, 16, 5,
  1, 256, 10, 1,
  16, 16, 16, 3,
  1, 64, 32, 1,
];
const CONVOLUTIONS: i32 = 5;

const x = allocate(MOST);
const y = allocate(MOST);
const e = allocate(MOST);
const w = allocate(WEIGHTS);
const w16 = allocate(2 * WEIGHTS);
const wide = allocate(4 * WIDE);
const bias = allocate(4 * 32);
const quant = allocate(QUANT_BYTES + 8);
const scratch = allocate(SCRATCH_BYTES);
const tensors = new StaticArray<usize>(3 * CONVOLUTIONS);
const pool = windowOf(2, 2, 12);
const poolIn = tensor(24, 24, 8);
const poolOut = tensor(12, 12, 8);

export function step(): void {}

function tensor(h: i32, w: i32, c: i32): usize {
  return tensorOf(allocate(TENSOR_BYTES), h, w, c);
}

/** A square window without padding over a square input. */
function windowOf(kernel: i32, stride: i32, out: i32): usize {
  const conv = allocate(CONV_BYTES);
  store<i32>(conv, CONV_BYTES);
  for (let axis: usize = 0; axis < 8; axis += 4) {
    store<i32>(conv + axis, kernel, CONV_KERNEL_H);
    store<i32>(conv + axis, stride, CONV_STRIDE_H);
    store<i32>(conv + axis, 1, CONV_DILATION_H);
  }
  store<i32>(conv, 1, CONV_GROUPS);
  store<i32>(conv, out, CONV_Y1);
  store<i32>(conv, out, CONV_X1);
  return conv;
}

function fill(at: usize, n: i32, tensor: i32): void {
  const key = drawKey(1, 0, tensor);
  // −127 … 127, zeros as rare as chance makes them
  for (let i = 0; i < n; ++i) store<i8>(at + <usize>i, <i32>((draw(key, i) * 255) >> 16) - 127);
}

for (let i = 0; i < CONVOLUTIONS; ++i) {
  const size = SHAPES[4 * i];
  const kernel = SHAPES[4 * i + 3];
  const out = size - kernel + 1;
  tensors[3 * i] = tensor(size, size, SHAPES[4 * i + 1]);
  tensors[3 * i + 1] = tensor(out, out, SHAPES[4 * i + 2]);
  tensors[3 * i + 2] = windowOf(kernel, 1, out);
}
store<i32>(scratch, SCRATCH_BYTES);
store<i32>(scratch, <i32>allocate(11 * 256 + 48), SCRATCH_DATA);
store<i32>(scratch, <i32>scratchNeed(256), SCRATCH_SIZE);
store<i32>(quant, QUANT_BYTES);
store<i32>(quant, 1, QUANT_CHANNELS);
store<i32>(quant, <i32>quant + QUANT_BYTES + 4, QUANT_SHIFT);
store<i32>(quant + QUANT_BYTES, 0x55555555);
store<i32>(quant + QUANT_BYTES, 42, 4);

function setQuant(lo: i32, hi: i32, stochastic: i32): void {
  store<i32>(quant, lo, QUANT_LO);
  store<i32>(quant, hi, QUANT_HI);
  store<i32>(quant, <i32>quant + QUANT_BYTES, QUANT_MULTIPLIER);
  store<i32>(quant, stochastic, QUANT_ROUNDING);
  store<i32>(quant, 12345, QUANT_KEY);
}

export function benchCount(): i32 {
  fill(x, MOST, 1);
  fill(e, MOST, 2);
  fill(w, WEIGHTS, 3);
  fill(wide, 4 * WIDE, 4);
  fill(w16, 2 * WEIGHTS, 5);
  return 1 + 3 * CONVOLUTIONS + 8;
}

/** 0 nothing; then for each shape forward, input gradient, weight gradient; then the rest, one by one. */
export function bench(region: i32): void {
  if (!region) return;
  --region;
  if (region < 3 * CONVOLUTIONS) return convolution(region / 3, region % 3);
  region -= 3 * CONVOLUTIONS;
  if (region == 0) int8.maxPool2d(pool, poolIn, x, poolOut, y);
  else if (region == 1) int8.maxPool2dGrad(pool, poolIn, x, poolOut, e, poolIn, y);
  else if (region == 2) int8.relu(x, MOST, 0, y);
  else if (region == 3) int8.reluGrad(x, MOST, 0, e);
  else if (region == 4) int8.absMaxS32(wide, ERRORS);
  else if (region == 5) {
    setQuant(-127, 127, 1);
    int8.requantize(quant, wide, ERRORS, 0, y);
  } else if (region == 6) {
    setQuant(-32512, 32512, 1);
    int8.sgdUpdate(quant, wide, WEIGHTS, 0, w16, y);
  } else {
    setQuant(0, 0, 0);
    int8.softmaxCrossEntropy(quant, wide, 10, 3, bias);
  }
}

function convolution(shape: i32, part: i32): void {
  const input = tensors[3 * shape];
  const output = tensors[3 * shape + 1];
  const window = tensors[3 * shape + 2];
  const filters = SHAPES[4 * shape + 2];
  if (part == 0) {
    setQuant(-127, 127, 0);
    int8.conv2d(scratch, window, quant, input, x, w, bias, output, y);
  } else if (part == 1) {
    int8.conv2dGradInput(scratch, window, output, e, w, input, wide);
  } else {
    // as many channels at a time as the workspace holds, as the trainer does
    const fanIn = SHAPES[4 * shape + 1] * SHAPES[4 * shape + 3] * SHAPES[4 * shape + 3];
    const atOnce = WIDE / (fanIn + 1);
    for (let c0 = 0; c0 < filters; c0 += atOnce) {
      const c1 = min(c0 + atOnce, filters);
      const db = wide + (<usize>((c1 - c0) * fanIn) << 2);
      int8.conv2dGradWeight(scratch, window, quant, input, x, output, e, c0, c1, wide, db);
    }
  }
}
