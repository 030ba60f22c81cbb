// The error on its way back through the layers: int8 data, what one unit is worth, and the buffer that is free (Octo §3.3).
import { allocate } from "../device/arena";
import * as int8 from "../int8/intrinsics";
import { Layer } from "./layer";
import { divide, Scale, scaleOf } from "./scale";
import * as work from "./workspace";

/**
 * A tensor's draws: layer index << 2 | purpose (DESIGN §2, tensor id); purposes past the fourth use bits that no index has.
 * Requantisation has no use for the first.
 */
export const INITIAL_DRAWS: i32 = 0;
export const UPDATE_DRAWS: i32 = 1;
export const BIAS_DRAWS: i32 = 2;
export const ERROR_DRAWS: i32 = 3;
export const COMPENSATION_DRAWS: i32 = 1 << 16;
export const STEP_SIZE_DRAWS: i32 = 2 << 16;
export const VELOCITY_DRAWS: i32 = 3 << 16;
export const DECAY_DRAWS: i32 = 4 << 16;
export const SUM_DRAWS: i32 = 5 << 16;
export const BIAS_SUM_DRAWS: i32 = 6 << 16;
export const REPLAY_DRAWS: i32 = 7 << 16;
export const KEEPING_DRAWS: i32 = 8 << 16;
export const GAIN_DRAWS: i32 = 9 << 16;
export const SCALED_DRAWS: i32 = 10 << 16;
/** Draws of the loss's error: an id that no layer has. */
export const LOSS_DRAWS: i32 = -1;

/** int8 error of the layer at work, and a buffer of the same size. */
export let error: usize = 0;
export let spare: usize = 0;
/** What one unit of the error is worth; 0 when all of it is 0, so that there is nothing left to learn. */
export let scale: Scale = 0;
/** The first layer that learns: the error goes no further. */
export let first: usize = 0;

/** Step size of SGD at this step. */
export let rate: Scale = 0;
/** Weights that reached the edge of their range, and widened it. */
export let saturated: i32 = 0;

export function setRate(value: Scale): void {
  rate = value;
}

export function countSaturated(weights: i32): void {
  saturated += weights;
}

export function setScale(value: Scale): void {
  scale = value;
}

/** A layer that learns joins, in order. */
export function join(layer: Layer): void {
  if (!first) first = changetype<usize>(layer);
}

/** Whether a layer with weights is frozen. */
export let sparse: bool = false;

export function freeze(): void {
  sparse = true;
}

/** Errors go no further than this layer, whoever has joined. */
export function setFirst(layer: Layer): void {
  first = changetype<usize>(layer);
}

/** Σ e of each channel over all positions, int32: a bias's gradient. e int8 [positions, channels]; |sum| ≤ 127·positions */
export function sumsOf(e: usize, positions: i32, channels: i32, sums: usize): void {
  for (let o = 0; o < channels; ++o) {
    let sum = 0;
    for (let i = 0, at = e + <usize>o; i < positions; ++i, at += <usize>channels) sum += <i32>load<i8>(at);
    store<i32>(sums + ((<usize>o) << 2), sum);
  }
}

/** Two buffers for errors of `elements` int8. */
export function reserve(elements: i32): void {
  error = allocate(elements);
  spare = allocate(elements);
  work.reserveGradients();
}

/** The error has moved to the other buffer. */
export function swap(): void {
  const free = error;
  error = spare;
  spare = free;
}

/**
 * Backward quantisation: the int32 errors in the workspace become int8 with the largest at ±127, rounded stochastically so
 * that they stay unbiased (Octo §3.3).
 */
export function quantise(n: i32, tensor: i32): void {
  const most = int8.absMaxS32(work.gradients, n);
  if (!most) {
    scale = 0;
    return;
  }
  const ratio = divide(scaleOf(127, 0), scaleOf(most, 0));
  scale = divide(scale, ratio);
  work.fill(work.QUANT, ratio, 127, tensor);
  int8.requantize(work.QUANT, work.gradients, n, 0, spare);
  swap();
}
