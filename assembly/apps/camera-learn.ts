// camera-learn.ts: a camera that learns to tell what its user names, on features that PASS computes only where something changed:
// {"label": 1, "frames": 20} to the device's /set says what it sees.
// @memory 128 KiB
import {
  dense,
  labels,
  log,
  maxPool,
  Model,
  Network,
  openPreview,
  param,
  paramInt,
  Pass,
  passFeatures,
  PassOptions,
  policy,
  publish,
  publishPreview,
  ReplayBuffer,
  sensor,
  Trainer,
} from "octomote/assembly";
import { NET } from "./camera/net";

/** The layer that is learned on: int8 [h / 8, w / 8, 32]; and the logit from which a cell of the last one is occupied. */
const LAYER: i32 = 3;
const OCCUPIED: i32 = 10;

const options: PassOptions = { policy: paramInt("policy", policy.FAST) };
const net = new Network(NET);
const features = net.keep(LAYER);
const model = new Model([net.input.h, net.input.w, net.input.c])
  .add(passFeatures(features))
  .add(maxPool(3))
  .add(dense(paramInt("classes", 2)));
const trainer = new Trainer(model, { learningRate: param("lr", 0.02) }).replay(
  new ReplayBuffer(paramInt("buffer", 8192), 2),
  paramInt("replays", 1),
);
const pass = new Pass(net, options);
const previewMs = paramInt("preview", 250);
openPreview();
labels.open();

export function step(): void {
  const frame = sensor.frame();
  const seen = model.infer(frame).argmax();
  const label = labels.take(frame);
  if (label >= 0) trainer.step(frame, label);
  trainer.begin(seen);
  publish.put(publish.KEPT, trainer.kept);
  publish.put(publish.LABELS_LEFT, labels.remaining());
  pass.put();
  publish.end();
  publishPreview(frame, pass.infer(frame), OCCUPIED, options.patch, previewMs);
}

export function message(length: i32): void {
  if (!labels.receive(length, model.classes))
    log.warning("a label is 4 bytes and names a class of the model");
}
