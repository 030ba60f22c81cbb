// Convolutional and dense layers with INT8 weights that learn (Octo §3): a dense layer is a 1×1 convolution over its
// flattened input.
import { allocate } from "../device/arena";
import * as int8 from "../int8/intrinsics";
import { MAX_DIM } from "../int8/check";
import { BIAS_MAX } from "../int8/requantize32";
import { drawKey } from "../int8/rng";
import { MASTER_MAX } from "../int8/sgd-update";
import { CONV2D, DENSE, Layer, tensorOf, windowLength, windowOf } from "./layer";
import { Scale } from "./scale";
import { ERROR_DRAWS, BIAS_DRAWS, INITIAL_DRAWS, Trainer, UPDATE_DRAWS } from "./trainer";
import * as work from "./workspace";

/** Biases are Q20: ±2,048 in steps of 10⁻⁶. */
const BIAS_BITS: i32 = 20;
/** State: range (u64 Q32.32), weight exponent (i32), zero (i32), then masters and biases. */
const STATE_HEADER: i32 = 16;

/**
 * y = relu?(W·x + b). Weights: int16 masters in units of 2^(exponent − 8); the INT8 weight is the rounded top byte.
 * Activations: int8, zero point 0, one unit is range/128.
 */
export class Conv2d extends Layer {
  /** relu() behind this layer costs nothing: it becomes the lower clamp. */
  rectified: bool = false;
  /** Last layer of the model: int32 accumulators, no requantisation. */
  logits: bool = false;
  private state: usize = 0;
  private masters: usize = 0;
  private weights: usize = 0;
  private biases: usize = 0;
  /** Biases in accumulator units. */
  private offsets: usize = 0;
  private conv: usize = 0;
  private inputTensor: usize = 0;
  /** What one unit of the accumulator is worth. */
  private unit: Scale = changetype<Scale>(allocate(8));

  constructor(
    kind: i32,
    private filters: i32,
    private kernel: i32,
    private stride: i32,
    private padding: i32,
  ) {
    super(kind);
  }

  infer(input: Layer): void {
    if (this.kind == CONV2D) {
      this.h = windowLength(input.h, this.kernel, this.stride, this.padding);
      this.w = windowLength(input.w, this.kernel, this.stride, this.padding);
      if (!this.h || !this.w) this.refuse(this.kernel, min(input.h, input.w) + 2 * this.padding);
    } else {
      this.h = this.w = 1;
      if (input.size > MAX_DIM) this.refuse(input.size, MAX_DIM);
    }
    this.c = this.filters;
  }

  /** Weights of one output channel: kernelH · kernelW · c, or the flattened input. */
  private get fanIn(): i32 {
    const input = this.previous;
    return this.kind == DENSE ? input.size : this.kernel * this.kernel * input.c;
  }

  private get count(): i32 {
    return this.filters * this.fanIn;
  }

  stateBytes(): i32 {
    // int16 masters are padded to whole words
    return STATE_HEADER + (((this.count << 1) + 3) & ~3) + (this.filters << 2);
  }

  reserve(state: usize, input: Layer): void {
    this.state = state;
    this.masters = state + STATE_HEADER;
    this.biases = state + this.stateBytes() - ((<usize>this.filters) << 2);
    this.weights = allocate(this.count);
    this.offsets = allocate((<usize>this.filters) << 2);
    this.tensor = tensorOf(this.h, this.w, this.c);
    this.inputTensor = this.kind == DENSE ? tensorOf(1, 1, input.size) : input.tensor;
    this.conv = windowOf(this.kernel, this.stride, this.padding, this.h, this.w);
    this.y = allocate(this.logits ? (<usize>this.size) << 2 : this.size);
    work.needScratch(this.fanIn << 2);
    work.needGradients(max(this.fanIn + this.filters, this.passesError ? input.size : 0));
  }

  private get range(): u64 {
    return load<u64>(this.state);
  }

  private set range(value: u64) {
    store<u64>(this.state, value);
  }

  private get exponent(): i32 {
    return load<i32>(this.state, 8);
  }

  private set exponent(value: i32) {
    store<i32>(this.state, value, 8);
  }

  /** He-uniform: |w| ≤ √(6 / fan-in). The exponent leaves room to grow by 2 to 4 before masters must be halved. */
  initialise(seed: u32): void {
    // bound in Q16, by integer square root of 6·2^32 / fan-in
    const bound = <i32>isqrt(((<u64>6) << 32) / <u64>this.fanIn);
    // 127·2^exponent ≥ 2·bound·2^−16, that is 2^(exponent + 22) ≥ bound
    const exponent = 32 - <i32>clz(bound) - 22;
    this.exponent = exponent;
    this.range = (<u64>4) << 32;
    // master unit 2^(exponent − 8), bound 2^−16, draw 2^−15
    const key = drawKey(seed, 0, (this.index << 2) | INITIAL_DRAWS);
    int8.drawMasters(key, bound, exponent + 23, this.count, this.masters);
    this.restore();
  }

  restore(): void {
    this.scale.set(this.range, -39);
    int8.weightsOf(this.masters, this.count, 0, this.weights);
  }

  forward(input: Layer): void {
    const unit = this.unit.copy(input.scale);
    unit.e += this.exponent;
    const factor = work.factor;
    factor.set(1, -BIAS_BITS).divide(unit);
    work.requantiseBy(factor, -BIAS_MAX, BIAS_MAX);
    int8.requantize32(work.quant, this.biases, this.filters, 0, this.offsets);
    if (this.logits) work.keepAccumulators();
    else work.requantiseBy(factor.copy(unit).divide(this.scale), this.rectified ? 0 : -127, 127);
    int8.conv2d(
      work.scratch,
      this.conv,
      work.quant,
      this.inputTensor,
      input.y,
      this.weights,
      this.offsets,
      this.tensor,
      this.y,
    );
    if (this.logits) this.scale.copy(unit);
  }

  backward(input: Layer, trainer: Trainer): void {
    const error = trainer.error;
    const scale = trainer.scale;
    const step = trainer.stepFactor.copy(trainer.rate).multiply(scale);
    if (this.passesError) {
      // before the weights move: the error of the input
      int8.conv2dGradInput(
        work.scratch,
        this.conv,
        this.tensor,
        error,
        this.weights,
        this.inputTensor,
        work.gradients,
      );
      scale.e += this.exponent;
      trainer.quantiseError(work.gradients, input.size, (this.index << 2) | ERROR_DRAWS);
    }
    this.learn(input, trainer, error, step);
  }

  /** Moves weights and biases against their gradients; a step too small for any draw moves nothing. */
  private learn(input: Layer, trainer: Trainer, error: usize, step: Scale): void {
    const draws = this.index << 2;
    // bias step: rate · error scale in units of 2^−20
    const factor = work.factor.copy(step);
    factor.e += BIAS_BITS;
    const biasQuant = work.biasQuant;
    const biases = factor.vanishes ? 0 : biasQuant;
    work.fill(biasQuant, factor, -BIAS_MAX, BIAS_MAX, trainer.key(draws | BIAS_DRAWS));
    // weight step: rate · error scale · input scale in units of 2^(exponent − 8)
    factor.copy(step).multiply(input.scale);
    factor.e += 8 - this.exponent;
    if (factor.vanishes) return;
    const quant = work.quant;
    work.fill(quant, factor, -MASTER_MAX, MASTER_MAX, trainer.key(draws | UPDATE_DRAWS));
    const clamped = int8.conv2dLearn(
      work.scratch,
      this.conv,
      quant,
      this.inputTensor,
      input.y,
      this.tensor,
      error,
      work.gradients,
      work.gradientCount,
      quant,
      this.masters,
      this.weights,
      biases,
      this.biases,
    );
    if (!clamped) return;
    // a weight has reached the edge: the unit doubles and all masters are halved
    trainer.saturated += clamped;
    this.exponent = this.exponent + 1;
    int8.weightsOf(this.masters, this.count, 1, this.weights);
  }

  adapt(input: Layer, first: bool): void {
    if (this.logits) return;
    let most = int8.absMaxS8(this.y, this.size);
    if (first) {
      // find the range from nothing: widen until nothing saturates, then fit it with an eighth to spare
      while (most >= 127 && this.range < (<u64>1) << 58) most = this.refit(input, this.range << 2);
      this.refit(input, max((this.range >> 7) * <u64>(most + (most >> 3) + 1), 1 << 16));
      return;
    }
    // moving average with a margin of an eighth; a saturated tensor says only "more"
    const by = <i64>(this.range >> 7);
    const change = most >= 127 ? by << 1 : (by * <i64>(most + (most >> 3) - 127)) >> 7;
    this.range = max(this.range + <u64>change, 1 << 16);
    this.scale.set(this.range, -39);
  }

  /** Sets the range, runs the layer again, returns the largest magnitude that it now gives. */
  private refit(input: Layer, range: u64): i32 {
    this.range = range;
    this.scale.set(range, -39);
    this.forward(input);
    return int8.absMaxS8(this.y, this.size);
  }
}

/** Largest r with r·r ≤ x. */
function isqrt(x: u64): u64 {
  let r: u64 = 0;
  for (let bit: u64 = 1 << 31; bit; bit >>= 1) {
    const t = r | bit;
    if (t * t <= x) r = t;
  }
  return r;
}

/** 2-D convolution: filters, kernel size, strides, zero padding on each side. Weights learn. */
export function conv2d(filters: i32, kernelSize: i32, strides: i32 = 1, padding: i32 = 0): Layer {
  return new Conv2d(CONV2D, filters, kernelSize, strides, padding);
}

/** Fully connected layer over the flattened input. Weights learn. */
export function dense(units: i32): Layer {
  return new Conv2d(DENSE, units, 1, 1, 0);
}
