// Convolutional and dense layers with INT8 weights that learn (Octo §3): a dense layer is a 1×1 convolution over its
// flattened input.
import { allocate } from "../device/arena";
import { LAYER_SHAPE } from "../device/errors";
import { MAX_DIM } from "../int8/check";
import * as int8 from "../int8/intrinsics";
import { BIAS_MAX } from "../int8/requantize32";
import { MASTER_MAX } from "../int8/sgd-update";
import { QUANT_LO, QUANT_MULTIPLIER, scratchNeed, TENSOR_BYTES, tensorOf } from "../int8/structs";
import * as back from "./backward";
import * as checkpoint from "./checkpoint";
import { CONV2D, create, DENSE, Layer, NONE } from "./layer";
import { divide, multiply, scaleOf, times2 } from "./scale";
import { Window } from "./window";
import * as work from "./workspace";

/** Biases are Q20: ±2,048 in steps of 10⁻⁶. */
const BIAS_BITS: i32 = 20;
/** Bytes of state before the masters: range (u64 Q32.32), weight exponent (i32), zero (i32). */
const STATE_HEADER: i32 = 16;
const EXPONENT: usize = 8;
/** Smallest range: 2^−16. */
const RANGE_MIN: u64 = 1 << 16;

/**
 * y = relu?(W·x + b). Weights: int16 masters in units of 2^(exponent − 8); the INT8 weight is the rounded top byte.
 * Activations: int8, zero point 0, one unit is range/128.
 */
export class Conv2d extends Window {
  /** This layer's part of the learned state; an offset until the layer wakes. */
  private state: usize;
  /** Tensor struct of the input: a dense layer's is flat. */
  private xT: usize;
  private weights: usize;
  /** int32 biases, in the state. */
  private biases: usize;
  /** Biases in accumulator units. */
  private offsets: usize;
  /** Number of weights, and of those of one output channel. */
  private count: i32;
  private fanIn: i32;

  place(input: Layer): void {
    const size = input.size;
    let xT = changetype<usize>(input);
    if (this.kind == DENSE) {
      if (size > MAX_DIM) this.refuse(LAYER_SHAPE, size, MAX_DIM);
      xT = tensorOf(allocate(TENSOR_BYTES), 1, 1, size);
    }
    this.xT = xT;
    if (this.next == NONE) this.width = 2;
    const c = this.c;
    const fanIn = this.slide(xT);
    const count = fanIn * c;
    this.fanIn = fanIn;
    this.count = count;
    this.biases = STATE_HEADER + (((count << 1) + 3) & ~3);
    this.state = checkpoint.reserve(<i32>this.biases + (c << 2));
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

  private get masters(): usize {
    return this.state + STATE_HEADER;
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
    }
    int8.weightsOf(this.masters, this.count, 0, this.weights);
  }

  forward(input: Layer): void {
    // what one unit of the accumulator is worth
    const unit = times2(input.scale, this.exponent);
    work.fill(work.QUANT, divide(scaleOf(1, -BIAS_BITS), unit), BIAS_MAX, work.NEAREST);
    int8.requantize32(work.QUANT, this.biases, this.c, 0, this.offsets);
    if (this.width) {
      this.scale = unit;
      store<i32>(work.QUANT, 0, QUANT_MULTIPLIER);
    } else {
      const scale = scaleOf(this.range, -39);
      this.scale = scale;
      work.fill(work.QUANT, divide(unit, scale), 127, work.NEAREST);
      store<i32>(work.QUANT, this.lowest, QUANT_LO);
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
  }

  adapt(input: Layer, first: bool): void {
    if (this.width) return;
    let most = this.most();
    while (first) {
      // from nothing: widen until nothing saturates, then fit the range with an eighth to spare
      const range = this.range;
      first = most >= 127 && !(range >> 58);
      this.range = first ? range << 2 : (range >> 7) * <u64>(most + (most >> 3) + 1);
      this.forward(input);
      most = this.most();
    }
    // moving average over 128 steps with a margin of an eighth; a saturated tensor says only "more"
    const more = most < 127 ? most + (most >> 3) - 127 : 256;
    this.range += ((<i64>this.range >> 7) * <i64>more) >> 7;
  }

  /** Largest magnitude of the output. */
  private most(): i32 {
    return int8.absMaxS8(this.data, this.size);
  }

  /**
   * Passes the error on, then moves weights and biases against their gradients. A step too small for any draw moves nothing.
   */
  backward(input: Layer): void {
    const draws = this.index << 2;
    const error = back.error;
    // rate · error scale
    const step = multiply(back.rate, back.scale);
    if (changetype<usize>(this) != back.first) {
      // before the weights move
      int8.conv2dGradInput(
        work.SCRATCH,
        this.conv,
        changetype<usize>(this),
        error,
        this.weights,
        this.xT,
        work.gradients,
      );
      back.setScale(times2(back.scale, this.exponent));
      back.quantise(input.size, draws | back.ERROR_DRAWS);
    }
    // biases in units of 2^−20, weights (by the input's scale too) in units of 2^(exponent − 8)
    const biasStep = times2(step, BIAS_BITS);
    const weightStep = times2(multiply(step, input.scale), 8 - this.exponent);
    if (work.vanishes(weightStep)) return;
    work.fill(work.BIAS_QUANT, biasStep, BIAS_MAX, draws | back.BIAS_DRAWS);
    work.fill(work.QUANT, weightStep, MASTER_MAX, draws | back.UPDATE_DRAWS);
    const clamped = int8.conv2dLearn(
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
    if (!clamped) return;
    // a weight has reached the edge: the unit doubles and all masters are halved
    back.countSaturated(clamped);
    this.exponent = this.exponent + 1;
    int8.weightsOf(this.masters, this.count, 1, this.weights);
  }
}

/** Largest r with r·r ≤ x, for x < 2^36. */
function isqrt(x: u64): u64 {
  let r: u64 = 0;
  let bit: u64 = 1 << 17;
  do {
    const t = r | bit;
    if (t * t <= x) r = t;
  } while ((bit >>= 1));
  return r;
}

/** A layer of `filters` windows. */
function weighted(kind: u8, filters: i32, size: i32, stride: i32, padding: i32): Layer {
  const layer = create<Conv2d>();
  layer.kind = kind;
  layer.set(size, stride, padding);
  layer.learns = true;
  layer.c = filters;
  layer.lowest = -127;
  return layer;
}

/** 2-D convolution: filters, kernel size, strides, zero padding on each side. Weights learn. */
export function conv2d(filters: i32, kernelSize: i32, strides: i32 = 1, padding: i32 = 0): Layer {
  return weighted(CONV2D, filters, kernelSize, strides, padding);
}

/** Fully connected layer over the flattened input. Weights learn. */
export function dense(units: i32): Layer {
  return weighted(DENSE, units, 1, 1, 0);
}
