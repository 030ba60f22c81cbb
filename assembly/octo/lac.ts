// Loss-aware compensation (Octo §3.2), per output channel: y = acc + α·μ + offset. μ is what quantising the weights is expected
// to lose, Σ E[x]·(w − q); α is trained from the loss. The offset is the layer's bias: two constants that are added to the
// same channel would be one with twice the learning rate. All of it folds into the bias that inference adds anyway.
import { draw } from "../int8/rng";
import { BIAS_MAX } from "../int8/requantize32";
import { apply, Scale } from "./scale";

/** Whether a layer of the module compensates. One that is never set leaves nothing of this file in a module. */
export let used: bool = false;

export function use(): void {
  used = true;
}

/** α in Q16: 1 at first, which is right to first order; at most ±4, and a quarter in one step. */
export const ONE: i32 = 1 << 16;
const ALPHA_MAX: i64 = 4 << 16;
const ALPHA_STEP: i64 = 1 << 14;
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
): void {
  for (let o = 0; o < outputs; ++o) {
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

/** Adds α·μ to the biases, in accumulator units. |α·μ| ≤ 2^18·2^30 */
export function fold(alphas: usize, mu: usize, outputs: i32, biases: usize): void {
  for (const end = alphas + ((<usize>outputs) << 2); alphas < end; alphas += 4, mu += 4, biases += 4) {
    const sum = <i64>load<i32>(biases) + ((<i64>load<i32>(alphas) * <i64>load<i32>(mu)) >> 16);
    store<i32>(biases, <i32>max(min(sum, <i64>BIAS_MAX), <i64>-BIAS_MAX));
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
