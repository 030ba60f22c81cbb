// head.ts: a head that learns on the camera's features of small frames: few enough bytes for a Cortex-M4 with 128 KB.
import {
  dense,
  labels,
  Model,
  Network,
  Pass,
  passFeatures,
  PassOptions,
  policy,
  sensor,
  Trainer,
} from "octomote/assembly";
import { NET } from "octomote/assembly/apps/camera/net";

// a network of convolutions takes frames of any size
store<i32>(NET, 24, 12);
store<i32>(NET, 32, 16);
const options: PassOptions = { policy: policy.FAST };
const net = new Network(NET);
const features = net.keep(3);
const model = new Model([net.input.h, net.input.w, net.input.c]).add(passFeatures(features)).add(dense(2));
const trainer = new Trainer(model, { learningRate: 0x5000000 });
const pass = new Pass(net, options);
labels.open();

export function step(): void {
  const frame = sensor.frame();
  const seen = model.infer(frame).argmax();
  const label = labels.take(frame);
  if (label >= 0) trainer.step(frame, label);
  trainer.report(seen);
  pass.infer(frame);
}

export function message(length: i32): void {
  labels.receive(length, model.classes);
}
