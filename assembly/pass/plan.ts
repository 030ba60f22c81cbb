// Lays a network out in the arena: which outputs are cached, which are computed again where they are needed, and what
// either way costs.
import { allocate, used } from "../device/arena";
import { memoryLimit } from "../device/config";
import { NET_TOO_LARGE } from "../device/errors";
import { fail } from "../device/host";
import { scratchNeed } from "../int8/structs";
import * as execute from "./execute";
import * as rectangles from "./rectangles";
import { Network } from "./network";
import { NONE, Stage } from "./stage";

/** Rows of the widest stage that are computed before they are compared. */
const FRESH_ROWS: i32 = 4;
/** Rows of output that one band of a recomputed stage serves. */
const BAND_OUTPUTS: i32 = 4;

function room(bytes: i32): i32 {
  return (bytes + 15) & ~15;
}

/** Rows of a stage that BAND_OUTPUTS rows of the next one see. */
function bandRows(next: Stage): i32 {
  return min((BAND_OUTPUTS - 1) * next.strideH + next.reachH, next.previous.h);
}

/** Whether a row of the stage always sees a row of the one before. */
function sees(stage: Stage): bool {
  return stage.padTop < stage.reachH && stage.padBottom < stage.reachH;
}

/** Whether the stage can be recomputed: there is one behind it, and no row of either sees padding alone. */
function canRecompute(stage: Stage): bool {
  return stage.next != NONE && sees(stage) && sees(stage.next);
}

/** Whether it may: only one of two neighbours. */
function mayRecompute(stage: Stage): bool {
  return canRecompute(stage) && !stage.previous.recomputed && !stage.next.recomputed;
}

/** Both costs of every stage. */
function price(net: Network): void {
  for (let stage = net.input.next; stage != NONE; stage = stage.next) {
    stage.cacheBytes = stage.size;
    stage.macs = stage.h * stage.w * stage.cost;
    if (!canRecompute(stage)) continue;
    const next = stage.next;
    stage.bandBytes = bandRows(next) * stage.pitch;
    // each band of BAND_OUTPUTS rows overlaps the one before
    const overlap = max(next.reachH - next.strideH, 0) * ((next.h - 1) / BAND_OUTPUTS);
    stage.extraMacs = overlap * stage.w * stage.cost;
  }
}

/** Bytes that the plan takes. */
function bytes(net: Network): i32 {
  let sum = room(net.input.size);
  let pitch = 0;
  let band = 0;
  let scratch = 0;
  let words = (net.input.w + 31) >> 5;
  for (let stage = net.input; stage != NONE; stage = stage.next) {
    words = max(words, (stage.w + 31) >> 5);
    const map = room((stage.h * ((stage.w + 31) >> 5)) << 2);
    sum += map;
    if (stage == net.input) continue;
    sum += map + room(stage.h * stage.w);
    pitch = max(pitch, stage.pitch);
    scratch = max(scratch, kernelBytes(stage));
    if (stage.recomputed) band = max(band, stage.bandBytes);
    else sum += room(stage.cacheBytes);
  }
  const lists = room(words << 2) * 2 + room((words << 4) * 12) * 2;
  return sum + room(FRESH_ROWS * pitch) + room(band) + room(scratch) + lists;
}

function kernelBytes(stage: Stage): i32 {
  return <i32>scratchNeed(stage.kernelH * stage.kernelW * (stage.previous.c / stage.groups));
}

/**
 * Decides and allocates. Everything is cached if it fits; else stages are recomputed, first those that save most bytes per
 * multiply-accumulate that comes back. Errors: NET_TOO_LARGE
 */
export function layOut(net: Network): void {
  price(net);
  for (let stage = net.input.next; stage != NONE; stage = stage.next) {
    if (stage.store == 2 && mayRecompute(stage)) stage.recomputed = 1;
  }
  const limit = <i64>memoryLimit() - <i64>used();
  let need = bytes(net);
  while (<i64>need > limit) {
    let best = NONE;
    for (let stage = net.input.next; stage != NONE; stage = stage.next) {
      if (stage.recomputed || stage.store == 1 || !mayRecompute(stage)) continue;
      if (stage.cacheBytes <= stage.bandBytes) continue;
      if (best == NONE || worth(stage, best)) best = stage;
    }
    if (best == NONE) fail(NET_TOO_LARGE, 0, need + <i32>used(), memoryLimit());
    best.recomputed = 1;
    need = bytes(net);
  }
  allocateAll(net);
}

/** Whether recomputing a saves more bytes per multiply-accumulate than recomputing b. */
function worth(a: Stage, b: Stage): bool {
  return (
    <i64>(a.cacheBytes - a.bandBytes) * (b.macs + b.extraMacs) >
    <i64>(b.cacheBytes - b.bandBytes) * (a.macs + a.extraMacs)
  );
}

function allocateAll(net: Network): void {
  let pitch = 0;
  let band = 0;
  let scratch = 0;
  let words = 0;
  for (let stage = net.input; stage != NONE; stage = stage.next) {
    stage.map();
    words = max(words, stage.words);
    if (!stage.recomputed) stage.data = allocate(stage.size);
    if (stage == net.input) continue;
    pitch = max(pitch, stage.pitch);
    scratch = max(scratch, kernelBytes(stage));
    if (stage.recomputed) band = max(band, stage.bandBytes);
  }
  execute.reserve(scratch, FRESH_ROWS * pitch, band);
  rectangles.reserve(words);
}
