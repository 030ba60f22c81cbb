// The app `personalise` with a net that fits every board with its kernels inside: tests/bitexact/personalise.test.ts runs it.
import {
  conv2d,
  dense,
  Drift,
  labels,
  maxPool,
  Model,
  param,
  paramInt,
  personal,
  relu,
  ReplayBuffer,
  Trainer,
} from "octomote/assembly";

const model = new Model([28, 28, 1])
  .add(conv2d(4, 5, 3))
  .add(relu())
  .add(maxPool(2))
  .add(conv2d(8, 3, 1, 1))
  .add(relu())
  .add(dense(10));
const trainer = new Trainer(model, { learningRate: param("lr", 0.02) })
  .trainLast(paramInt("last", 1))
  .replay(new ReplayBuffer(paramInt("buffer", 1024), paramInt("bits", 4)), paramInt("replays", 2));
const drift = new Drift();
labels.open();

export function step(): void {
  personal.live(model, trainer, drift);
}

export function message(length: i32): void {
  personal.told(model, length);
}
