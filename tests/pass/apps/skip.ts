// skip.ts: the camera's network on small frames, whose features an Sgq sends without what PASS did not compute again: few enough bytes for
// a Cortex-M4 with 128 KB. A message is a codebook, up to two of them; the state holds the last frame.
import { Changes, Network, Pass, PassOptions, policy, publish, sensor, Sgq } from "octomote/assembly";
import { NET } from "octomote/assembly/apps/camera/net";
import { allocate } from "octomote/assembly/device/arena";
import { setInbox } from "octomote/assembly/device/config";

const LAYER: i32 = 3;
const BOOK_BYTES: i32 = 2048;
const PART: i32 = 512;

// a network of convolutions takes frames of any size
store<i32>(NET, 24, 12);
store<i32>(NET, 32, 16);
const options: PassOptions = { policy: policy.FAST };
const net = new Network(NET);
sensor.open([net.input.h, net.input.w, net.input.c]);
const features = net.keep(LAYER);
const sgq = new Sgq(1, features.h, features.w, features.c, BOOK_BYTES, 32, 512);
const inbox = allocate(PART);
setInbox(inbox, PART);
const pass = new Pass(net, options);
const changes = new Changes(features);
let arrived: i32 = 0;

export function step(): void {
  const frame = sensor.frame();
  pass.infer(frame);
  changes.see();
  const length = sgq.encodeChanged(features.data, changes.patches(1, 1), frame.sequence);
  if (publish.features(sgq.frame, length)) changes.clear();
}

/** A part of a codebook: all of them are full but the last. */
export function message(length: i32): void {
  memory.copy(sgq.book + <usize>arrived, inbox, length);
  arrived += length;
  if (length < PART && sgq.open(arrived)) unreachable();
}
