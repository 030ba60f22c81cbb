// A sequential model: layers in a row, laid out in the arena when the module starts. A module has one, so its parts are
// variables of this file, not fields of an object: code reaches them without a pointer.
import { MODEL_EMPTY, NEEDS_DENSE, NEEDS_FEATURES, TOO_MANY } from "../device/errors";
import { fail } from "../device/host";
import { Frame, sensor } from "../device/sensor";
import { TENSOR_BYTES, TENSOR_H } from "../int8/structs";
import * as back from "./backward";
import * as checkpoint from "./checkpoint";
import { create, Layer, NONE, Output } from "./layer";
import * as paths from "./path";
import * as plateau from "./plateau";
import * as replay from "./replay-buffer";
import { scaleOf } from "./scale";
import * as weights from "./weights";
import * as work from "./workspace";

/** Where the sensor's frame enters: int8, zero point 0, one unit is 1/128. */
let input: Layer = NONE;
/** The last layer, or the input while there is none. */
export let last: Layer = NONE;
/** Whether there is a trainer. One that is never set leaves nothing of the backward pass in a module. */
export let trained: bool = false;
/** Whether the last error comes from outside (half-trainer.ts): the model then ends in features, not in logits. */
export let cut: bool = false;
/** Sequence number of the frame whose forward pass the buffers hold. */
let fresh: i32 = -1;

@unmanaged
export class Model {
  /** @param shape of the input, [h, w, c]. Errors: TOO_MANY, LAYER_SHAPE */
  constructor(shape: StaticArray<i32>) {
    if (present()) fail(TOO_MANY, 0, 2, 1);
    sensor.open(shape);
    input = create<Layer>();
    memory.copy(changetype<usize>(input) + TENSOR_H, changetype<usize>(shape), 12);
    input.bytes = TENSOR_BYTES;
    input.pitch = input.w * input.c;
    input.scale = scaleOf(1, -7);
    last = input;
  }

  /** Appends a layer. */
  add(layer: Layer): Model {
    layer.previous = last;
    last.next = layer;
    last = layer;
    return this;
  }

  /** Runs the model on a frame. A frame that has just been seen is not computed again. Errors: SENSOR_SHAPE */
  infer(frame: Frame): Output {
    return infer(frame);
  }

  /** Keeps room for a weights file, which save() fills: that of the learned state, and 48 bytes for each layer with weights. */
  keep(): Model {
    weights.use();
    return this;
  }

  /** Writes what was learned until now into the room of keep(); returns its address. */
  save(): usize {
    weights.seal();
    return weights.file;
  }

  /** Bytes of the file that save() writes. */
  get savedBytes(): i32 {
    return weights.fileBytes;
  }

  /**
   * Goes on from a weights file; false when it is damaged or another model's, and nothing of it was taken. At the top level of an
   * app, before there is a state: begins with it. Errors, there: STATE_MISMATCH
   */
  load(file: usize, bytes: i32): bool {
    if (!checkpoint.state) {
      weights.give(file, bytes);
      return true;
    }
    if (weights.refusal(file, bytes) >= 0) return false;
    weights.take(file);
    restore();
    return true;
  }

  /** Training steps that the model has seen. */
  get steps(): i32 {
    return checkpoint.steps();
  }

  /** Address of the learned state, and its bytes (docs/abi.md); after `init`. */
  get state(): usize {
    return checkpoint.state;
  }

  get stateBytes(): i32 {
    return checkpoint.bytes();
  }

  /** The learned state was overwritten. Errors: STATE_MISMATCH */
  restore(): void {
    restore();
  }

  /** Outputs: classes, of a model that tells them. */
  get classes(): i32 {
    return last.size;
  }
}

/** Whether the module has a model. */
export function present(): bool {
  return input != NONE;
}

/** A trainer takes the model. */
export function train(): void {
  trained = true;
}

/** All layers with weights but the last `layers` of them keep what they have. */
export function trainLast(layers: i32): void {
  for (let layer = last; layer != input; layer = layer.previous) {
    if (!layer.learns) continue;
    layer.frozen = --layers < 0;
    if (layer.frozen) back.freeze();
    if (!layer.frozen) back.setFirst(layer);
  }
}

/** A trainer takes the model, and gets the error of its output from elsewhere. */
export function trainFromOutside(): void {
  trained = true;
  cut = true;
}

/** Lays everything out; called once, by the module's `init`. Errors: MODEL_EMPTY, LAYER_SHAPE, NEEDS_DENSE, NEEDS_FEATURES */
export function build(): void {
  if (!present()) return;
  if (last == input) fail(MODEL_EMPTY, 0, 0, 1);
  let most = 0;
  let index = 0;
  for (let layer = input.next; layer != NONE; layer = layer.next) {
    layer.index = index++;
    layer.place(layer.previous);
    checkpoint.describe(layer.kind, layer.h, layer.w, layer.c);
    most = max(most, layer.size);
  }
  if (plateau.used) plateau.place();
  if (replay.used) replay.place(entrance().size, last.size);
  checkpoint.open();
  if (plateau.used) plateau.wake();
  if (trained) {
    if (cut) {
      if (last.width) last.refuse(NEEDS_FEATURES, 0, 0);
    } else {
      if (!last.width) last.refuse(NEEDS_DENSE, 0, 0);
      work.needGradients(last.size);
    }
    back.reserve(most);
  }
  work.reserveScratch();
  wake(true);
  if (weights.used) {
    let entries = 0;
    for (let layer = input.next; layer != NONE; layer = layer.next) entries += <i32>layer.learns;
    weights.reserve(entries);
    let at = weights.file + <usize>weights.HEADER_BYTES;
    for (let layer = input.next; layer != NONE; layer = layer.next) {
      if (!layer.learns) continue;
      layer.describe(at);
      at += <usize>weights.ENTRY_BYTES;
    }
  }
  if (weights.given) {
    weights.takeGiven();
    wake(false);
  }
}

/** The host has overwritten the learned state. Errors: STATE_MISMATCH */
export function restore(): void {
  if (!present()) return;
  checkpoint.check();
  wake(false);
  fresh = -1;
}

function wake(first: bool): void {
  for (let layer = input.next; layer != NONE; layer = layer.next) layer.wake(first);
  if (replay.used) replay.wake(first);
}

export function infer(frame: Frame): Output {
  if (frame.sequence != fresh) {
    const at = changetype<usize>(frame) + offsetof<Frame>("h");
    const want = changetype<usize>(input) + TENSOR_H;
    // h, w and c are neighbours in either struct
    let i: usize = 0;
    do if (load<i32>(at + i) != load<i32>(want + i)) frame.refuse(input.size);
    while ((i += 4) < 12);
    // no copy
    input.data = frame.data;
    for (let layer = input.next; layer != NONE; layer = layer.next) layer.forward(layer.previous);
    fresh = frame.sequence;
  }
  return last;
}

/** Takes the error of the output (backward.ts) back to the first layer that learns; a layer learns when the error passes it. */
// @ts-ignore: decorator
@inline
export function backward(): void {
  for (let layer = last; back.scale != 0 || (paths.used && paths.waiting); layer = layer.previous) {
    if (paths.used) paths.meet(layer);
    if (!paths.used || back.scale) layer.backward(layer.previous);
    if (changetype<usize>(layer) == back.first) break;
  }
  if (paths.used) paths.drop();
}

/**
 * Moves the ranges towards what the last forward pass saw; `first`: finds them from that frame (Octo: calibration). What the
 * buffers hold is stale when the weights have moved too.
 */
export function adapt(first: bool): void {
  for (let layer = input.next; layer != NONE; layer = layer.next) {
    const input = layer.previous;
    if (first) layer.forward(input);
    layer.adapt(input, first);
  }
  fresh = -1;
}

/** What comes before the first layer that learns: its output is what a replay buffer keeps. */
export function entrance(): Layer {
  return changetype<Layer>(back.first).previous;
}

/** Runs the layers that learn. */
export function inferLearners(): Output {
  for (let layer = changetype<Layer>(back.first); layer != NONE; layer = layer.next)
    layer.forward(layer.previous);
  fresh = -1;
  return last;
}
