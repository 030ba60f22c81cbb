// Convolutional and dense layers with INT8 weights that learn (Octo §3): a dense layer is a 1×1 convolution over its
// flattened input.
import { allocate } from "../device/arena";
import { LAYER_SHAPE } from "../device/errors";
import { MAX_DIM } from "../int8/check";
import * as int8 from "../int8/intrinsics";
import { BIAS_MAX } from "../int8/requantize32";
import { MASTER_MAX } from "../int8/sgd-update";
import { QUANT_LO, QUANT_MULTIPLIER, scratchNeed, TENSOR_BYTES, TENSOR_C, tensorOf } from "../int8/structs";
import * as back from "./backward";
import * as checkpoint from "./checkpoint";
import * as compensating from "./compensation";
import { Compensation } from "./compensation";
import * as grid from "./grid";
import * as learning from "./learn";
import * as prc from "./prc";
import { QUANTISE, within } from "./options";
import { CONV2D, create, DENSE, DEPTHWISE, Layer, NONE } from "./layer";
import { divide, isqrt, multiply, Scale, scaleOf, times2 } from "./scale";
import * as weights from "./weights";
import { grouped, Window } from "./window";
import * as work from "./workspace";

/** Biases are Q20: ±2,048 in steps of 10⁻⁶. */
const BIAS_BITS: i32 = 20;
/** Bytes of state before the masters: range (u64 Q32.32), weight exponent (i32), zero (i32). */
const STATE_HEADER: i32 = 16;
const EXPONENT: usize = 8;
/** Smallest range: 2^−16. */
const RANGE_MIN: u64 = 1 << 16;

/** Whether a layer of the module keeps its weights. */
let sparse: bool = false;

/**
 * y = relu?(W·x + b). Weights: int16 masters in units of 2^(exponent − 8); the INT8 weight is the rounded top byte.
 * Activations: int8, zero point 0, one unit is range/128.
 */
export class Conv2d extends Window {
  /** This layer's part of the learned state; an offset until the layer wakes, as all of these. */
  private state: usize;
  /** Tensor struct of the input: a dense layer's is flat. */
  xT: usize;
  weights: usize;
  /** int32 biases, in the state. */
  biases: usize;
  /** Biases in accumulator units. */
  private offsets: usize;
  /** Number of weights, and of those of one output channel. */
  count: i32;
  fanIn: i32;
  /** Bits of a weight, if they are fewer than its master's top byte has or on a grid that learns; and the grid's state. */
  bits: i32;
  grid: usize;
  private compensation: Compensation;
  /** What the optimiser keeps of this layer's gradients, in the state. */
  moments: usize;
  /** The range, and the step size of a grid, are learned by gradient. */
  private clips: bool;
  private keepsWeights: bool;
  /** The loss moves the step size of the grid too, which follows the weights. */
  learnsStep: bool;

  /** Weights on a grid of 2^bits − 1 levels, bits = 2 … 8. Errors: TRAINING_OPTION */
  quantise(bits: i32): Conv2d {
    within(QUANTISE, bits, 2, 8);
    grid.use();
    this.bits = bits;
    return this;
  }

  /** Only biases and compensation learn, by plain SGD. */
  keepWeights(): Conv2d {
    sparse = true;
    this.keepsWeights = true;
    return this;
  }

  /** Loss-aware compensation. */
  compensate(): Conv2d {
    compensating.use();
    this.compensation = create<Compensation>();
    return this;
  }

  /** Parameterised range clipping: the output's range, and the step size of quantise(), are learned from the loss. */
  clip(): Conv2d {
    prc.use();
    learning.use();
    this.clips = true;
    return this;
  }

  place(input: Layer): void {
    const size = input.size;
    let xT = changetype<usize>(input);
    if (this.kind == DENSE) xT = tensorOf(allocate(TENSOR_BYTES), 1, 1, size);
    this.xT = xT;
    if (this.next == NONE) this.width = 2;
    if (grouped && this.kind == DEPTHWISE) this.c = input.c;
    const c = this.c;
    const fanIn = this.slide(xT);
    // sums of so many products, |Σ| < 2^29, leave room for any bias, |b| ≤ 2^30
    if (fanIn > MAX_DIM) this.refuse(LAYER_SHAPE, fanIn, MAX_DIM);
    const count = fanIn * c;
    this.fanIn = fanIn;
    this.count = count;
    this.biases = STATE_HEADER + (((count << 1) + 3) & ~3);
    this.state = checkpoint.reserve(<i32>this.biases + (c << 2));
    if (grid.used && this.bits) {
      this.grid = checkpoint.reserve(grid.STATE_BYTES);
      checkpoint.describe(this.bits, 1, 0, 0);
      this.learnsStep = prc.used && this.clips;
    }
    if (this.compensates) {
      const channels = load<i32>(xT, TENSOR_C);
      this.compensation.place(this.index, c, channels, grouped && this.kind == DEPTHWISE ? 1 : channels);
    }
    if (learning.used && !this.frozen && !this.keepsWeights) {
      const bytes = learning.optimizer.stateBytes(count, c);
      if (bytes) {
        this.moments = checkpoint.reserve(bytes);
        checkpoint.describe(learning.optimizer.kind(), 3, 0, 0);
      }
    }
    this.weights = allocate(count);
    this.offsets = allocate(c << 2);
    work.needScratch(<i32>scratchNeed(fanIn));
    work.needGradients(max(fanIn + c, back.first ? size : 0));
    back.join(this);
  }

  private get range(): u64 {
    return load<u64>(this.state);
  }

  private set range(value: u64) {
    store<u64>(this.state, max(value, RANGE_MIN));
  }

  private get exponent(): i32 {
    return load<i32>(this.state, EXPONENT);
  }

  private set exponent(value: i32) {
    store<i32>(this.state, value, EXPONENT);
  }

  get masters(): usize {
    return this.state + STATE_HEADER;
  }

  /** log2 of what one INT8 weight of a layer without a grid is worth. */
  get unitBits(): i32 {
    return this.exponent;
  }

  /** Largest level of a weight on a grid. */
  get levels(): i32 {
    return grid.levels(this.bits);
  }

  /** How far the weights, as they are, lead the step size of their grid. */
  private lead(): i32 {
    if (!this.bits || (sparse && this.keepsWeights)) return 0;
    return grid.lead(this.masters, this.weights, this.count, this.step);
  }

  /** Step size of the grid, Q8 in units of the masters. */
  get step(): u32 {
    return load<u32>(this.grid);
  }

  set step(value: u32) {
    store<u32>(this.grid, value);
  }

  /** What one INT8 weight is worth, times `by`. */
  private weighed(by: Scale): Scale {
    if (grid.used && this.bits) return multiply(by, scaleOf(this.step, this.exponent - 16));
    return times2(by, this.exponent);
  }

  /** INT8 weights of the masters, which are halved before when `halve` is 1; and what that loses. */
  private code(halve: i32): void {
    int8.weightsOf(this.masters, this.count, halve, this.weights);
    if (grid.used && this.bits) grid.code(this.masters, this.count, this.step, this.levels, this.weights);
  }

  private get compensates(): bool {
    return compensating.used && changetype<usize>(this.compensation) != 0;
  }

  private expect(): void {
    const step = grid.used && this.bits ? this.step : 1 << 16;
    this.compensation.expect(this.masters, this.weights, this.fanIn, step);
  }

  describe(at: usize): void {
    weights.describe(at, this, grid.used && this.bits != 0, this.compensates ? this.compensation.state : 0);
  }

  /** First weights, He-uniform: |w| ≤ √(6 / fan-in). The exponent leaves room to grow by 2 to 4 before masters are halved. */
  wake(fresh: bool): void {
    if (fresh) {
      const state = this.state + checkpoint.state;
      this.state = state;
      this.biases += state;
      // bound in Q16, by integer square root of 6·2^32 / fan-in
      const bound = <i32>isqrt(((<u64>6) << 32) / <u64>this.fanIn);
      // 127·2^exponent ≥ 2·bound·2^−16, that is 2^(exponent + 22) ≥ bound
      const exponent = 10 - <i32>clz(bound);
      this.exponent = exponent;
      this.range = (<u64>4) << 32;
      // master unit 2^(exponent − 8), bound 2^−16, draw 2^−15
      const key = checkpoint.key((this.index << 2) | back.INITIAL_DRAWS);
      int8.drawMasters(key, bound, exponent + 23, this.count, this.masters);
      if (grid.used && this.bits) {
        this.grid += checkpoint.state;
        // bound 2^−16 in master units 2^(exponent − 8)
        this.step = grid.fit((bound << 4) >> (12 + exponent), this.levels);
      }
      if (learning.used) this.moments += checkpoint.state;
      if (this.compensates) this.compensation.wake();
    }
    this.code(0);
    if (this.compensates) this.expect();
  }

  forward(input: Layer): void {
    // what one unit of the accumulator is worth
    const unit = this.weighed(input.scale);
    work.fill(work.QUANT, divide(scaleOf(1, -BIAS_BITS), unit), BIAS_MAX, work.NEAREST);
    int8.requantize32(work.QUANT, this.biases, this.c, 0, this.offsets);
    if (this.compensates) this.compensation.fold(this.offsets);
    if (this.width) {
      this.scale = unit;
      store<i32>(work.QUANT, 0, QUANT_MULTIPLIER);
    } else {
      const scale = scaleOf(this.range, -39);
      this.scale = scale;
      work.fill(work.QUANT, divide(unit, scale), 127, work.NEAREST);
      store<i32>(work.QUANT, this.lowest, QUANT_LO);
      if (this.compensates) this.compensation.requantise(divide(unit, scale));
    }
    int8.conv2d(
      work.SCRATCH,
      this.conv,
      work.QUANT,
      this.xT,
      input.data,
      this.weights,
      this.offsets,
      changetype<usize>(this),
      this.data,
    );
    if (this.compensates && this.width) this.compensation.amplify(this.data);
  }

  adapt(input: Layer, first: bool): void {
    if (this.width) return;
    let most = this.most;
    while (first) {
      // from nothing: widen until nothing saturates, then fit the range with an eighth to spare
      const range = this.range;
      first = most >= 127 && !(range >> 58);
      this.range = first ? range << 2 : (range >> 7) * <u64>(most + (most >> 3) + 1);
      this.forward(input);
      most = this.most;
    }
    if (prc.used && this.clips) return;
    // what a replay buffer kept of a frozen layer's outputs stays what it was
    if (back.sparse && this.frozen) return;
    // moving average over 128 steps with a margin of an eighth; a saturated tensor says only "more", up to a range of 2^28
    const range = <i64>this.range;
    const more = most < 127 ? most + (most >> 3) - 127 : range >> 60 ? 0 : 256;
    this.range = range + (((range >> 7) * <i64>more) >> 7);
  }

  /**
   * Passes the error on, then moves weights and biases against their gradients. A step too small for any draw moves nothing.
   */
  backward(input: Layer): void {
    const draws = this.index << 2;
    const error = back.error;
    // rate · error scale
    const step = multiply(back.rate, back.scale);
    if (prc.used && this.clips && !this.width) {
      const sum = prc.mask(this.data, this.size, error);
      this.range = prc.learn(this.range, sum, step, back.rate);
    }
    if (changetype<usize>(this) != back.first) {
      // before the weights move
      int8.conv2dGradInput(
        work.SCRATCH,
        this.conv,
        changetype<usize>(this),
        this.compensates ? this.compensation.scaleErrors(error, this.size) : error,
        this.weights,
        this.xT,
        work.gradients,
      );
      back.setScale(this.weighed(back.scale));
      back.quantise(input.size, draws | back.ERROR_DRAWS);
    }
    // biases in units of 2^−20, weights (by the input's scale too) in units of 2^(exponent − 8)
    const biasStep = times2(step, BIAS_BITS);
    const weightStep = times2(multiply(step, input.scale), 8 - this.exponent);
    if (this.compensates) this.learnCompensation(error, step, input.scale);
    const lead = grid.used ? this.lead() : 0;
    const clamped = this.learn(input, error, weightStep, biasStep);
    if (grid.used && this.bits) this.step = grid.moved(this.step, lead, this.levels);
    if (clamped) {
      // a weight has reached the edge: the unit doubles and all masters are halved
      back.countSaturated(clamped);
      this.exponent = this.exponent + 1;
      if (grid.used && this.bits) this.step = this.step >> 1;
      this.code(1);
      if (learning.used) learning.optimizer.halve(this);
    } else if (grid.used && this.bits) {
      this.code(0);
    }
    if (this.compensates) {
      this.compensation.observe(input.data, input.size);
      this.expect();
    }
  }

  /** @param step rate · error scale, @param unit of the input */
  private learnCompensation(error: usize, step: Scale, unit: Scale): void {
    const c = this.c;
    const positions = this.h * this.w;
    const sums = work.gradients;
    back.sumsOf(error, positions, c, sums);
    this.compensation.learnGains(error, this, positions, sums, this.biases, step);
    this.compensation.learn(sums, times2(this.weighed(multiply(step, unit)), 16));
  }

  private learnBiases(error: usize, by: Scale): i32 {
    back.sumsOf(error, this.h * this.w, this.c, work.gradients);
    if (work.vanishes(by)) return 0;
    work.fill(work.BIAS_QUANT, by, BIAS_MAX, (this.index << 2) | back.BIAS_DRAWS);
    int8.sgdUpdate32(work.BIAS_QUANT, work.gradients, this.c, 0, this.biases);
    return 0;
  }

  /** Moves weights and biases; returns how many masters were clamped. */
  private learn(input: Layer, error: usize, weightStep: Scale, biasStep: Scale): i32 {
    if (sparse && this.keepsWeights) return this.learnBiases(error, biasStep);
    if (learning.used) return learning.learn(this, input, error, weightStep, biasStep);
    const draws = this.index << 2;
    if (work.vanishes(weightStep)) return 0;
    work.fill(work.BIAS_QUANT, biasStep, BIAS_MAX, draws | back.BIAS_DRAWS);
    work.fill(work.QUANT, weightStep, MASTER_MAX, draws | back.UPDATE_DRAWS);
    return int8.conv2dLearn(
      work.SCRATCH,
      this.conv,
      work.QUANT,
      this.xT,
      input.data,
      changetype<usize>(this),
      error,
      work.gradients,
      work.gradientCount,
      work.QUANT,
      this.masters,
      this.weights,
      work.vanishes(biasStep) ? 0 : work.BIAS_QUANT,
      this.biases,
    );
  }
}
/** A layer of `filters` windows. */
export function weighted(kind: u8, filters: i32, size: i32, stride: i32, padding: i32): Conv2d {
  const layer = create<Conv2d>();
  layer.kind = kind;
  layer.set(size, stride, padding);
  layer.learns = true;
  layer.c = filters;
  layer.lowest = -127;
  return layer;
}

/** 2-D convolution: filters, kernel size, strides, zero padding on each side. Weights learn. */
export function conv2d(filters: i32, kernelSize: i32, strides: i32 = 1, padding: i32 = 0): Conv2d {
  return weighted(CONV2D, filters, kernelSize, strides, padding);
}

/** Fully connected layer over the flattened input. Weights learn. */
export function dense(units: i32): Conv2d {
  return weighted(DENSE, units, 1, 1, 0);
}
