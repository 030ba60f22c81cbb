// A sequential model: layers in a row, laid out in the arena when the module starts.
import { allocate } from "../device/arena";
import { seed, setState } from "../device/config";
import { MODEL_EMPTY, SENSOR_SHAPE, STATE_MISMATCH } from "../device/errors";
import { fail } from "../device/host";
import { Frame, sensor } from "../device/sensor";
import { fin } from "../int8/rng";
import { CONV2D, DENSE, INPUT, Layer, tensorOf } from "./layer";
import { Conv2d } from "./conv2d";
import { Trainer } from "./trainer";
import * as work from "./workspace";

/** Checkpoint header (docs/abi.md, "Learned state"). */
const HEADER_BYTES: i32 = 32;
const MAGIC: u32 = 0x504b434f;
const VERSION: u32 = 1;

/** What a model saw: its last layer's output. */
export class Output {
  /** int32 logits if the last layer has weights, else int8; [h, w, c]. */
  data: usize = 0;
  size: i32 = 0;
  wide: bool = false;

  /** Index of the largest element, the first of equals. */
  argmax(): i32 {
    let best = 0;
    for (let i = 1; i < this.size; ++i) if (this.at(i) > this.at(best)) best = i;
    return best;
  }

  /** Element i in NHWC order. */
  at(i: i32): i32 {
    return this.wide ? load<i32>(this.data + ((<usize>i) << 2)) : <i32>load<i8>(this.data + <usize>i);
  }
}

/** The place where the sensor's frame enters: int8, zero point 0, one unit is 1/128. */
class Input extends Layer {
  infer(input: Layer): void {}

  reserve(state: usize, input: Layer): void {
    this.tensor = tensorOf(this.h, this.w, this.c);
    this.scale.set(1, -7);
  }

  forward(input: Layer): void {}

  backward(input: Layer, trainer: Trainer): void {}
}

/** The module's model, if it has one: the ABI's exports work on it. */
export let current: Model | null = null;

export class Model {
  private input: Layer = new Input(INPUT);
  last: Layer = this.input;
  readonly output: Output = new Output();
  trainer: Trainer | null = null;
  /** Learned state: header, then each layer's. */
  private state: usize = 0;
  private bytes: i32 = 0;
  private structure: u32 = 0;
  /** Sequence number of the frame whose forward pass the buffers hold. */
  private fresh: i32 = -1;

  /** @param shape of the input, [h, w, c] */
  constructor(shape: StaticArray<i32>) {
    this.input.index = -1;
    this.input.next = this.input;
    this.input.h = shape[0];
    this.input.w = shape[1];
    this.input.c = shape[2];
    sensor.open(shape[0], shape[1], shape[2]);
    current = this;
  }

  /** Appends a layer; a shape that does not fit is an error that names the layer. */
  add(layer: Layer): Model {
    const previous = this.last;
    layer.index = previous.index + 1;
    layer.previous = previous;
    layer.next = this.input;
    previous.next = layer;
    layer.passesError = previous.passesError || previous.kind == CONV2D || previous.kind == DENSE;
    layer.infer(previous);
    this.structure = fin(this.structure ^ fin(layer.kind ^ fin(layer.h ^ fin(layer.w ^ fin(layer.c)))));
    this.last = layer;
    return this;
  }

  /** Lays everything out; called once, by the module's `init`. */
  build(): void {
    const last = this.last;
    if (last == this.input) fail(MODEL_EMPTY, 0, 0, 1);
    const wide = last.kind == CONV2D || last.kind == DENSE;
    if (wide) changetype<Conv2d>(last).logits = true;

    let bytes = HEADER_BYTES;
    for (let layer = this.input.next; layer != this.input; layer = layer.next)
      bytes += (layer.stateBytes() + 7) & ~7;
    const state = allocate(bytes);
    this.state = state;
    this.bytes = bytes;
    store<u32>(state, MAGIC);
    store<u32>(state, VERSION, 4);
    store<i32>(state, bytes, 8);
    store<u32>(state, this.structure, 12);
    store<u32>(state, seed(), 20);
    setState(state, bytes);

    this.input.reserve(0, this.input);
    let at = state + HEADER_BYTES;
    let most = 0;
    for (let layer = this.input.next; layer != this.input; layer = layer.next) {
      const input = layer.previous;
      layer.reserve(at, input);
      at += (layer.stateBytes() + 7) & ~7;
      if (input.index >= 0) most = max(most, input.size);
    }
    const trainer = this.trainer;
    if (trainer) trainer.reserve(max(most, last.size));
    work.reserve();
    for (let layer = this.input.next; layer != this.input; layer = layer.next) layer.initialise(seed());
    this.output.data = last.y;
    this.output.size = last.size;
    this.output.wide = wide;
  }

  /** Rebuilds what is derived from the learned state; a state of another model is an error. */
  restore(): void {
    const state = this.state;
    if (load<u32>(state) != MAGIC || load<u32>(state, 4) != VERSION)
      fail(STATE_MISMATCH, 0, load<i32>(state), MAGIC);
    if (load<i32>(state, 8) != this.bytes) fail(STATE_MISMATCH, 1, load<i32>(state, 8), this.bytes);
    if (load<u32>(state, 12) != this.structure) fail(STATE_MISMATCH, 2, load<i32>(state, 12), this.structure);
    for (let layer = this.input.next; layer != this.input; layer = layer.next) layer.restore();
    this.fresh = -1;
  }

  /** Training steps that the learned state has seen. */
  get steps(): i32 {
    return load<i32>(this.state, 16);
  }

  set steps(value: i32) {
    store<i32>(this.state, value, 16);
  }

  /** Seed of the training's draws: travels with the learned state. */
  get seed(): u32 {
    return load<u32>(this.state, 20);
  }

  /** Runs the model on a frame. A frame that has just been seen is not computed again. */
  infer(frame: Frame): Output {
    if (frame.sequence != this.fresh) {
      this.take(frame);
      for (let layer = this.input.next; layer != this.input; layer = layer.next)
        layer.forward(layer.previous);
      this.fresh = frame.sequence;
    }
    return this.output;
  }

  /** Points the input at the frame: no copy. */
  private take(frame: Frame): void {
    const input = this.input;
    if (frame.h != input.h || frame.w != input.w || frame.c != input.c) {
      fail(SENSOR_SHAPE, 0, frame.h * frame.w * frame.c, input.size);
    }
    input.y = frame.data;
  }

  /** Finds all ranges from one frame (Octo: calibration). */
  calibrate(frame: Frame): void {
    this.take(frame);
    for (let layer = this.input.next; layer != this.input; layer = layer.next) {
      layer.forward(layer.previous);
      layer.adapt(layer.previous, true);
    }
  }

  /** Moves the ranges towards what the last forward pass saw; its buffers are stale from here on. */
  adapt(): void {
    for (let layer = this.input.next; layer != this.input; layer = layer.next)
      layer.adapt(layer.previous, false);
    this.fresh = -1;
  }

  /** Digest of the output, for the self-test. */
  digest(h: u32): u32 {
    for (let i = 0; i < this.output.size; ++i) h = fin(h ^ this.output.at(i));
    return h;
  }

  /** Digest of the learned state, for the self-test. */
  stateDigest(h: u32): u32 {
    for (let i = 0; i < this.bytes; i += 4) h = fin(h ^ load<u32>(this.state + <usize>i));
    return h;
  }
}
