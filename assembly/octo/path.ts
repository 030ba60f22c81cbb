// The second way that an error takes through a residual block: held where the paths join, until the first one has come back to
// where they part.
import { allocate } from "../device/arena";
import { BIAS_MAX } from "../int8/requantize32";
import * as int8 from "../int8/intrinsics-residual";
import * as back from "./backward";
import { Layer } from "./layer";
import { divide, Scale, times2 } from "./scale";
import * as work from "./workspace";

/** Whether the module has such a path. One that has none has nothing of this file. */
export let used: bool = false;
/** How many errors wait at the layer where their path begins. */
export let waiting: i32 = 0;
/** The last path that was made; each knows the one before. */
let latest: Path = changetype<Path>(0);

/** Bits that an error has below its own unit where two are added. */
const SUM_BITS: i32 = 16;

export function join(path: Path): void {
  used = true;
  path.before = latest;
  latest = path;
}

export class Path {
  /** The layer whose output takes both ways. */
  from: Layer;
  before: Path;
  /** Tensor of the draws that round the sum. */
  private tensor: i32;
  private size: i32;
  /** The error, int8; scale 0: none waits. */
  private held: usize;
  scale: Scale;

  place(index: i32, size: i32): void {
    this.tensor = (index << 2) | back.ERROR_DRAWS;
    this.size = size;
    this.held = allocate(size);
    work.needGradients(size);
  }

  /** Keeps the error at work for `from`. */
  hold(): void {
    memory.copy(this.held, back.error, this.size);
    this.scale = back.scale;
    ++waiting;
  }

  /** Adds what was held to the error at work. */
  release(): void {
    const held = this.scale;
    if (!held) return;
    this.scale = 0;
    --waiting;
    const n = this.size;
    if (!back.scale) {
      memory.copy(back.error, this.held, n);
      back.setScale(held);
      return;
    }
    // |e·2^16| < 2^23 of the error with the larger scale, less of the other
    const unit = times2(max(held, back.scale), -SUM_BITS);
    memory.fill(work.gradients, 0, (<usize>n) << 2);
    this.add(back.error, divide(back.scale, unit));
    this.add(this.held, divide(held, unit));
    back.setScale(unit);
    back.quantise(n, this.tensor);
  }

  private add(error: usize, by: Scale): void {
    work.fill(work.QUANT, by, BIAS_MAX, work.NEAREST);
    int8.addGrad(work.QUANT, error, this.size, 0, work.gradients);
  }
}

/** All errors that wait at a layer join the one that has come to it. */
export function meet(layer: Layer): void {
  for (let path = latest; changetype<usize>(path); path = path.before) if (path.from == layer) path.release();
}

/** Forgets errors whose paths begin below the first layer that learns. */
export function drop(): void {
  for (let path = latest; waiting; path = path.before) {
    if (path.scale) --waiting;
    path.scale = 0;
  }
}
