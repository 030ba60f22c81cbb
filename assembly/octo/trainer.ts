// Training in INT8, batch 1 (Octo §3): forward, softmax cross-entropy, backward with dynamic error scales and
// stochastic rounding, SGD on int16 masters. Updates are immediate. A module has one trainer, as it has one model.
import { BAD_LABEL, LAYER_SHAPE } from "../device/errors";
import { fail } from "../device/host";
import { Fixed, fixed } from "../device/param";
import { publish } from "../device/publish";
import { Frame } from "../device/sensor";
import * as int8 from "../int8/intrinsics";
import { accumulation } from "./accumulation";
import * as back from "./backward";
import * as checkpoint from "./checkpoint";
import { Output } from "./layer";
import * as learning from "./learn";
import { Optimizer } from "./learn";
import * as losses from "./losses";
import { Loss } from "./losses";
import * as network from "./model";
import { Model } from "./model";
import * as options from "./options";
import * as plateau from "./plateau";
import * as replay from "./replay-buffer";
import { ReplayBuffer } from "./replay-buffer";
import { multiply, Scale, scaleOf, times2 } from "./scale";
import * as schedules from "./schedule";
import { Schedule } from "./schedule";
import * as work from "./workspace";

/** log2(e). */
const LOG2_E: Scale = ((<i64>-30) << 32) | 1549082005;
/** 1/5. */
const FIFTH: Scale = ((<i64>-33) << 32) | 1717986918;

let learningRate: Scale = 0;
let totalSteps: i64 = 0;
let seen: i32 = 0;
let loss: i32 = 0;
let accuracy: i32 = 0;
let evaluated: i32 = 0;
/** Old samples that are learned with each new one. */
let replays: i32 = 0;
/** What learns them: by reference, so that the optimiser takes a step of a module without a buffer for one that is called once. */
let rehearsal: (label: i32) => void = changetype<(label: i32) => void>(0);

/** Options of a trainer; decimals become fixed-point constants when they are written with param() or fixed(). */
@unmanaged
export class TrainerOptions {
  /** Step size of SGD at batch 1. */
  learningRate: Fixed = fixed(0.005);
  /** If known, the rate drops to a fifth at 60 % and again at 85 % of these steps; 0: constant rate. */
  totalSteps: i32 = 0;
}

@unmanaged
export class Trainer {
  constructor(model: Model, options: TrainerOptions) {
    learningRate = scaleOf(options.learningRate, -32);
    totalSteps = options.totalSteps;
    network.train();
  }

  /** Running mean of the cross-entropy over about 128 samples, Q16, nats. */
  get loss(): i32 {
    return loss;
  }

  /** Share of right answers over about the last 256 held-out samples, Q16. */
  get accuracy(): i32 {
    return accuracy;
  }

  /** Held-out samples seen. */
  get evaluated(): i32 {
    return evaluated;
  }

  /** Weights that reached the edge of their range, and widened it. */
  get saturated(): i32 {
    return back.saturated;
  }

  /** What moves the weights instead of plain SGD: momentum(), rmsProp(). */
  optimizer(optimizer: Optimizer): Trainer {
    learning.setOptimizer(optimizer);
    return this;
  }

  /** Weights follow the mean gradient of `batch` samples, which takes 4 bytes for each; after optimizer(). */
  accumulate(batch: i32): Trainer {
    options.within(options.ACCUMULATE, batch, 1, 1 << 16);
    learning.use();
    learning.setOptimizer(accumulation(batch, learning.optimizer));
    return this;
  }

  /** Decoupled weight decay: w = w − rate·λ·w in every step. */
  weightDecay(lambda: Fixed): Trainer {
    options.within(options.WEIGHT_DECAY, <i32>(lambda >> 32), 0, 0);
    learning.setDecay(scaleOf(lambda, -32));
    return this;
  }

  /** How the learning rate goes: constant(), stepDecay(), cosine(); instead of `totalSteps`. */
  schedule(schedule: Schedule): Trainer {
    schedules.use(schedule);
    return this;
  }

  /** categoricalHinge() or meanSquaredError() instead of softmax with cross-entropy. */
  criterion(loss: Loss): Trainer {
    losses.use(loss);
    return this;
  }

  /** Stops when the mean loss of `samples` samples has not fallen by `delta` nats for `patience` such means in a row. */
  earlyStop(patience: i32, samples: i32 = 256, delta: Fixed = fixed(0.001)): Trainer {
    options.within(options.EARLY_STOP, patience, 1, i32.MAX_VALUE);
    options.within(options.EARLY_STOP, samples, 1, i32.MAX_VALUE);
    plateau.use(samples, patience, <i32>(delta >> 16));
    return this;
  }

  /** Whether training has stopped early; held-out frames are evaluated all the same. */
  get stopped(): bool {
    return plateau.used && plateau.stopped();
  }

  /** Only the last `layers` layers with weights learn: the error goes no further. */
  trainLast(layers: i32): Trainer {
    options.within(options.TRAIN_LAST, layers, 1, i32.MAX_VALUE);
    network.trainLast(layers);
    return this;
  }

  /**
   * Trains the outputs towards values: int8, one unit is 1/128, as many as there are outputs; without any, towards the frame
   * itself, as an autoencoder. Needs meanSquaredError(). Errors: LAYER_SHAPE when the frame is smaller than the output.
   */
  fit(frame: Frame, target: usize = 0): void {
    learn(frame, 0, target);
  }

  /** Loss of a frame, Q16, without learning from it: of an autoencoder, how strange it is. */
  score(frame: Frame, target: usize = 0): i32 {
    return errorOf(network.infer(frame), 0, target ? target : frame.data);
  }

  /**
   * Learns `samples` old samples of the buffer, of other classes, with each new one, which is then offered to the buffer. Each counts
   * as a step; as many as there are other classes learns all alike. After trainLast(). Costs a pass of the layers that learn more than the steps.
   */
  replay(buffer: ReplayBuffer, samples: i32 = 1): Trainer {
    replays = samples;
    rehearsal = rehearse;
    return this;
  }

  /** How unsure the model is: −ln p of the class that it holds likeliest, Q16, nats. Needs no label. */
  doubt(seen: Output): i32 {
    return crossEntropy(seen, seen.size, seen.argmax());
  }

  /** Trains on a labelled frame; a held-out one is only evaluated. Errors: BAD_LABEL. */
  step(frame: Frame, label: i32): void {
    step(frame, label);
  }

  /** Counts whether the model knows a frame that it does not learn from. */
  evaluate(frame: Frame, label: i32): void {
    evaluate(network.infer(frame), label);
  }

  /** Old samples in the replay buffer. */
  get kept(): i32 {
    return replay.used ? replay.kept() : 0;
  }

  /** Publishes what there is to know: class seen, loss, accuracy, steps, saturated weights. */
  report(seen: i32): void {
    this.begin(seen);
    publish.end();
  }

  /** As report(), for an app that adds values of its own, and ends the record. */
  begin(seen: i32): void {
    publish.begin();
    publish.put(publish.CLASS, seen);
    publish.put(publish.LOSS, loss);
    publish.put(publish.ACCURACY, accuracy);
    publish.put(publish.STEPS, checkpoint.steps());
    publish.put(publish.EVALUATED, evaluated);
    publish.put(publish.SATURATED, back.saturated);
  }
}

export function step(frame: Frame, label: i32): void {
  learn(frame, label, 0);
}

function learn(frame: Frame, label: i32, target: usize): void {
  const logits = network.infer(frame);
  const classes = logits.size;
  if (<u32>label >= <u32>classes) fail(BAD_LABEL, 0, label, classes);
  if (frame.heldOut) return evaluate(logits, label);
  if (plateau.used && plateau.stopped()) return;
  if (losses.used && !target) {
    if (frame.size < classes) network.last.refuse(LAYER_SHAPE, classes, frame.size);
    target = frame.data;
  }
  if (replay.used) rehearsal(label);
  descend(logits, label, target, true);
  if (replay.used) replay.offer(network.entrance().data, label);
}

// @ts-ignore: decorator
@inline
/** A step on what the layers hold; `fresh`: its loss counts. */
function descend(logits: Output, label: i32, target: usize, fresh: bool): void {
  const steps = checkpoint.steps();
  network.adapt(!steps);
  const error = errorOf(logits, label, target);
  if (fresh) {
    loss = mean(loss, error, ++seen, 128);
    if (plateau.used) plateau.see(error);
  }
  back.setRate(rateAt(steps));
  network.backward();
  checkpoint.setSteps(steps + 1);
}

/** Steps on old samples, before that on the new one, of class `fresh`: afterwards the layers hold the new one again. */
function rehearse(fresh: i32): void {
  // without a step there is no range yet; what a buffer may hold then is not of this model
  if (!replays || !checkpoint.steps()) return;
  const entrance = network.entrance();
  const frame = entrance.data;
  for (let i = 0; i < replays; ++i) {
    const label = replay.recall(fresh);
    if (label < 0) break;
    entrance.data = replay.unpacked;
    descend(network.inferLearners(), label, 0, false);
  }
  entrance.data = frame;
  network.inferLearners();
}

/** Makes the error of the outputs, ready to travel back, by softmax cross-entropy or what was chosen; returns the loss, Q16. */
export function errorOf(logits: Output, label: i32, target: usize = 0): i32 {
  const classes = logits.size;
  if (losses.used) {
    const loss = losses.errorsOf(logits, label, target);
    back.setScale(losses.chosen.unit);
    back.quantise(classes, back.LOSS_DRAWS);
    return loss;
  }
  const loss = crossEntropy(logits, classes, label);
  back.setScale(scaleOf(1, -16));
  back.quantise(classes, back.LOSS_DRAWS);
  return loss;
}

/** Softmax cross-entropy, Q16; leaves the error in Q16 in the workspace. */
function crossEntropy(logits: Output, classes: i32, label: i32): i32 {
  // logits in Q16, base 2
  work.fill(work.QUANT, multiply(times2(LOG2_E, 16), logits.scale), 0, work.NEAREST);
  return int8.softmaxCrossEntropy(work.QUANT, logits.data, classes, label, work.gradients);
}

function evaluate(logits: Output, label: i32): void {
  accuracy = mean(accuracy, logits.argmax() == label ? 65536 : 0, ++evaluated, 256);
}

/** Mean of `n` values, the last of which is new; of about the last `most` when there were more. */
function mean(before: i32, value: i32, n: i32, most: i32): i32 {
  return before + (value - before) / min(n, most);
}

/** Learning rate of a step: ×0.2 at 60 % and at 85 % of totalSteps. */
function rateAt(step: i64): Scale {
  if (schedules.used) return schedules.chosen.at(step, learningRate);
  let rate = learningRate;
  if (totalSteps) {
    const twentieths = (step * 20) / totalSteps;
    if (twentieths >= 12) rate = multiply(rate, FIFTH);
    if (twentieths >= 17) rate = multiply(rate, FIFTH);
  }
  return rate;
}
