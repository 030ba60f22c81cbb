/**
 * SGQ in the loop of a training: forward quantises to levels, backward is the clipped straight-through estimator, with a price on bits. An
 * error passes where a feature is near one of its thresholds; far from all of them nothing that it does can be seen on the other
 * side, and what is asked of it there only drives features away until all have the same level.
 */

import { meanBytes, sketchCodebook } from "../../host/cloud/codebook/train.ts";
import { encodeGradientOf } from "../../host/cloud/gradient.ts";
import type { Quantiser, Shape } from "../../host/cloud/layers.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import { RateModel } from "./rate-model.ts";

export interface JointQuantiserOptions {
  readonly shape: Shape;
  /** Thresholds of a channel, 1 … 5, at odd multiples of the lowest. */
  readonly planes: number;
  /** Mean bytes of a frame that the price is steered to, in the usual contexts; contexts that are learned take less. */
  readonly bytes: number;
  /** Bits of the gradients that come down, in frames; without: f32. */
  readonly down?: 4 | 8;
  /** The cloud asks nothing that would not show at once: not to shrink at the lowest level, not to grow at the highest. */
  readonly clipped?: boolean;
  readonly seed: number;
}

/** The lowest threshold as int8: it lies half a step above. The fifth is 112. */
export const LOWEST = 12;
/** Errors pass so near to a threshold, in lowest thresholds. */
const REACH = 4;
/** What the highest level is for the cloud half: about as large as activations are. */
const HIGHEST = 2;
/** Nats of the loss for a nat of the code: to begin with, and its bounds. */
const PRICE = { first: 2e-5, least: 1e-7, most: 0.02 };
/** One sample of so many pays, for all of them. */
const PAYS = 4;
const HASTE = 0.3;
const STEERED = 100;
/** The price stands still for the first batches: the rate model must learn. */
const WARM_UP = 300;
/** Samples that the rate is seen from: a codebook of the first, bytes of the others. */
const SEEN = { all: 400, learned: 250 };
const MOST_ODDS = 8;
/** Of eight samples one teaches the rate model, and another is kept to see the rate from. */
const EVERY = 8;

export class JointQuantiser implements Quantiser {
  readonly #codec: SgqCodec;
  readonly #options: JointQuantiserOptions;
  readonly #rate: RateModel;
  readonly #seen: Int8Array[] = [];
  readonly #size: number;
  #price = PRICE.first;
  #batches = 0;
  #samples = 0;
  #bytes = { up: 0, ups: 0, down: 0 };
  /** The lowest threshold as activation, without `shift`. */
  lowest = 1;

  constructor(codec: SgqCodec, options: JointQuantiserOptions) {
    this.#codec = codec;
    this.#options = options;
    this.#rate = new RateModel(options.shape, options.planes);
    this.#size = options.shape[0] * options.shape[1] * options.shape[2];
  }

  /** What is added to the biases before: errors reach below zero so far, where a rectifier would stop them. */
  get shift(): number {
    return (REACH - 1) * this.lowest;
  }

  /** int8 thresholds of a channel. */
  get thresholds(): number[] {
    const step = 2 * LOWEST + 1;
    return Array.from({ length: this.#options.planes }, (_, j) => LOWEST + j * step);
  }

  /** int8 features, rounded half up. */
  int8(x: Float32Array): Int8Array {
    const unit = this.lowest / (LOWEST + 0.5);
    return Int8Array.from(x, (value) =>
      Math.max(0, Math.min(127, Math.floor((value - this.shift) / unit + 0.5))),
    );
  }

  /** Bytes of a training sample up (as the price sees them) and down. */
  get spent(): { up: number; down: number } {
    const { up, ups, down } = this.#bytes;
    return { up: up / Math.max(1, ups), down: down / Math.max(1, this.#samples) };
  }

  #level(x: number): number {
    const { lowest } = this;
    const v = x - this.shift;
    let level = 0;
    while (level < this.#options.planes && v >= (2 * level + 1) * lowest) level++;
    return level;
  }

  forward(x: Float32Array, y: Float32Array): void {
    const { planes } = this.#options;
    for (let i = 0; i < x.length; i++) y[i] = (HIGHEST * this.#level(x[i] as number)) / planes;
  }

  backward(x: Float32Array, error: Float32Array, count: number): void {
    const size = this.#size;
    for (let s = 0; s < count; s++) {
      const own = x.subarray(s * size, (s + 1) * size);
      const levels = Uint8Array.from(own, (value) => this.#level(value));
      const odds = s % PAYS === 0 ? this.#rate.logOdds(levels) : undefined;
      if (s % EVERY === 0) this.#rate.learn();
      if (s % EVERY === 1) this.#seen.push(Int8Array.from(levels));
      const part = error.subarray(s * size, (s + 1) * size);
      if (this.#options.clipped) this.#clip(levels, part);
      this.#goDown(part);
      this.#pass(own, part, odds);
    }
    this.#seen.splice(0, this.#seen.length - SEEN.all);
    if (++this.#batches % STEERED === 0 && this.#seen.length === SEEN.all) this.#steer();
  }

  /** @param odds of a sample that pays */
  #pass(x: Float32Array, error: Float32Array, odds: Float32Array | undefined): void {
    const { planes } = this.#options;
    const reach = REACH * this.lowest;
    const price = PAYS * this.#price;
    for (let i = 0; i < x.length; i++) {
      let sum = 0;
      for (let j = 0; j < planes; j++) {
        const far = Math.abs((x[i] as number) - this.shift - (2 * j + 1) * this.lowest) / reach;
        if (far >= 1) continue;
        const nats = Math.max(-MOST_ODDS, Math.min(MOST_ODDS, odds?.[i * planes + j] ?? 0));
        sum += ((HIGHEST * (error[i] as number)) / planes - price * nats) * (1 - far);
      }
      error[i] = sum / this.lowest;
    }
  }

  #clip(levels: Uint8Array, error: Float32Array): void {
    for (let i = 0; i < error.length; i++) {
      const asked = error[i] as number;
      if (asked > 0 ? levels[i] === 0 : levels[i] === this.#options.planes) error[i] = 0;
    }
  }

  /** The error as the device reads it from its frame. */
  #goDown(error: Float32Array): void {
    const { shape, down: bits, seed } = this.#options;
    this.#samples++;
    if (bits === undefined) {
      this.#bytes.down += 4 * error.length;
      return;
    }
    const to = { model: 1, codebook: 1, sequence: this.#samples };
    const frame = encodeGradientOf(this.#codec, to, error, { shape, bits, seed });
    this.#bytes.down += frame.length;
    const { values, exponents, group } = this.#codec.decodeGradient(frame);
    const c = shape[2];
    // the frame tells it for a unit of the int8 features
    for (let i = 0; i < error.length; i++)
      error[i] = 64 * (values[i] as number) * 2 ** (exponents[Math.floor((i % c) / group)] as number);
  }

  /** Moves the price to where frames have the bytes that are wanted. */
  #steer(): void {
    const { shape, bytes, planes } = this.#options;
    const thresholds = Array.from({ length: shape[2] }, () => Array.from({ length: planes }, (_, j) => j));
    const tools = { codec: this.#codec, fitContexts };
    const book = sketchCodebook(tools, this.#seen.slice(0, SEEN.learned), {
      model: 1,
      version: 1,
      shape,
      thresholds,
    });
    const now = meanBytes(this.#codec, book, this.#seen.slice(SEEN.learned));
    this.#bytes.up += now;
    this.#bytes.ups++;
    if (this.#batches <= WARM_UP) return;
    const off = Math.max(-1, Math.min(1, 3 * (now / bytes - 1)));
    this.#price = Math.max(PRICE.least, Math.min(PRICE.most, this.#price * Math.exp(HASTE * off)));
  }
}
