// personalise.ts: knows ten classes of 28×28 images, or some of them, and learns what its user shows it without forgetting the rest.
// Labels come from the sensor or over MQTT: {"label": 8, "frames": 20} to the device's /set.
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
  .add(conv2d(8, 5))
  .add(relu())
  .add(maxPool(2))
  .add(conv2d(16, 5))
  .add(relu())
  .add(maxPool(2))
  .add(dense(10));
// the backbone stays, its head learns; lr and last (layers that learn) are for those who train a backbone
const trainer = new Trainer(model, { learningRate: param("lr", 0.0005), totalSteps: paramInt("steps", 0) })
  .trainLast(paramInt("last", 1))
  .replay(new ReplayBuffer(paramInt("buffer", 16384), paramInt("bits", 2)), paramInt("replays", 9));
const drift = new Drift(param("lambda", 20), param("delta", 0.1));
labels.open();

export function step(): void {
  personal.live(model, trainer, drift);
}

export function message(length: i32): void {
  personal.told(model, length);
}
