// The channel level of SGQ: in which order channels are coded, so that those before say most about the next.

import type { Thresholds } from "./levels.ts";

/** More samples than this say nothing new about similarity. */
const SAMPLES = 200;

/**
 * Greedy: first the channel that costs most by itself, since it can explain others; then always the one that is cheapest given the
 * best of those already coded. Similarity is conditional entropy, of whether two channels exceed their lowest thresholds at the same
 * pixel. Channels that are not sent are left out.
 * @param levels of samples, NHWC
 */
export function orderChannels(levels: readonly Uint8Array[], thresholds: Thresholds): number[] {
  const c = thresholds.length;
  const joint = jointCounts(levels.slice(0, SAMPLES), c);
  const rest = new Set([...thresholds.keys()].filter((channel) => thresholds[channel]?.length));
  const order: number[] = [];
  const next = (cost: (channel: number) => number): void => {
    const [best] = [...rest]
      .map((channel) => ({ channel, cost: cost(channel) }))
      .sort((a, b) => a.cost - b.cost);
    if (best === undefined) return;
    order.push(best.channel);
    rest.delete(best.channel);
  };
  next((channel) => -given(joint(channel, channel), true));
  while (rest.size > 0)
    next((channel) => Math.min(...order.map((before) => given(joint(channel, before), false))));
  return order;
}

/** How often a and b are (0, 0), (0, 1), (1, 0), (1, 1). */
type Joint = readonly [number, number, number, number];

function jointCounts(levels: readonly Uint8Array[], c: number): (a: number, b: number) => Joint {
  const both = new Float64Array(c * c);
  let pixels = 0;
  const set: number[] = [];
  for (const sample of levels) {
    for (let at = 0; at < sample.length; at += c) {
      set.length = 0;
      for (let channel = 0; channel < c; channel++)
        if ((sample[at + channel] as number) > 0) set.push(channel);
      for (const a of set) for (const b of set) both[a * c + b] = (both[a * c + b] as number) + 1;
      pixels++;
    }
  }
  const of = (a: number, b: number): number => both[a * c + b] as number;
  return (a, b) => {
    const [ones, one, other] = [of(a, b), of(a, a), of(b, b)];
    return [pixels - one - other + ones, other - ones, one - ones, ones];
  };
}

/** Bits of a given b, or of a alone. */
function given([none, onlyB, onlyA, both]: Joint, alone: boolean): number {
  const bits = (zeros: number, ones: number): number => {
    const all = zeros + ones;
    const part = (n: number): number => (n > 0 ? -n * Math.log2(n / all) : 0);
    return part(zeros) + part(ones);
  };
  return alone ? bits(none, both) : bits(none, onlyA) + bits(onlyB, both);
}
