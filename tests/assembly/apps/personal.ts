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
  publish,
  relu,
  ReplayBuffer,
  sensor,
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
  const frame = sensor.frame();
  const seen = model.infer(frame);
  const best = seen.argmax();
  const doubt = trainer.doubt(seen);
  const label = labels.take(frame);
  if (label >= 0) trainer.step(frame, label);
  else drift.see(doubt);
  trainer.begin(best);
  publish.put(publish.KEPT, trainer.kept);
  publish.end();
}

export function message(length: i32): void {
  labels.receive(length, model.classes);
}
