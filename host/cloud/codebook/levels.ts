// Thresholds and the values behind them: how coarse a channel becomes, and what a level stands for.

import type { Plane } from "../../sgq/types.ts";

/** For each channel its thresholds, ascending; none: the channel is not sent. */
export type Thresholds = readonly (readonly number[])[];

/** Nothing is above the largest int8. */
const MOST = 127;
/** A channel whose mean is below is as good as always zero. */
const SILENT = 0.05;

/** Mean of what is above zero, of each channel of int8 features (NHWC). */
export function channelMeans(features: readonly Int8Array[], c: number): Float64Array {
  const sums = new Float64Array(c);
  let pixels = 0;
  for (const sample of features) {
    for (let i = 0; i < sample.length; i++)
      sums[i % c] = (sums[i % c] as number) + Math.max(0, sample[i] as number);
    pixels += sample.length / c;
  }
  return sums.map((sum) => sum / Math.max(1, pixels));
}

/**
 * 2^bits − 1 thresholds for each channel at odd multiples of its mean: level j begins at `scale` · mean · (2j + 1). A channel that
 * is as good as never above zero is not sent.
 */
export function thresholdsFor(means: Float64Array, bits: number, scale: number): number[][] {
  return Array.from(means, (mean) => {
    if (mean < SILENT) return [];
    const all = Array.from({ length: 2 ** bits - 1 }, (_, j) => Math.round(scale * mean * (2 * j + 1)));
    return [...new Set(all)].filter((threshold) => threshold < MOST);
  });
}

/**
 * The nearest of these cuts, which features were quantised at before they came: nothing is known of what lies between.
 */
export function snap(thresholds: Thresholds, cuts: readonly number[]): number[][] {
  const nearest = (t: number): number =>
    cuts.reduce((best, cut) => (Math.abs(cut - t) < Math.abs(best - t) ? cut : best));
  return thresholds.map((own) => [...new Set(own.map(nearest))]);
}

/** Level of an element: how many of its channel's thresholds are smaller. */
export function levelOf(thresholds: readonly number[], x: number): number {
  let level = 0;
  while (level < thresholds.length && x > (thresholds[level] as number)) level++;
  return level;
}

/** Levels of a sample, NHWC: what `Sgq.quantise` gives with a codebook of these thresholds. */
export function levelsOf(thresholds: Thresholds, sample: Int8Array): Uint8Array {
  const c = thresholds.length;
  return Uint8Array.from(sample, (x, i) => levelOf(thresholds[i % c] as readonly number[], x));
}

/** Mean of the features at each level of each channel, c × 2^bits: the reconstruction with the least square error. */
export function centroids(features: readonly Int8Array[], thresholds: Thresholds, bits: number): Int8Array {
  const c = thresholds.length;
  const levels = 2 ** bits;
  const sums = new Float64Array(c * levels);
  const counts = new Float64Array(c * levels);
  for (const sample of features) {
    for (let i = 0; i < sample.length; i++) {
      const channel = i % c;
      const at = channel * levels + levelOf(thresholds[channel] as readonly number[], sample[i] as number);
      sums[at] = (sums[at] as number) + (sample[i] as number);
      counts[at] = (counts[at] as number) + 1;
    }
  }
  return Int8Array.from(sums, (sum, at) => {
    const count = counts[at] as number;
    if (count > 0) return Math.round(sum / count);
    // never seen: where the level begins
    const own = thresholds[Math.floor(at / levels)] as readonly number[];
    return own[Math.min(at % levels, own.length) - 1] ?? 0;
  });
}

/** The planes that a codebook has, channel after channel in this order. */
export const planesOf = (thresholds: Thresholds, order: readonly number[]): Plane[] =>
  order.flatMap((channel) =>
    (thresholds[channel] as readonly number[]).map((threshold) => ({ channel, threshold, context: 0 })),
  );
