// PASS: computes of a network only what changed since the last frame (docs/pass.md). A module has one, so its parts are
// variables of files, not fields of an object.
import { TOO_MANY } from "../device/errors";
import { fail } from "../device/host";
import { setProbe } from "../device/probe";
import { publish } from "../device/publish";
import { Frame } from "../device/sensor";
import { Counters, counters, DENSE_ASKED, DENSE_ILLUMINATION, DENSE_NOT, DENSE_SHARE } from "./counters";
import * as execute from "./execute";
import * as gate from "./gate";
import * as learn from "./learn";
import { Network } from "./network";
import { checkOptions, PassOptions, policy } from "./options";
import { layOut } from "./plan";
import * as rectangles from "./rectangles";
import { selfTest } from "./self-test";
import { NONE, Stage } from "./stage";
import { setTolerance } from "./tolerance";

let input: Stage = NONE;
let last: Stage = NONE;
let options: PassOptions = changetype<PassOptions>(0);
/** Sequence number of the frame that the caches hold. */
let seen: i32 = -1;
let asked: bool = true;

@unmanaged
export class Pass {
  /** Lays everything out. Errors: PASS_OPTION, NET_TOO_LARGE, TOO_MANY */
  constructor(net: Network, o: PassOptions) {
    if (input != NONE) fail(TOO_MANY, 0, 2, 1);
    checkOptions(o);
    options = o;
    input = net.input;
    last = net.last;
    gate.reserve(input, o);
    learn.reserve(input, last, o);
    // last, since it gives layers what memory the rest leaves
    layOut(net);
    let macs: i64 = 0;
    for (let stage = input.next; stage != NONE; stage = stage.next) {
      setTolerance(stage, o.policy != policy.FAST ? 0 : stage.tau < 0 ? <i32>(o.tau >> 24) : stage.tau);
      macs += stage.macs + (stage.recomputed ? stage.extraMacs : 0);
    }
    counters.denseMacs = <i32>min<i64>(macs, i32.MAX_VALUE);
    counters.patches = gate.patches();
    setProbe(selfTest);
  }

  /**
   * Runs the network on a frame; one that was just seen is not computed again. Errors: SENSOR_SHAPE
   */
  infer(frame: Frame): Stage {
    return infer(frame);
  }

  /** Publishes what there is to know: the class or cell seen, and the counters. */
  report(seen: i32): void {
    publish.begin();
    publish.put(publish.CLASS, seen);
    put();
    publish.end();
  }

  /** Adds the counters to a state record that the app has begun. */
  put(): void {
    put();
  }

  /** The next frame is computed whole. */
  renew(): void {
    asked = true;
  }

  get counters(): Counters {
    return counters;
  }

  /** What happened to patch i: 0 skipped, 1 dirty, 2 refreshed. */
  patch(i: i32): i32 {
    return <i32>load<u8>(gate.marks + <usize>i) & gate.WHAT;
  }
}

function put(): void {
  const all = counters.denseMacsTotal;
  publish.put(publish.DIRTY, <i32>(((<i64>counters.dirty) << 16) / counters.patches));
  publish.put(publish.MACS, <i32>(((<i64>counters.macs) << 16) / max(counters.denseMacs, 1)));
  publish.put(publish.MACS_SAVED, <i32>((all - counters.macsTotal) / 1000));
  publish.put(publish.REFRESH_AGE, counters.refreshAge);
  publish.put(publish.HARMFUL, counters.harmfulRate);
  publish.put(publish.NOISE, counters.noise << 8);
  publish.put(publish.DENSE_FRAMES, counters.denseFrames);
}

export function infer(frame: Frame): Stage {
  if (frame.h != input.h || frame.w != input.w || frame.c != input.c) frame.refuse(input.size);
  if (frame.sequence == seen) return last;
  seen = frame.sequence;
  execute.clearMacs();
  const why = look(frame.data);
  if (why > DENSE_ASKED) learn.begin();
  if (why) dense(frame.data);
  else sparse(frame.data);
  asked = false;
  counters.dense = why;
  counters.frames += 1;
  if (why) counters.denseFrames += 1;
  counters.macs = execute.macs;
  counters.macsTotal += execute.macs;
  counters.denseMacsTotal += counters.denseMacs;
  counters.dirty = gate.dirty;
  counters.refreshed = gate.refreshed;
  counters.refreshAge = gate.oldest;
  counters.noise = max(gate.noise, 0);
  return last;
}

/** Runs the gate; returns why the frame has to be computed whole, or DENSE_NOT. */
function look(frame: usize): i32 {
  if (asked || options.policy == policy.DENSE) return DENSE_ASKED;
  const unknown = gate.noise < 0 && options.policy != policy.EXACT;
  gate.scan(input, frame, options, 1);
  // thresholds without noise say little: once more with what was just measured
  if (unknown) gate.scan(input, frame, options, 0);
  if (gate.together) return DENSE_ILLUMINATION;
  if ((<i64>gate.dirty) << 32 > options.denseShare * gate.patches()) return DENSE_SHARE;
  if (options.policy != policy.EXACT) gate.refresh(options);
  return DENSE_NOT;
}

function dense(frame: usize): void {
  memory.copy(input.data, frame, input.size);
  memory.fill(input.changed, 0xff, input.mapBytes);
  for (let stage = input.next; stage != NONE; stage = stage.next) {
    memory.fill(stage.changed, 0xff, stage.mapBytes);
    memory.fill(stage.pending, 0, stage.h * stage.w);
    if (!stage.recomputed) execute.whole(stage);
  }
  gate.renew();
  counters.changed = last.h * last.w;
}

function sparse(frame: usize): void {
  input.clear();
  const patch = options.patch;
  let at = gate.marks;
  for (let py = 0; py < gate.down; ++py) {
    const y0 = py * patch;
    const y1 = min(y0 + patch, input.h);
    let first = -1;
    for (let px = 0; px <= gate.across; ++px) {
      const marked = px < gate.across && load<u8>(at + <usize>px) & gate.WHAT;
      if (marked) {
        gate.copied(py * gate.across + px);
        if (first < 0) first = px;
      } else if (first >= 0) {
        execute.copyFrame(input, frame, y0, y1, first * patch, min(px * patch, input.w));
        first = -1;
      }
    }
    at += <usize>gate.across;
  }
  const learning = options.learn && options.policy != policy.EXACT;
  if (learning) learn.clear();
  for (let stage = input.next; stage != NONE; stage = stage.next) {
    counters.changed = rectangles.advance(stage, learning && stage == last ? learn.judge : 0, options.harm);
  }
  if (learning) learn.audit(options);
}
