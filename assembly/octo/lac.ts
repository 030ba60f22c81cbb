// Loss-aware compensation (Octo §3.2), per output channel: y = γ·(acc + α·μ) + offset. μ is what quantising the weights is
// expected to lose, Σ E[x]·(w − q); α and γ are trained from the loss. The offset is the layer's bias: two constants that are
// added to the same channel would be one with twice the learning rate. All of it folds into the bias that inference adds
// anyway, and into its requantisation.
import { draw } from "../int8/rng";
import { BIAS_MAX } from "../int8/requantize32";
import { QUANT_MULTIPLIER, QUANT_SHIFT } from "../int8/structs";
import { apply, multiply, Scale, scaleOf, times2 } from "./scale";
import * as work from "./workspace";

/** α in Q16: 1 at first, which is right to first order; at most ±4, and a quarter in one step. */
export const ALPHA_ONE: i32 = 1 << 16;
const ALPHA_MAX: i64 = 4 << 16;
const ALPHA_STEP: i64 = 1 << 14;
/** γ in Q24: 1 at first, 1/16 … 16, and moves by a 64th of itself in one step. */
export const GAIN_BITS: i32 = 24;
export const GAIN_ONE: i32 = 1 << GAIN_BITS;
const GAIN_MIN: i64 = 1 << 20;
const GAIN_MAX: i64 = 1 << 28;
const GAIN_STEP: i64 = 1 << 18;
/** ln γ moves at 2^this times the learning rate: all weights of a channel answer to it at once. */
export const GAIN_RATE: i32 = -1;
/** E[x] is a mean over about this many samples. */
const MEMORY: i32 = 128;

/** Running mean of the input's channels: int16 Q8, in units of the input. x int8 [positions, channels] */
export function observe(x: usize, positions: i32, channels: i32, means: usize, steps: i32): void {
  const over = min(steps + 1, MEMORY);
  for (let c = 0; c < channels; ++c) {
    let sum = 0;
    for (let i = 0, at = x + <usize>c; i < positions; ++i, at += <usize>channels) sum += <i32>load<i8>(at);
    const at = means + ((<usize>c) << 1);
    // |sum| ≤ 2^7·positions: in 64 bits times 2^8
    const mean = <i32>(((<i64>sum) << 8) / <i64>positions);
    const before = <i32>load<i16>(at);
    store<i16>(at, before + (mean - before) / over);
  }
}

/**
 * μ of every output channel, in accumulator units: Σ E[x]·(w − q·step) / step. |E| ≤ 2^15 and |w − q·step| < 2^24, both
 * Q8, and at most 132,104 products: below 2^57.
 *
 * @param channels that one output sees, @param apart bytes from the first mean of one output to that of the next: 0, or 2 for
 *   a depthwise convolution
 * @param step Q8 in master units; 2^16 for weights of eight bits
 */
export function expect(
  masters: usize,
  weights: usize,
  fanIn: i32,
  outputs: i32,
  means: usize,
  channels: i32,
  step: u32,
  mu: usize,
  apart: usize,
): void {
  for (let o = 0; o < outputs; ++o, means += apart) {
    let sum: i64 = 0;
    for (let k = 0; k < fanIn; k += channels) {
      for (let c = 0, mean = means; c < channels; ++c, mean += 2, masters += 2) {
        const lost = ((<i32>load<i16>(masters)) << 8) - <i32>load<i8>(weights++) * <i32>step;
        sum += <i64>load<i16>(mean) * <i64>lost;
      }
    }
    store<i32>(
      mu + ((<usize>o) << 2),
      <i32>max(min(sum / ((<i64>step) << 8), <i64>BIAS_MAX), <i64>-BIAS_MAX),
    );
  }
}

/**
 * Biases as they are added before γ: offset/γ + α·μ, in accumulator units. |offset| ≤ 2^30 and 1/γ ≤ 2^4, |α·μ| ≤ 2^18·2^30.
 */
export function fold(alphas: usize, gains: usize, mu: usize, outputs: i32, biases: usize): void {
  for (
    const end = alphas + ((<usize>outputs) << 2);
    alphas < end;
    alphas += 4, gains += 4, mu += 4, biases += 4
  ) {
    const offset = ((<i64>load<i32>(biases)) << GAIN_BITS) / <i64>load<i32>(gains);
    const sum = offset + ((<i64>load<i32>(alphas) * <i64>load<i32>(mu)) >> 16);
    store<i32>(biases, <i32>max(min(sum, <i64>BIAS_MAX), <i64>-BIAS_MAX));
  }
}

/** Multiplier and shift of each output channel, γ·by: int32 [outputs] each. */
export function factors(gains: usize, by: Scale, outputs: i32, multipliers: usize, shifts: usize): void {
  for (let o = 0; o < outputs; ++o) {
    const i = (<usize>o) << 2;
    work.fill(work.BIAS_QUANT, multiply(by, scaleOf(load<u32>(gains + i), -GAIN_BITS)), 0, work.NEAREST);
    store<i32>(multipliers + i, load<i32>(<usize>load<i32>(work.BIAS_QUANT, QUANT_MULTIPLIER)));
    store<i32>(shifts + i, load<i32>(<usize>load<i32>(work.BIAS_QUANT, QUANT_SHIFT)));
  }
}

/** Outputs of the last layer, int32, times γ. |y| ≤ 2^31, γ ≤ 2^28 */
export function amplify(gains: usize, outputs: i32, y: usize): void {
  for (const end = y + ((<usize>outputs) << 2); y < end; y += 4, gains += 4) {
    const value = (<i64>load<i32>(y) * <i64>load<i32>(gains)) >> GAIN_BITS;
    store<i32>(y, <i32>max(min(value, <i64>BIAS_MAX), <i64>-BIAS_MAX));
  }
}

/** The largest γ. */
export function largest(gains: usize, outputs: i32): i32 {
  let most = 0;
  for (let o = 0; o < outputs; ++o) most = max(most, load<i32>(gains + ((<usize>o) << 2)));
  return most;
}

/** Errors on their way to the input: to = e·γ/most, stochastically rounded. |e·γ/most| ≤ 127 */
export function scaleErrors(
  e: usize,
  n: i32,
  outputs: i32,
  gains: usize,
  most: i32,
  key: u32,
  to: usize,
): void {
  for (let i = 0, o = 0; i < n; ++i) {
    const error = <i32>load<i8>(e + <usize>i);
    // γ/most in Q16
    const part = error ? error * <i32>(((<i64>load<i32>(gains + ((<usize>o) << 2))) << 16) / <i64>most) : 0;
    store<i8>(to + <usize>i, part ? (part + <i32>draw(key, i)) >> 16 : 0);
    if (++o == outputs) o = 0;
  }
}

/**
 * γ against its gradient, by factors: d ln γ = Σ e·(y − offset) over the positions. |Σ e·y| ≤ 127·2^31·P < 2^56 for P positions
 *
 * @param sums Σ e of each output channel, @param y the outputs, of 2^width bytes and worth `unit` each, @param offsets Q20
 * @param by how far one unit of the error moves ln γ, Q0
 */
export function learnGains(
  e: usize,
  y: usize,
  width: u8,
  unit: Scale,
  positions: i32,
  outputs: i32,
  sums: usize,
  offsets: usize,
  by: Scale,
  key: u32,
  gains: usize,
): void {
  const slope = times2(multiply(by, unit), GAIN_BITS + GAIN_RATE);
  const less = times2(by, GAIN_BITS + GAIN_RATE - 20);
  for (let o = 0; o < outputs; ++o) {
    let sum: i64 = 0;
    for (let i = 0, at = o; i < positions; ++i, at += outputs) {
      const error = <i64>load<i8>(e + <usize>at);
      if (!error) continue;
      sum += error * (width ? <i64>load<i32>(y + ((<usize>at) << 2)) : <i64>load<i8>(y + <usize>at));
    }
    const i = (<usize>o) << 2;
    const offset = <i64>load<i32>(sums + i) * <i64>load<i32>(offsets + i);
    const most = GAIN_STEP << 1;
    const d = apply(sum, slope, most, draw(key, o)) - apply(offset, less, most, 1 << 15);
    const gain = <i64>load<i32>(gains + i);
    const moved = gain - ((gain * max(min(d, GAIN_STEP), -GAIN_STEP)) >> GAIN_BITS);
    store<i32>(gains + i, <i32>max(min(moved, GAIN_MAX), GAIN_MIN));
  }
}

/**
 * α against its gradient, Σ e·μ over the positions. |Σ e| ≤ 127·132,104 < 2^24, |μ| ≤ 2^30.
 *
 * @param sums Σ e of each output channel, @param by Q16 of α that one unit of e·μ moves it
 */
export function learn(sums: usize, outputs: i32, mu: usize, by: Scale, key: u32, alphas: usize): void {
  for (let o = 0; o < outputs; ++o) {
    const i = (<usize>o) << 2;
    const slope = <i64>load<i32>(sums + i) * <i64>load<i32>(mu + i);
    const moved = <i64>load<i32>(alphas + i) - apply(slope, by, ALPHA_STEP, draw(key, o));
    store<i32>(alphas + i, <i32>max(min(moved, ALPHA_MAX), -ALPHA_MAX));
  }
}
