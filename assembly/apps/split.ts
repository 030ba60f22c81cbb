// split.ts: the first layers of a network on the device, the others in the cloud. What is sent between them takes a few dozen bytes
// a sample. With --param joint=1 the device's layers learn too, from gradients that come back.
import {
  clock,
  conv2d,
  HalfTrainer,
  maxPool,
  Model,
  param,
  paramInt,
  relu,
  sensor,
  split,
} from "octomote/assembly";

const model = new Model([28, 28, 1])
  .add(conv2d(16, 3, 1, 1))
  .add(relu())
  .add(maxPool(2));
const joint = paramInt("joint", 0) != 0;
let trainer: HalfTrainer | null = null;
if (joint) trainer = new HalfTrainer(model, { learningRate: param("lr", 0.002) });
// a device that learns has less room for codebooks, and lends what it needs only to learn
split.prepare(1, 14, 14, 16, joint ? paramInt("book", 6136) : paramInt("book", 10240), joint);

/** Milliseconds between two samples; a gradient that is late by more than `patience` is not waited for. */
const every: i64 = paramInt("every", 20);
const patience: i64 = paramInt("patience", 500);
let next: i64 = 0;
let waiting: bool = false;

export function step(): void {
  const now = clock();
  if (now < next) return;
  lend();
  const frame = sensor.frame();
  split.send(frame, model.infer(frame).data);
  split.report();
  waiting = joint && frame.hasLabel && !frame.heldOut && split.codebook() != 0;
  next = now + (waiting ? patience : every);
}

function lend(): void {
  if (trainer) split.lend(trainer!.idle, trainer!.idleBytes);
}

export function message(length: i32): void {
  lend();
  const found = split.receive(length, model.state, model.stateBytes);
  if (found == split.NEW_HALF) model.restore();
  if (found != split.NEW_GRADIENT || !waiting) return;
  waiting = false;
  next = 0;
  if (trainer) trainer!.learn(sensor.last(), split.values, split.exponent);
}
