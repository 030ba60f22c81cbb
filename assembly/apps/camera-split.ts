// camera-split.ts: a camera whose last layers are in the cloud. PASS computes only the features that changed, and SGQ sends only those.
// @memory 128 KiB
import {
  Changes,
  Network,
  param,
  paramInt,
  Pass,
  PassOptions,
  policy,
  publish,
  sensor,
  split,
} from "octomote/assembly";
import { NET } from "./camera/net";

/** The layer whose output is sent: int8 [h / 8, w / 8, 32]. */
const LAYER: i32 = 3;

const options: PassOptions = {
  policy: paramInt("policy", policy.FAST),
  quality: param("quality", 0.02),
};
const net = new Network(NET);
sensor.open([net.input.h, net.input.w, net.input.c]);
const features = net.keep(LAYER);
split.prepare(1, features.h, features.w, features.c, paramInt("book", 10240));
split.skipUnchanged();
const pass = new Pass(net, options);
const changes = new Changes(features);

export function step(): void {
  const frame = sensor.frame();
  pass.infer(frame);
  changes.see();
  const changed = changes.patches(split.patchRows(), split.patchColumns());
  // what the link did not take goes with the next frame
  if (split.sendChanged(frame, features.data, changed)) changes.clear();
  publish.begin();
  split.put();
  pass.put();
  publish.end();
}

export function message(length: i32): void {
  split.receive(length, 0, 0);
}
