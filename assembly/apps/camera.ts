// camera.ts: tells in which cells of 8×8 pixels something is, and computes only what changed since the frame before.
import {
  Network,
  openPreview,
  param,
  paramInt,
  Pass,
  PassOptions,
  policy,
  publish,
  publishPreview,
  sensor,
} from "octomote/assembly";
import { NET } from "./camera/net";

/** A cell is occupied from this logit on: 1 in tenths, since an occupied cell weighed four times an empty one in training. */
const OCCUPIED: i32 = 10;

const options: PassOptions = {
  policy: paramInt("policy", policy.FAST),
  quality: param("quality", 0.02),
};
const net = new Network(NET);
sensor.open([net.input.h, net.input.w, net.input.c]);
const pass = new Pass(net, options);
const previewMs = paramInt("preview", 250);
openPreview();

export function step(): void {
  const frame = sensor.frame();
  const seen = pass.infer(frame); // int8 [h / 8, w / 8, 1]: a logit for each cell
  let occupied = 0;
  for (let i = 0; i < seen.size; ++i) if (<i32>load<i8>(seen.data + <usize>i) > OCCUPIED) ++occupied;
  publish.begin();
  publish.put(publish.OCCUPIED, occupied);
  pass.put();
  publish.end();
  publishPreview(frame, seen, OCCUPIED, options.patch, previewMs);
}
