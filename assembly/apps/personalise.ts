// personalise.ts: knows ten classes of 28×28 images, or some of them, and learns what its user shows it without forgetting the rest.
// Labels come from the sensor or over MQTT: {"label": 8, "frames": 20} to the device's /set.
import {
  conv2d,
  dense,
  Drift,
  labels,
  log,
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
  .add(conv2d(8, 5))
  .add(relu())
  .add(maxPool(2))
  .add(conv2d(16, 5))
  .add(relu())
  .add(maxPool(2))
  .add(dense(10));
// the backbone stays, its head learns; lr and last (layers that learn) are for those who train a backbone
const trainer = new Trainer(model, { learningRate: param("lr", 0.001), totalSteps: paramInt("steps", 0) })
  .trainLast(paramInt("last", 1))
  .replay(new ReplayBuffer(paramInt("buffer", 16384)), paramInt("replays", 4));
const drift = new Drift(param("lambda", 20), param("delta", 0.1));
labels.open();

export function step(): void {
  const frame = sensor.frame();
  const seen = model.infer(frame);
  const best = seen.argmax();
  const doubt = trainer.doubt(seen);
  const label = labels.take(frame);
  if (label >= 0) {
    trainer.step(frame, label);
    if (!frame.heldOut) drift.reset(); // the model has changed: its doubts start over
  } else {
    drift.see(doubt);
  }
  trainer.begin(best);
  publish.put(publish.DUE, drift.due ? 1 : 0);
  publish.put(publish.DOUBT, <i32>drift.mean);
  publish.put(publish.KEPT, trainer.kept);
  publish.put(publish.LABELS_LEFT, labels.remaining());
  publish.end();
}

export function message(length: i32): void {
  if (!labels.receive(length, model.classes))
    log.warning("a label is 4 bytes and names a class of the model");
}
