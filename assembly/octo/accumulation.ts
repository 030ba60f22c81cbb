// Gradient accumulation: weights and biases follow the mean of the gradients of several samples. Each sample has scales of its
// own, so that what is summed are steps: int32, in 2^−10 of a master's unit and 2^−4 of a bias's, rounded stochastically.
import { BIAS_MAX } from "../int8/requantize32";
import * as int8 from "../int8/intrinsics";
import * as back from "./backward";
import * as checkpoint from "./checkpoint";
import { Conv2d } from "./conv2d";
import { create } from "./layer";
import { Optimizer } from "./learn";
import { divide, Scale, scaleOf, times2, whole } from "./scale";
import * as work from "./workspace";

const SUM_BITS: i32 = 10;
const BIAS_SUM_BITS: i32 = 4;

export class Accumulation extends Optimizer {
  /** Samples of a batch, and what follows their mean. */
  batch: i32;
  inner: Optimizer;

  kind(): i32 {
    return (this.batch << 8) | this.inner.kind();
  }

  /** What the inner optimiser keeps, then int32 sums of all weights and biases. */
  stateBytes(weights: i32, biases: i32): i32 {
    return this.inner.stateBytes(weights, biases) + ((weights + biases) << 2);
  }

  halve(layer: Conv2d): void {
    this.inner.halve(layer);
    // at the end of a batch, where all sums are zero: only then do masters move
  }

  /** Sums saturate at ±2^30: a million master units. */
  step(layer: Conv2d, c0: i32, c1: i32, dw: usize, db: usize, weightStep: Scale, biasStep: Scale): i32 {
    const draws = layer.index << 2;
    const fanIn = layer.fanIn;
    const first = c0 * fanIn;
    const n = (c1 - c0) * fanIn;
    const sums = layer.moments + <usize>this.inner.stateBytes(layer.count, layer.c);
    const weightSums = sums + ((<usize>first) << 2);
    const biasSums = sums + ((<usize>(layer.count + c0)) << 2);
    const share = whole(this.batch);
    // sgdUpdate32 subtracts: the sums are negative steps
    work.fill(work.QUANT, divide(times2(weightStep, SUM_BITS), share), BIAS_MAX, draws | back.SUM_DRAWS);
    int8.sgdUpdate32(work.QUANT, dw, n, first, weightSums);
    work.fill(
      work.QUANT,
      divide(times2(biasStep, BIAS_SUM_BITS), share),
      BIAS_MAX,
      draws | back.BIAS_SUM_DRAWS,
    );
    int8.sgdUpdate32(work.QUANT, db, c1 - c0, c0, biasSums);
    if ((checkpoint.steps() + 1) % this.batch) return 0;
    take(weightSums, n, dw);
    take(biasSums, c1 - c0, db);
    return this.inner.step(layer, c0, c1, dw, db, scaleOf(1, -SUM_BITS), scaleOf(1, -BIAS_SUM_BITS));
  }
}

/** Moves n sums, with their sign turned, and leaves zeros. */
function take(sums: usize, n: i32, to: usize): void {
  for (const end = sums + ((<usize>n) << 2); sums < end; sums += 4, to += 4) {
    store<i32>(to, -load<i32>(sums));
    store<i32>(sums, 0);
  }
}

/** The mean gradient of `batch` samples for an optimiser. */
export function accumulation(batch: i32, inner: Optimizer): Optimizer {
  const optimizer = create<Accumulation>();
  optimizer.batch = batch;
  optimizer.inner = inner;
  return optimizer;
}
