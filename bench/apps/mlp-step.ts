// mlp-step.ts: a training step of the perceptron 64-32-10 that other trainers are measured with.
import { dense, fixed, Model, relu, sensor, Trainer } from "octomote/assembly";
import { draw, drawKey } from "octomote/assembly/int8/rng";

const model = new Model([1, 1, 64]).add(dense(32)).add(relu()).add(dense(10));
const trainer = new Trainer(model, { learningRate: fixed(0.005), totalSteps: 0 });

export function step(): void {}

function train(sequence: i32): void {
  const frame = sensor.last();
  frame.sequence = sequence;
  frame.label = sequence % 10;
  trainer.step(frame, frame.label);
}

export function benchCount(): i32 {
  const frame = sensor.last();
  const key = drawKey(1, 0, 0);
  for (let i = 0; i < 64; ++i) store<i8>(frame.data + <usize>i, draw(key, i) >> 9);
  for (let i = 0; i < 3; ++i) train(i);
  return 2;
}

/** 0 nothing, 1 a step. */
export function bench(region: i32): void {
  if (region) train(3);
}
