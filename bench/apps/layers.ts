// layers.ts: the forward pass of single layers on dense data, at the shapes for which CMSIS-NN was counted. The regions
// are those of bench/kernels/layers.ts, in the same order.
import { allocate } from "octomote/assembly/device/arena";
import * as int8 from "octomote/assembly/int8/intrinsics";
import { depthwiseConv2d } from "octomote/assembly/int8/intrinsics-residual";
import { draw, drawKey } from "octomote/assembly/int8/rng";
import {
  CONV_BYTES, CONV_DILATION_H, CONV_GROUPS, CONV_KERNEL_H, CONV_STRIDE_H, CONV_X1, CONV_Y1, QUANT_BYTES, QUANT_CHANNELS,
  QUANT_HI, QUANT_LO, QUANT_MULTIPLIER, QUANT_SHIFT, SCRATCH_BYTES, SCRATCH_DATA, SCRATCH_SIZE, scratchNeed, TENSOR_BYTES, tensorOf,
} from "octomote/assembly/int8/structs";

/** Input height and width, channels, filters, kernel, groups. */
const SHAPES: StaticArray<i32> = [
  16, 16, 16, 3, 1, //
  16, 8, 16, 3, 1,
  30, 3, 16, 3, 1,
  28, 1, 8, 5, 1,
  14, 16, 16, 1, 1,
  7, 64, 64, 1, 1,
  16, 16, 16, 3, 16,
  1, 784, 64, 1, 1,
  1, 64, 32, 1, 1,
  1, 32, 10, 1, 1,
];
const FIELDS: i32 = 5;
const LAYERS: i32 = 10;

/** Elements of the largest input, and of weights and output together: the output lies behind the weights. */
const MOST: i32 = 16 * 16 * 16;
const REST: i32 = 784 * 64 + 64;
const PATCH: i32 = 784;

const x = allocate(MOST);
const w = allocate(REST);
const bias = allocate(4 * 64);
const quant = allocate(QUANT_BYTES + 8);
const scratch = allocate(SCRATCH_BYTES);
/** Of each layer: input, output, window, where the output lies; without checks, which are no part of the layer. */
const layers = allocate(16 * LAYERS);

export function step(): void {}

/** A square window without padding over a square input. */
function windowOf(kernel: i32, groups: i32, out: i32): usize {
  const conv = allocate(CONV_BYTES);
  store<i32>(conv, CONV_BYTES);
  for (let axis: usize = 0; axis < 8; axis += 4) {
    store<i32>(conv + axis, kernel, CONV_KERNEL_H);
    store<i32>(conv + axis, 1, CONV_STRIDE_H);
    store<i32>(conv + axis, 1, CONV_DILATION_H);
  }
  store<i32>(conv, groups, CONV_GROUPS);
  store<i32>(conv, out, CONV_Y1);
  store<i32>(conv, out, CONV_X1);
  return conv;
}

for (let i = 0; i < LAYERS; ++i) {
  const at = FIELDS * i;
  const size = SHAPES[at];
  const channels = SHAPES[at + 1];
  const filters = SHAPES[at + 2];
  const kernel = SHAPES[at + 3];
  const groups = SHAPES[at + 4];
  const out = size - kernel + 1;
  const layer = layers + <usize>(16 * i);
  store<usize>(layer, tensorOf(allocate(TENSOR_BYTES), size, size, channels));
  store<usize>(layer, tensorOf(allocate(TENSOR_BYTES), out, out, filters), 4);
  store<usize>(layer, windowOf(kernel, groups, out), 8);
  store<usize>(layer, w + <usize>(kernel * kernel * (channels / groups) * filters), 12);
}
store<i32>(scratch, SCRATCH_BYTES);
store<i32>(scratch, <i32>allocate(11 * PATCH + 48), SCRATCH_DATA);
store<i32>(scratch, <i32>scratchNeed(PATCH), SCRATCH_SIZE);
// one multiplier for all channels, rounding to nearest
store<i32>(quant, QUANT_BYTES);
store<i32>(quant, -127, QUANT_LO);
store<i32>(quant, 127, QUANT_HI);
store<i32>(quant, <i32>quant + QUANT_BYTES, QUANT_MULTIPLIER);
store<i32>(quant, <i32>quant + QUANT_BYTES + 4, QUANT_SHIFT);
store<i32>(quant, 1, QUANT_CHANNELS);
store<i32>(quant + QUANT_BYTES, 0x55555555);
store<i32>(quant + QUANT_BYTES, 42, 4);

/** −127 … 127, zeros as rare as chance makes them. */
function fill(at: usize, n: i32, tensor: i32): void {
  const key = drawKey(1, 0, tensor);
  for (let i = 0; i < n; ++i) store<i8>(at + <usize>i, <i32>((draw(key, i) * 255) >> 16) - 127);
}

export function benchCount(): i32 {
  fill(x, MOST, 1);
  fill(w, REST, 2);
  return 1 + LAYERS;
}

/** 0 nothing; then a layer each. */
export function bench(region: i32): void {
  if (!region) return;
  const layer = layers + <usize>(16 * (region - 1));
  const input = load<usize>(layer);
  const output = load<usize>(layer, 4);
  const conv = load<usize>(layer, 8);
  const y = load<usize>(layer, 12);
  if (load<i32>(conv, CONV_GROUPS) == 1) int8.conv2d(scratch, conv, quant, input, x, w, bias, output, y);
  else depthwiseConv2d(scratch, conv, quant, input, x, w, bias, output, y);
}
