// Which positions of a stage see a changed position of the stage before: exactly those with one under a tap of their kernel.
import { join, nextRun, setRun } from "./bitmap";
import { Stage } from "./stage";

/** ⌊a / b⌋ for b > 0. */
export function floorDiv(a: i32, b: i32): i32 {
  return a >= 0 ? a / b : ~(~a / b);
}

/** ⌈a / b⌉ for b > 0. */
export function ceilDiv(a: i32, b: i32): i32 {
  return -floorDiv(-a, b);
}

/**
 * Sets, in the row `todo`, the outputs of row oy that see a change; `seen` is a row of the stage before, for use in between. Both
 * are cleared first. Returns whether there is any.
 */
export function dilateRow(stage: Stage, oy: i32, seen: usize, todo: usize): bool {
  const before = stage.previous;
  const words = before.words;
  memory.fill(seen, 0, words << 2);
  let any = false;
  let iy = oy * stage.strideH - stage.padTop;
  for (let ky = stage.kernelH; ky--; iy += stage.dilationH) {
    if (<u32>iy >= <u32>before.h) continue;
    any = join(seen, before.changed + ((<usize>(iy * words)) << 2), words) || any;
  }
  if (!any) return false;
  memory.fill(todo, 0, stage.words << 2);
  any = false;
  const stride = stage.strideW;
  // without gaps between the taps all of them together are one interval
  const taps = stage.dilationW == 1 ? 1 : stage.kernelW;
  const width = stage.dilationW == 1 ? stage.kernelW - 1 : 0;
  for (let run = nextRun(seen, words, 0); run >= 0; run = nextRun(seen, words, run >> 16)) {
    let first = (run & 0xffff) + stage.padLeft - width;
    let last = (run >> 16) - 1 + stage.padLeft;
    for (let kx = taps; kx--; first -= stage.dilationW, last -= stage.dilationW) {
      const x0 = max(ceilDiv(first, stride), 0);
      const x1 = min(floorDiv(last, stride) + 1, stage.w);
      if (x0 >= x1) continue;
      setRun(todo, x0, x1);
      any = true;
    }
  }
  return any;
}
