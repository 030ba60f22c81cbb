// Turns the positions of a stage that have to be computed again into rectangles: runs of a row, grown downwards while the
// next row has the same run, or nearly. Few large calls of an intrinsic are cheaper than many small ones.
import { allocate } from "../device/arena";
import { join } from "./bitmap";
import { dilateRow } from "./dilate";
import { rectangle } from "./execute";
import { Stage } from "./stage";

/** Multiply-accumulates that a call is worth: positions in between are computed too if they are cheaper. */
const CALL_MACS: i32 = 512;

/** Positions of a stage that a call is worth. Kernels that read their inputs in place first lay out their weights. */
function gapOf(stage: Stage): i32 {
  if (!stage.cost) return CALL_MACS / stage.c;
  const inPlace = stage.groups > 1 || stage.kernelH * stage.kernelW == 1;
  const weights = inPlace ? stage.cost : 0;
  return (CALL_MACS + weights) / stage.cost;
}

/** Two rows of bits, for stages that are not cached. */
let seen: usize = 0;
let marked: usize = 0;
/** Open rectangles and those of the row at hand, by x: x0, x1, y0. */
let open: usize = 0;
let row: usize = 0;
const ENTRY: usize = 12;

/** Reserves what stages share; `words` of the widest row. */
export function reserve(words: i32): void {
  seen = allocate(words << 2);
  marked = allocate(words << 2);
  // runs with a gap between them: at most half as many as positions
  const most = <usize>(words << 4) * ENTRY;
  open = allocate(most);
  row = allocate(most);
}

/** The runs of a row, closed over small gaps; returns the end of the list. */
// @ts-ignore: decorator
@inline
function runsOf(stage: Stage, oy: i32, gap: i32): usize {
  let at = stage.todo + ((<usize>(oy * stage.words)) << 2);
  let end = row;
  let last = 0;
  for (let x = 0; x < stage.w; x += 32, at += 4) {
    let bits = load<u32>(at);
    while (bits) {
      const shift = ctz(bits);
      const x0 = x + <i32>shift;
      // a run that a word cuts is one with the next: its gap is 0
      if (end > row && x0 - last <= gap) end -= ENTRY;
      else {
        store<i32>(end, x0);
        store<i32>(end, oy, 8);
      }
      last = x0 + <i32>ctz(~(bits >> shift));
      store<i32>(end, last, 4);
      end += ENTRY;
      // without its lowest run
      bits &= bits + ((<u32>1) << shift);
    }
  }
  return end;
}

/** What is to do of a stage that is not cached becomes to do of the next one, wherever that sees it. */
function passOn(stage: Stage): void {
  memory.copy(stage.changed, stage.todo, stage.mapBytes);
  const next = stage.next;
  for (let oy = 0; oy < next.h; ++oy) {
    if (dilateRow(next, oy, seen, marked))
      join(next.todo + ((<usize>(oy * next.words)) << 2), marked, next.words);
  }
}

/**
 * Computes again what is to do of a stage; marks what changed by that, and makes it to do of the next stage. Returns how
 * many positions changed. `judge`, `harm`: as execute.rectangle takes them.
 */
export function advance(stage: Stage, judge: usize, harm: i32): i32 {
  stage.clear();
  let changed = 0;
  if (stage.recomputed) passOn(stage);
  else {
    const gap = gapOf(stage);
    let openEnd = open;
    for (let oy = 0; oy <= stage.h; ++oy) {
      const end = oy < stage.h ? runsOf(stage, oy, gap) : row;
      // both lists ascend: an open rectangle goes on where the row has about the same run, else it is closed
      let now = row;
      for (let was = open; was < openEnd; was += ENTRY) {
        const x0 = load<i32>(was);
        const x1 = load<i32>(was, 4);
        const y0 = load<i32>(was, 8);
        while (now < end && load<i32>(now, 4) <= x0) now += ENTRY;
        if (now < end && load<i32>(now) < x1 && load<i32>(now, 8) == oy) {
          const left = min(load<i32>(now), x0);
          const right = max(load<i32>(now, 4), x1);
          // what the two need besides what is to do
          const more =
            (right - left) * (oy + 1 - y0) - (x1 - x0) * (oy - y0) - (load<i32>(now, 4) - load<i32>(now));
          if (more <= gap) {
            store<i32>(now, left);
            store<i32>(now, right, 4);
            store<i32>(now, y0, 8);
            continue;
          }
        }
        changed += rectangle(stage, y0, oy, x0, x1, judge, harm);
      }
      const list = open;
      open = row;
      row = list;
      openEnd = end;
    }
  }
  memory.fill(stage.todo, 0, stage.mapBytes);
  return changed;
}
