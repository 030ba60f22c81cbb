// digest.ts: the camera's network under any policy, as the test of equal bits drives it: the state holds a digest of every output,
// every mark and every counter so far.
import { Network, Pass, PassOptions, paramInt, policy, sensor } from "octomote/assembly";
import { NET } from "octomote/assembly/apps/camera/net";
import { allocate } from "octomote/assembly/device/arena";
import { setState } from "octomote/assembly/device/config";
import { fin } from "octomote/assembly/int8/rng";
import { Counters } from "octomote/assembly/pass/counters";

const options: PassOptions = { policy: paramInt("policy", policy.FAST), refresh: 16 };
const net = new Network(NET);
sensor.open([net.input.h, net.input.w, net.input.c]);
const pass = new Pass(net, options);

/** Digest; frames; dense frames; audits: the last three say that there was something to digest. */
const state = allocate(16);
setState(state, 16);

function join(at: usize, bytes: i32): void {
  let digest = load<u32>(state);
  for (let i = 0; i < bytes; ++i) digest = fin(digest ^ <u32>load<u8>(at + <usize>i) ^ (<u32>i << 8));
  store<u32>(state, digest);
}

export function step(): void {
  const seen = pass.infer(sensor.frame());
  const counters = pass.counters;
  join(seen.data, seen.size);
  join(seen.changed, seen.mapBytes);
  join(changetype<usize>(counters), offsetof<Counters>());
  for (let i = 0; i < counters.patches; ++i) store<u32>(state, fin(load<u32>(state) ^ pass.patch(i)));
  store<i32>(state, counters.frames, 4);
  store<i32>(state, counters.denseFrames, 8);
  store<i32>(state, counters.audits, 12);
}
