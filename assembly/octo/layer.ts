// What every layer of a sequential model has: its place, the shape of its output, its buffers.
import { allocate } from "../device/arena";
import { LAYER_SHAPE } from "../device/errors";
import { fail } from "../device/host";
import { CONV_BYTES, TENSOR_BYTES } from "../int8/structs";
import { Scale } from "./scale";
import { Trainer } from "./trainer";

/** Kinds as errors and checkpoints name them. */
export const INPUT = 0;
export const CONV2D = 1;
export const DENSE = 2;
export const MAX_POOL = 3;
export const RELU = 4;

export abstract class Layer {
  /** Position in the model, from 0. */
  index: i32 = 0;
  /** Neighbours: a model is a ring that its input closes. Set when the layer is added. */
  previous: Layer = changetype<Layer>(0);
  next: Layer = changetype<Layer>(0);
  /** Output shape, NHWC with N = 1. */
  h: i32 = 0;
  w: i32 = 0;
  c: i32 = 0;
  /** Output data (int8; int32 for logits) and its tensor struct. */
  y: usize = 0;
  tensor: usize = 0;
  /** What one unit of the output is worth. */
  scale: Scale = changetype<Scale>(allocate(8));
  /** Whether a layer before this one learns, so that the error has to travel on. */
  passesError: bool = false;

  constructor(public kind: i32) {}

  /** Elements of the output. */
  get size(): i32 {
    return this.h * this.w * this.c;
  }

  /** Checks the input's shape and sets the output's; called in order, when the model is built. */
  abstract infer(input: Layer): void;

  /** Bytes of learned state. */
  stateBytes(): i32 {
    return 0;
  }

  /** Takes its part of the learned state (0 if it has none) and allocates its buffers. */
  abstract reserve(state: usize, input: Layer): void;

  /** Fills the learned state with its first values. */
  initialise(seed: u32): void {}

  /** Rebuilds what is derived from the learned state. */
  restore(): void {}

  abstract forward(input: Layer): void;

  /** Turns the error of the output (in the trainer) into that of the input, and learns. */
  abstract backward(input: Layer, trainer: Trainer): void;

  /** Learns the range of the output from what the last forward pass saw; `first`: find it from nothing. */
  adapt(input: Layer, first: bool): void {}

  /** Ends with the layer's name in the error. */
  protected refuse(got: i32, want: i32): void {
    fail(LAYER_SHAPE, (this.index << 8) | this.kind, got, want);
  }
}

/** A tensor struct (docs/abi.md) for a dense [h, w, c] array. */
export function tensorOf(h: i32, w: i32, c: i32): usize {
  const t = allocate(TENSOR_BYTES);
  store<i32>(t, TENSOR_BYTES);
  store<i32>(t, h, 4);
  store<i32>(t, w, 8);
  store<i32>(t, c, 12);
  store<i32>(t, w * c, 16);
  return t;
}

/** A convolution struct (docs/abi.md): square kernel and stride, equal padding, one group, the whole output. */
export function windowOf(kernel: i32, stride: i32, padding: i32, h: i32, w: i32): usize {
  const conv = allocate(CONV_BYTES);
  store<i32>(conv, CONV_BYTES);
  store<i32>(conv, kernel, 4);
  store<i32>(conv, kernel, 8);
  store<i32>(conv, stride, 12);
  store<i32>(conv, stride, 16);
  store<i32>(conv, 1, 20);
  store<i32>(conv, 1, 24);
  for (let at: usize = 28; at <= 40; at += 4) store<i32>(conv + at, padding);
  store<i32>(conv, 1, 44);
  store<i32>(conv, h, 52);
  store<i32>(conv, w, 60);
  return conv;
}

/** Output length of a square window, or 0 when it does not fit. */
export function windowLength(length: i32, kernel: i32, stride: i32, padding: i32): i32 {
  const room = length + 2 * padding - kernel;
  return room < 0 ? 0 : room / stride + 1;
}
