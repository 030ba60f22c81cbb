// decimals.ts: calls everything that takes a decimal, several times, so that a test can look for floats in what comes out.
import { fixed, param, paramInt, Fixed, dense, Model, Trainer, TrainerOptions, publish, sensor } from "octomote/assembly";

const NAMED: Fixed = fixed(0.1);
const low: Fixed = param("low", -1.5);
const high: Fixed = param("high", 2147483647.25);
const lr: Fixed = param("lr", 0.005);
const count: i32 = paramInt("count", 3);
const values: StaticArray<i64> = [
  fixed(0), fixed(1), fixed(-1), fixed(0.5), fixed(-0.25), fixed(1e-9), fixed(-2147483648.0), fixed(0.3333333333333333), NAMED,
];

const model = new Model([1, 1, 4]).add(dense(3)).add(dense(2));
const options: TrainerOptions = { learningRate: fixed(0.001), totalSteps: 10 };
const trainer = new Trainer(model, options);
const other: TrainerOptions = { learningRate: param("rate", 0.2) };

/** Every constant by its index, as it came out of the compiler. */
export function valueAt(i: i32): i64 {
  if (i == values.length) return low;
  if (i == values.length + 1) return high;
  if (i == values.length + 2) return lr + fixed(0.75);
  if (i == values.length + 3) return other.learningRate;
  return values[i];
}

export function step(): void {
  const frame = sensor.frame();
  const seen = model.infer(frame);
  if (frame.hasLabel) trainer.step(frame, frame.label);
  publish.state(seen.argmax() + count, trainer.loss);
}
