// PASS with any network, for hosts that try networks and settings: bench, tests, replay (host/pass/runner.ts). The host
// writes the description and the options between `initialize` and `init`.
import { allocate } from "octomote/assembly/device/arena";
import { sensor } from "octomote/assembly/device/sensor";
import { counters as told } from "octomote/assembly/pass/counters";
import * as gate from "octomote/assembly/pass/gate";
import { factorOf } from "octomote/assembly/pass/learn";
import { Network } from "octomote/assembly/pass/network";
import { PassOptions } from "octomote/assembly/pass/options";
import { infer, Pass } from "octomote/assembly/pass/pass";
import { Stage } from "octomote/assembly/pass/stage";

const chosen = new PassOptions();
let net: Network = changetype<Network>(0);

/** Address of room for a description. */
export function room(bytes: i32): usize {
  return allocate(bytes);
}

/** Address of the options. */
export function options(): usize {
  return changetype<usize>(chosen);
}

/** Lays out the network that is described at an address. */
export function open(at: usize): void {
  net = new Network(at);
  sensor.open([net.input.h, net.input.w, net.input.c]);
  new Pass(net, chosen);
}

export function step(): void {
  infer(sensor.frame());
}

export function counters(): usize {
  return changetype<usize>(told);
}

/** What thresholds of patches of class k (0 … 3) are multiplied by, Q8. */
export function factor(k: i32): i32 {
  return factorOf(k);
}

export function patchMap(): usize {
  return gate.marks;
}

export function reference(): usize {
  return net.input.data;
}

function stage(index: i32): Stage {
  return index < 0 ? net.input : net.stage(index);
}

/** Address of a layer: its tensor struct, then its data. */
export function layerAt(index: i32): usize {
  return changetype<usize>(stage(index));
}

export function changedAt(index: i32): usize {
  return stage(index).changed;
}

export function planAt(index: i32): usize {
  return changetype<usize>(stage(index)) + offsetof<Stage>("recomputed");
}
