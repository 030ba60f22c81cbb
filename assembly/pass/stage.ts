// A layer of a fixed INT8 network as PASS runs it: the structs that intrinsics take, made once from the description, and the
// bitmap of what changed.
import { allocate } from "../device/arena";
import { LAYER_SHAPE } from "../device/errors";
import { fail } from "../device/host";
import { SPREAD_BYTES } from "./structs";

/** Kinds, as assembly/octo numbers them. */
export const INPUT: i32 = 0;
export const CONV2D: i32 = 1;
export const MAX_POOL: i32 = 3;
export const RELU: i32 = 4;
/** Of networks that are no row of layers: octo's backbone runs them, PASS does not. */
export const AVERAGE_POOL: i32 = 6;
export const ADD: i32 = 7;

/** Lower bound that clamps nothing. */
export const NO_FLOOR: i32 = -128;

/** Starts with the tensor struct of its output (docs/abi.md) and its data, as octo's layers do. */
@unmanaged
export class Stage {
  bytes: i32;
  h: i32;
  w: i32;
  c: i32;
  pitch: i32;
  /** Cached output, int8 NHWC; of the input, the reference image. 0 while the output is recomputed. */
  data: usize;
  // the convolution struct
  convBytes: i32;
  kernelH: i32;
  kernelW: i32;
  strideH: i32;
  strideW: i32;
  dilationH: i32;
  dilationW: i32;
  padTop: i32;
  padLeft: i32;
  padBottom: i32;
  padRight: i32;
  groups: i32;
  y0: i32;
  y1: i32;
  x0: i32;
  x1: i32;
  // the quantisation struct
  quantBytes: i32;
  inputZero: i32;
  outputZero: i32;
  lo: i32;
  hi: i32;
  multiplier: usize;
  shift: usize;
  channels: i32;
  rounding: i32;
  key: i32;
  // the spread struct: how changes of the stage before reach this one
  spreadBytes: i32;
  spreadConv: usize;
  spreadTensor: usize;
  /** u8 [h, w]: changes under a position since it was computed last, in units of 2^shift; saturates at 255. */
  pending: usize;
  /** Bitmap of the positions that have to be computed again. */
  todo: usize;
  spreadShift: i32;
  limit: i32;
  weights: usize;
  bias: usize;
  kind: i32;
  /** Position in the description, from 0; −1: the input. */
  index: i32;
  /** Typical change of an output that is let pass, Q8 units; −1: that of the options. */
  tau: i32;
  /** Outputs are at least this: a relu behind a pool. */
  floor: i32;
  /** As asked: 0 whatever fits, 1 cached, 2 recomputed. */
  store: i32;
  /** Multiply-accumulates of one position. */
  cost: i32;
  /** Bitmap of the positions that changed: h rows of `words` words. */
  changed: usize;
  words: i32;
  previous: Stage;
  next: Stage;
  // the plan, as host/pass/layout.ts reads it
  recomputed: i32;
  cacheBytes: i32;
  bandBytes: i32;
  macs: i32;
  extraMacs: i32;
  /** Most that an output may be off under FAST. */
  bound: i32;
  // of a backbone: the second summand, and which buffer holds the output
  other: Stage;
  slot: i32;

  /** The convolution struct. */
  get conv(): usize {
    return changetype<usize>(this) + offsetof<Stage>("convBytes");
  }

  get spread(): usize {
    return changetype<usize>(this) + offsetof<Stage>("spreadBytes");
  }

  get quant(): usize {
    return changetype<usize>(this) + offsetof<Stage>("quantBytes");
  }

  get size(): i32 {
    return this.h * this.pitch;
  }

  /** Rows and columns that a kernel spans. */
  get reachH(): i32 {
    return (this.kernelH - 1) * this.dilationH + 1;
  }

  get reachW(): i32 {
    return (this.kernelW - 1) * this.dilationW + 1;
  }

  refuse(code: i32, got: i32, want: i32): void {
    fail(code, (this.index << 8) | this.kind, got, want);
  }

  /** Output shape of the window over the stage before; h and w are checked to be in the intrinsics' range. Errors: LAYER_SHAPE */
  slide(): void {
    const x = this.previous;
    this.h = this.steps(x.h + this.padTop + this.padBottom, this.reachH, this.strideH);
    this.w = this.steps(x.w + this.padLeft + this.padRight, this.reachW, this.strideW);
    this.fix();
  }

  /** Sets what follows from w and c. */
  fix(): void {
    this.pitch = this.w * this.c;
    this.words = (this.w + 31) >> 5;
  }

  private steps(length: i32, reach: i32, stride: i32): i32 {
    if (reach > length) this.refuse(LAYER_SHAPE, reach, length);
    return (length - reach) / stride + 1;
  }

  /** Bytes of a bitmap of the output. */
  get mapBytes(): i32 {
    return (this.h * this.words) << 2;
  }

  /** Allocates the bitmaps; the input has no `todo`. */
  map(): void {
    this.changed = allocate(this.mapBytes);
    if (this.kind == INPUT) return;
    this.spreadBytes = SPREAD_BYTES;
    this.spreadConv = this.conv;
    this.spreadTensor = changetype<usize>(this);
    this.pending = allocate(this.h * this.w);
    this.todo = allocate(this.mapBytes);
  }

  /** Nothing has changed yet. */
  clear(): void {
    memory.fill(this.changed, 0, this.mapBytes);
  }
}

// @ts-ignore: decorator
@inline
export const NONE: Stage = changetype<Stage>(0);

/** A stage of zeros. */
export function createStage(): Stage {
  return changetype<Stage>(allocate(offsetof<Stage>()));
}
