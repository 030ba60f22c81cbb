// Training in INT8, batch 1 (Octo §3): forward, softmax cross-entropy, backward with dynamic error scales and
// stochastic rounding, SGD on int16 masters. Updates are immediate.
import { allocate } from "../device/arena";
import { BAD_LABEL, NEEDS_DENSE } from "../device/errors";
import { fail } from "../device/host";
import { Fixed, fixed } from "../device/param";
import { publish } from "../device/publish";
import { Frame } from "../device/sensor";
import * as int8 from "../int8/intrinsics";
import { drawKey } from "../int8/rng";
import { Model } from "./model";
import { Scale } from "./scale";
import * as work from "./workspace";

/** A tensor's draws: layer index << 2 | purpose (DESIGN §2, tensor id). */
export const INITIAL_DRAWS: i32 = 0;
export const UPDATE_DRAWS: i32 = 1;
export const BIAS_DRAWS: i32 = 2;
export const ERROR_DRAWS: i32 = 3;
/** Draws of the loss's error: an id that no layer has. */
const LOSS_DRAWS: i32 = -1;

/** log2(e) in Q30. */
const LOG2_E: u64 = 1549082005;

/** Options of a trainer; decimals become fixed-point constants when they are written with param() or fixed(). */
export class TrainerOptions {
  /** Step size of SGD at batch 1. */
  learningRate: Fixed = fixed(0.005);
  /** If known, the rate drops to a fifth at 60 % and again at 85 % of these steps; 0: constant rate. */
  totalSteps: i32 = 0;
}

export class Trainer {
  /** Running mean of the cross-entropy over about 128 samples, Q16, nats. */
  loss: i32 = 0;
  /** Share of right answers over about the last 256 held-out samples, Q16. */
  accuracy: i32 = 0;
  /** Held-out samples seen. */
  evaluated: i32 = 0;
  /** Weights that reached the edge of their range, and widened it. */
  saturated: i32 = 0;

  /** The error on its way back: int8 data, what one unit is worth, and the buffer that is free. */
  error: usize = 0;
  spare: usize = 0;
  scale: Scale = changetype<Scale>(allocate(8));
  rate: Scale = changetype<Scale>(allocate(8));
  stepFactor: Scale = changetype<Scale>(allocate(8));
  private ratio: Scale = changetype<Scale>(allocate(8));
  private seen: i32 = 0;
  private dead: bool = false;

  constructor(
    private model: Model,
    private options: TrainerOptions,
  ) {
    model.trainer = this;
  }

  /** Two buffers for errors of `elements` int8; called when the model is laid out. */
  reserve(elements: i32): void {
    if (!this.model.last.stateBytes())
      fail(NEEDS_DENSE, (this.model.last.index << 8) | this.model.last.kind, 0, 0);
    work.needGradients(this.model.last.size);
    this.error = allocate(elements);
    this.spare = allocate(elements);
  }

  /** Key of a tensor's draws at this step. */
  key(tensor: i32): u32 {
    return drawKey(this.model.seed, this.model.steps, tensor);
  }

  /** The error has moved to the other buffer. */
  swap(): void {
    const error = this.error;
    this.error = this.spare;
    this.spare = error;
  }

  /**
   * Backward quantisation: int32 errors, one unit worth `scale`, become int8 with the largest at ±127, rounded
   * stochastically so that they stay unbiased (Octo §3.3).
   */
  quantiseError(errors: usize, n: i32, tensor: i32): void {
    const most = int8.absMaxS32(errors, n);
    this.dead = !most;
    if (!most) return;
    const ratio = this.ratio.set(127, 0).divide(work.factor.set(most, 0));
    this.scale.divide(ratio);
    work.fill(work.quant, ratio, -127, 127, this.key(tensor));
    int8.requantize(work.quant, errors, n, 0, this.spare);
    this.swap();
  }

  /** Trains on a labelled frame; a held-out one is only evaluated. Errors: BAD_LABEL. */
  step(frame: Frame, label: i32): void {
    const model = this.model;
    const classes = model.last.size;
    if (<u32>label >= <u32>classes) fail(BAD_LABEL, 0, label, classes);
    if (frame.heldOut) return this.evaluate(frame, label);
    const steps = model.steps;
    if (!steps) model.calibrate(frame);
    else model.infer(frame);

    const logits = model.last;
    this.scale.set(1, -16);
    // logits in Q16, base 2
    work.requantiseBy(work.factor.set(LOG2_E, -30 + 16).multiply(logits.scale), 0, 0);
    const loss = int8.softmaxCrossEntropy(work.quant, logits.y, classes, label, work.gradients);
    this.loss += (loss - this.loss) / min(++this.seen, 128);
    this.schedule(steps);
    this.quantiseError(work.gradients, classes, LOSS_DRAWS);
    for (let layer = logits; !this.dead; layer = layer.previous) {
      layer.backward(layer.previous, this);
      if (!layer.passesError) break;
    }
    model.adapt();
    model.steps = steps + 1;
  }

  /** Counts whether the model knows a frame that it does not learn from. */
  evaluate(frame: Frame, label: i32): void {
    const right = this.model.infer(frame).argmax() == label ? 65536 : 0;
    this.accuracy += (right - this.accuracy) / min(++this.evaluated, 256);
  }

  /** Learning rate of a step: ×0.2 at 60 % and at 85 % of totalSteps. */
  private schedule(step: i32): void {
    this.rate.set(this.options.learningRate, -32);
    const total = <i64>this.options.totalSteps;
    if (!total) return;
    if (<i64>step * 100 >= total * 60) this.rate.multiply(work.factor.set(858993459, -32));
    if (<i64>step * 100 >= total * 85) this.rate.multiply(work.factor.set(858993459, -32));
  }

  /** Publishes what there is to know: class seen, loss, accuracy, steps, saturated weights. */
  report(seen: i32): void {
    publish.begin();
    publish.put(publish.CLASS, seen);
    publish.put(publish.LOSS, this.loss);
    publish.put(publish.ACCURACY, this.accuracy);
    publish.put(publish.STEPS, this.model.steps);
    publish.put(publish.EVALUATED, this.evaluated);
    publish.put(publish.SATURATED, this.saturated);
    publish.end();
  }
}
