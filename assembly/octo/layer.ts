// What every layer of a sequential model has: its place, its output, and the six things that it can be asked to do.
import { fail } from "../device/host";
import { elements } from "../int8/structs";
import { Scale } from "./scale";

/** Kinds as errors and checkpoints name them. */
export const CONV2D: u8 = 1;
export const DENSE: u8 = 2;
export const MAX_POOL: u8 = 3;
export const RELU: u8 = 4;
export const DEPTHWISE: u8 = 5;
export const AVERAGE_POOL: u8 = 6;
export const ADD: u8 = 7;
export const BACKBONE: u8 = 8;

/** What a layer computed, NHWC with N = 1. It starts with the tensor struct (docs/abi.md): its address is that struct's. */
export class Output {
  /** Bytes of the tensor struct. */
  bytes: i32;
  h: i32;
  w: i32;
  c: i32;
  /** Elements from one row to the next. */
  pitch: i32;
  /** Elements, NHWC. */
  data: usize;
  /** What one unit is worth. */
  scale: Scale;
  /** log2 of an element's bytes: 0 for int8, 2 for int32 logits (the last layer, if it has weights). */
  width: u8;

  /** Number of elements. */
  get size(): i32 {
    return elements(changetype<usize>(this));
  }

  /** Element i in NHWC order. */
  at(i: i32): i32 {
    const at = this.data + (i << this.width);
    return this.width ? load<i32>(at) : <i32>load<i8>(at);
  }

  /** Index of the largest element, the first of equals. */
  argmax(): i32 {
    // backwards, so that the first of equals wins
    let best = this.size - 1;
    let i = best;
    do if (this.at(i) >= this.at(best)) best = i;
    while (--i >= 0);
    return best;
  }
}

/** Layers have no constructors: create() makes them, and place() finishes them. */
export class Layer extends Output {
  kind: u8;
  /** Has weights. */
  learns: bool;
  /** Keeps them as they are. */
  frozen: bool;
  /** Lower clamp of a layer with weights: −127, or 0 with relu() behind it. */
  lowest: i8;
  /** Position in the model, from 0. */
  index: i32;
  /** Neighbours; the model's input comes before the first layer, NONE after the last. */
  previous: Layer;
  next: Layer;

  /** Checks the input's shape, sets that of the output, and allocates; called in order. Errors: LAYER_SHAPE. */
  place(input: Layer): void {}

  /** Rebuilds what is derived from the learned state; `fresh`: fills that with its first values before. */
  wake(fresh: bool): void {}

  forward(input: Layer): void {}

  /** Learns the range of the output from what the last forward pass saw; `first`: finds it from nothing. */
  adapt(input: Layer, first: bool): void {}

  /** Writes its entry into the table of a weights file; layers without weights have none. */
  describe(at: usize): void {}

  /** Turns the error of the output (backward.ts) into that of the input, and learns. */
  backward(input: Layer): void {}

  /** Ends with the layer's name in the error. */
  refuse(code: i32, got: i32, want: i32): void {
    fail(code, (this.index << 8) | this.kind, got, want);
  }
}

// @ts-ignore: decorator
@inline
/** No layer. */
export const NONE: Layer = changetype<Layer>(0);

// @ts-ignore: decorator
@inline
/** A layer of class T, all zero: the arena's memory is, so that no constructor has to write it. */
export function create<T extends Layer>(): T {
  return changetype<T>(__new(offsetof<T>(), idof<T>()));
}
