// Computes rows of a stage: whole, or a window of them, on the same intrinsics as dense inference. A stage whose output
// is not cached is computed again, into a band of rows, whenever the stage behind it asks.
import { allocate } from "../device/arena";
import * as int8 from "../int8/intrinsics";
import {
  CONV_BYTES,
  CONV_PAD_BOTTOM,
  CONV_PAD_TOP,
  CONV_X0,
  CONV_Y1,
  SCRATCH_BYTES,
  SCRATCH_DATA,
  SCRATCH_SIZE,
  TENSOR_BYTES,
  TENSOR_H,
} from "../int8/structs";
import * as pass from "./intrinsics";
import { CONV2D, NO_FLOOR, NONE, Stage } from "./stage";
import { WINDOW_BYTES, WINDOW_X0, WINDOW_X1, WINDOW_Y0, WINDOW_Y1 } from "./structs";

/** Structs of the rows at hand: slices of a stage's own. */
const CONV: usize = memory.data(64, 4);
const X: usize = memory.data(20, 4);
const Y: usize = memory.data(20, 4);
const SCRATCH: usize = memory.data(12, 4);
const WINDOW: usize = memory.data(20, 4);

/** The stage whose slices they hold. */
let sliced: Stage = NONE;

/** Rows that were computed and are not yet compared. */
let fresh: usize = 0;
let freshBytes: i32 = 0;
/** Rows of the stage that is not cached. */
let band: usize = 0;
let bandBytes: i32 = 0;
/** Multiply-accumulates since it was set to 0. */
export let macs: i32 = 0;

export function clearMacs(): void {
  macs = 0;
}

/** Reserves what stages share. `scratch` bytes are those of the largest kernel (docs/abi.md). */
export function reserve(scratch: i32, freshRoom: i32, bandRoom: i32): void {
  store<i32>(SCRATCH, SCRATCH_BYTES);
  store<i32>(SCRATCH, <i32>allocate(scratch), SCRATCH_DATA);
  store<i32>(SCRATCH, scratch, SCRATCH_SIZE);
  store<i32>(WINDOW, WINDOW_BYTES);
  freshBytes = freshRoom;
  fresh = allocate(freshRoom);
  bandBytes = bandRoom;
  band = allocate(bandRoom);
}

/** Rows of output that `rows` rows of input are enough for, padding aside; at least 1. */
// @ts-ignore: decorator
@inline
function rowsFrom(stage: Stage, rows: i32): i32 {
  return max((rows - stage.reachH) / stage.strideH + 1, 1);
}

/**
 * The window rows r0 … r1 − 1, columns x0 … x1 − 1 of a stage's output. Row r0 goes to `to`, the others follow in the
 * tensor's own pitch. The rows are a convolution of their own over the input rows that they see: what is missing
 * above and below is padding.
 */
function compute(stage: Stage, r0: i32, r1: i32, x0: i32, x1: i32, to: usize): void {
  const before = stage.previous;
  const rows = r1 - r0;
  const top = r0 * stage.strideH - stage.padTop;
  const bottom = top + (rows - 1) * stage.strideH + stage.reachH;
  const first = max(top, 0);
  const end = min(bottom, before.h);
  let x = before.data + <usize>(first * before.pitch);
  if (before.recomputed) {
    const left = max(x0 * stage.strideW - stage.padLeft, 0);
    const right = min((x1 - 1) * stage.strideW - stage.padLeft + stage.reachW, before.w);
    if (left < right) compute(before, first, end, left, right, band);
    x = band;
  }
  if (sliced != stage) {
    sliced = stage;
    memory.copy(CONV, stage.conv, CONV_BYTES);
    store<i32>(CONV, 0, CONV_Y1 - 4);
    memory.copy(X, changetype<usize>(before), TENSOR_BYTES);
    memory.copy(Y, changetype<usize>(stage), TENSOR_BYTES);
  }
  store<i32>(CONV, first - top, CONV_PAD_TOP);
  store<i32>(CONV, bottom - end, CONV_PAD_BOTTOM);
  store<i32>(CONV, rows, CONV_Y1);
  store<i32>(CONV, x0, CONV_X0);
  store<i32>(CONV, x1, CONV_X0 + 4);
  store<i32>(X, end - first, TENSOR_H);
  store<i32>(Y, rows, TENSOR_H);
  if (stage.kind == CONV2D) {
    int8.conv2d(SCRATCH, CONV, stage.quant, X, x, stage.weights, stage.bias, Y, to);
  } else {
    int8.maxPool2d(CONV, X, x, Y, to);
    if (stage.floor != NO_FLOOR) {
      const bytes = (x1 - x0) * stage.c;
      let at = to + <usize>(x0 * stage.c);
      for (let r = r0; r < r1; ++r, at += <usize>stage.pitch) int8.relu(at, bytes, stage.floor, at);
    }
  }
  macs += rows * (x1 - x0) * stage.cost;
}

/** The whole output, in the cache. Errors: those of the intrinsics */
export function whole(stage: Stage): void {
  const rows = stage.previous.recomputed ? rowsFrom(stage, bandBytes / stage.previous.pitch) : stage.h;
  for (let r = 0; r < stage.h; r += rows) {
    compute(stage, r, min(r + rows, stage.h), 0, stage.w, stage.data + <usize>(r * stage.pitch));
  }
}

/** Sets the window of `merge`. */
// @ts-ignore: decorator
@inline
function windowOf(y0: i32, y1: i32, x0: i32, x1: i32): usize {
  store<i32>(WINDOW, y0, WINDOW_Y0);
  store<i32>(WINDOW, y1, WINDOW_Y1);
  store<i32>(WINDOW, x0, WINDOW_X0);
  store<i32>(WINDOW, x1, WINDOW_X1);
  return WINDOW;
}

/** Tells what changes of a stage go on to: the next one. */
// @ts-ignore: decorator
@inline
function onward(stage: Stage): usize {
  return stage.next == NONE ? 0 : stage.next.spread;
}

/**
 * Computes a rectangle of a stage, takes over what moved and passes it on. `judge`: bitmap of what moved by more than `harm`,
 * or 0. Returns how many positions changed.
 */
// @ts-ignore: decorator
@inline
export function rectangle(stage: Stage, y0: i32, y1: i32, x0: i32, x1: i32, judge: usize, harm: i32): i32 {
  let rows = freshBytes / stage.pitch;
  if (stage.previous.recomputed) rows = min(rows, rowsFrom(stage, bandBytes / stage.previous.pitch));
  const yT = changetype<usize>(stage);
  const spread = onward(stage);
  let changed = 0;
  for (let r = y0; r < y1; r += rows) {
    const end = min(r + rows, y1);
    compute(stage, r, end, x0, x1, fresh);
    const at = windowOf(r, end, x0, x1);
    // what is taken over here is not seen by the second merge
    if (judge) changed += pass.merge(at, harm, yT, fresh, stage.data, judge, spread);
    changed += pass.merge(at, 0, yT, fresh, stage.data, stage.changed, spread);
  }
  // where any change is enough, how much waits decides nothing
  if (!stage.limit) return changed;
  for (let y = y0; y < y1; ++y) memory.fill(stage.pending + <usize>(y * stage.w + x0), 0, x1 - x0);
  return changed;
}

/** Takes a window of the frame over into the reference. */
export function copyFrame(input: Stage, frame: usize, y0: i32, y1: i32, x0: i32, x1: i32): i32 {
  return pass.merge(
    windowOf(y0, y1, x0, x1),
    0,
    changetype<usize>(input),
    frame + <usize>(y0 * input.pitch),
    input.data,
    input.changed,
    onward(input),
  );
}
