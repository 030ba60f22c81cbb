// Thresholds learn from what skipping would have done, without labels, in the spirit of PASS's contrast: a refreshed patch that the
// gate had skipped must leave the output as it was (the positive), a patch that was computed must have changed it (the
// negative). What is judged is the output, and only where nothing else can have changed it.
import { allocate } from "../device/arena";
import { anyIn, join, setIn } from "./bitmap";
import { counters } from "./counters";
import * as gate from "./gate";
import { PassOptions } from "./options";
import { NONE, Stage } from "./stage";

/** A patch's class: how often in a row computing it has changed nothing; 3 stands for more. */
export const CLASSES: i32 = 4;
/** Patches of which nothing is known. */
export const CLASS_NEW: i32 = 1;

/** What thresholds of a class are multiplied by, Q8, within a half and three; kept less 1, since zeros are in no module's data. */
const FACTORS: usize = memory.data(16);
const ONE: i32 = 256;
const LEAST: i32 = 128;
const MOST: i32 = 768;
/** A step up is a 64th, a step down an eighth: 14 of them lead from MOST to LEAST. */
const UP_SHIFT: i32 = 6;
const DOWN_SHIFT: i32 = 3;
/**
 * By class, Q16: how many more skips may turn out harmful before that is more than the target allows. An audit adds the target, a
 * harmful one takes 1. Thresholds rise only above 0 and fall only below: where they are not at their least, T audits in a row find
 * at most T · target + MOST_CREDIT + MOST_DEBT harmful skips.
 */
const CREDITS: usize = memory.data<i32>([0, 0, 0, 0]);
const MOST_CREDIT: i32 = 2 << 16;
const MOST_DEBT: i32 = 14 << 16;
/** The same over all classes and all skips, for people. */
const ALL_SKIPS: i32 = 256;

/** Bitmap of the outputs that moved by more than `harm` in this frame. */
export let judge: usize = 0;
/** Bitmap of the outputs that some dirty patch can have changed. */
let touched: usize = 0;
let last: Stage = NONE;
let input: Stage = NONE;

/** i32 pairs: the outputs that see each row, then each column of patches. */
let spans: usize = 0;
/** Outputs that see a patch. */
let y0: i32 = 0;
let y1: i32 = 0;
let x0: i32 = 0;
let x1: i32 = 0;

export function factorOf(k: i32): i32 {
  return ONE + load<i32>(FACTORS + ((<usize>k) << 2));
}

export function reserve(first: Stage, end: Stage, o: PassOptions): void {
  input = first;
  last = end;
  judge = allocate(end.mapBytes);
  touched = allocate(end.mapBytes);
  followAll(o.patch);
}

/** The scene is another one: what was learned makes nothing bolder, what was learned to be careful stays. */
export function begin(): void {
  for (let k = 0; k < CLASSES; ++k) {
    setFactor(k, min(factorOf(k), ONE));
    store<i32>(CREDITS + ((<usize>k) << 2), 0);
  }
}

function creditOf(k: i32): i32 {
  return load<i32>(CREDITS + ((<usize>k) << 2));
}

/** Q16. */
function targetOf(o: PassOptions): i32 {
  return <i32>(o.quality >> 16);
}

function setFactor(k: i32, factor: i32): void {
  store<i32>(FACTORS + ((<usize>k) << 2), max(LEAST, min(factor, MOST)) - ONE);
}

export function clear(): void {
  memory.fill(judge, 0, last.mapBytes);
}

/** max(⌈a / b⌉, 0) for b > 0. */
function firstOf(a: i32, b: i32): i32 {
  return (max(a, 0) + b - 1) / b;
}

/**
 * Follows the receptive fields from each row and each column of patches to the outputs that see it: exact for dilation 1, else an
 * interval around.
 */
function followAll(patch: i32): void {
  spans = allocate((gate.down + gate.across) << 3);
  for (let i = 0; i < gate.down + gate.across; ++i) {
    const column = i >= gate.down;
    let first = (column ? i - gate.down : i) * patch;
    let end = min(first + patch, column ? input.w : input.h);
    for (let stage = input.next; stage != NONE; stage = stage.next) {
      const pad = column ? stage.padLeft : stage.padTop;
      const stride = column ? stage.strideW : stage.strideH;
      first = firstOf(first + pad - (column ? stage.reachW : stage.reachH) + 1, stride);
      end = min((end - 1 + pad) / stride + 1, column ? stage.w : stage.h);
    }
    store<i32>(spans + ((<usize>i) << 3), first);
    store<i32>(spans + ((<usize>i) << 3), end, 4);
  }
}

/** Sets the outputs that see a patch; returns whether there is one. */
function follow(px: i32, py: i32): bool {
  const row = spans + ((<usize>py) << 3);
  const column = spans + ((<usize>(gate.down + px)) << 3);
  y0 = load<i32>(row);
  y1 = load<i32>(row, 4);
  x0 = load<i32>(column);
  x1 = load<i32>(column, 4);
  return y0 < y1 && x0 < x1;
}

/** Moves a mean of about the last `most` values. */
function mean(before: i32, value: i32, n: i32, most: i32): i32 {
  return before + (value - before) / min(n, most);
}

/** Judges the patches of this frame, and moves thresholds. The bits of `judge` join those of what changed. */
export function audit(o: PassOptions): void {
  const words = last.words;
  join(last.changed, judge, last.h * words);
  memory.fill(touched, 0, last.mapBytes);
  const target = targetOf(o);
  let at = gate.marks;
  for (let py = 0; py < gate.down; ++py) {
    for (let px = 0; px < gate.across; ++px, ++at) {
      const mark = <i32>load<u8>(at);
      if ((mark & gate.WHAT) != gate.DIRTY) continue;
      if (!follow(px, py)) continue;
      setIn(touched, words, y0, y1, x0, x1);
      const k = (mark >> gate.CLASS_SHIFT) & 3;
      if (anyIn(judge, words, y0, y1, x0, x1)) setClass(at, 0);
      else {
        // computed for nothing: nothing around it changed either
        setClass(at, k + 1);
        if (mark & gate.NEAR && creditOf(k) > 0) setFactor(k, factorOf(k) + (factorOf(k) >> UP_SHIFT));
      }
    }
  }
  at = gate.marks;
  for (let py = 0; py < gate.down; ++py) {
    for (let px = 0; px < gate.across; ++px, ++at) {
      const mark = <i32>load<u8>(at);
      if ((mark & gate.WHAT) != gate.REFRESHED) continue;
      if (!follow(px, py) || anyIn(touched, words, y0, y1, x0, x1)) continue;
      // noise moves the output of a dense network as well
      skipped(at, mark, (mark & gate.LOUD) != 0 && anyIn(judge, words, y0, y1, x0, x1), target);
    }
  }
}

/** A skip was looked at: harmful or not. */
function skipped(at: usize, mark: i32, harmful: bool, target: i32): void {
  const k = (mark >> gate.CLASS_SHIFT) & 3;
  counters.audits += 1;
  const value = harmful ? 65536 : 0;
  counters.harmfulRate = mean(counters.harmfulRate, value, counters.audits, ALL_SKIPS);
  const credit = creditOf(k) + target - value;
  store<i32>(CREDITS + ((<usize>k) << 2), max(-MOST_DEBT, min(credit, MOST_CREDIT)));
  if (!harmful) return;
  counters.harmful += 1;
  setClass(at, 0);
  // what the target allows is forgiven
  const factor = factorOf(k);
  if (credit < 0) setFactor(k, factor - (factor >> DOWN_SHIFT));
}

function setClass(at: usize, k: i32): void {
  const mark = <i32>load<u8>(at) & ~(3 << gate.CLASS_SHIFT);
  store<u8>(at, mark | (min(k, CLASSES - 1) << gate.CLASS_SHIFT));
}
