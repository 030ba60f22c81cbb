/** SGQ's three forms as coders of the bench: real frames, codebooks learned from training features. */
import type { Thresholds } from "../../host/cloud/codebook/levels.ts";
import { rankChannels } from "../../host/cloud/codebook/rank.ts";
import { trainCodebook } from "../../host/cloud/codebook/train.ts";
import { mostThatFits } from "../../host/cloud/codebook/trial.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import type { Codebook, OpenCodebook } from "../../host/sgq/types.ts";
import { type Coder, frameLengths, type Samples, sampleOf } from "./accuracy.ts";
import { CLOUD_HALF, SHAPE } from "./halves.ts";
import { kMeans } from "./k-means.ts";

/** Samples that a codebook is learned from; contexts are chosen on the first of them. */
const LEARNED_FROM = 2000;
const CONTEXTS_FROM = 400;
const TRIED_FROM = 48;
/** Samples, the last of training, that the size of frames is seen from. */
const SEEN = 500;
/** Samples that channels are ranked on: learned from, and the last, judged on. */
const RANKED = 50_000;
const JUDGED = 3000;

export const coderOf = (codec: SgqCodec, book: OpenCodebook): Coder => ({
  decoded: (x) => codec.reconstruct(book, codec.quantise(book, x as Int8Array)),
  bytes: (x, sequence) => codec.encode(book, [x as Int8Array], { sequence }).length,
  together: (samples, sequence) => codec.encode(book, samples as Int8Array[], { sequence }).length,
});

const some = (samples: Samples, count: number): Int8Array[] =>
  Array.from({ length: Math.min(count, samples.count) }, (_, i) => sampleOf(samples, i) as Int8Array);

/** Form 0. */
export function contextBook(
  codec: SgqCodec,
  training: Samples,
  thresholds: Thresholds,
  tableBytes: number,
  shape: readonly [number, number, number] = SHAPE,
  contextsFrom = CONTEXTS_FROM,
): OpenCodebook {
  return trainCodebook({ codec, fitContexts }, some(training, LEARNED_FROM), {
    model: 1,
    version: 1,
    shape,
    thresholds,
    tableBytes,
    contextSamples: Math.ceil((contextsFrom * 196) / (shape[0] * shape[1])),
  });
}

const ranks = new WeakMap<Samples, Map<string, Promise<number[]>>>();

/** Once for each training set: half a minute. */
function rankedChannels(
  codec: SgqCodec,
  kernels: BufferSource,
  training: Samples,
  levels: readonly number[],
): Promise<number[]> {
  const own = ranks.get(training) ?? new Map<string, Promise<number[]>>();
  ranks.set(training, own);
  const known = own.get(levels.join());
  if (known) return known;
  const { count, labels } = training;
  const judged = Math.min(JUDGED, count >> 2);
  const ranked = rankChannels(
    { codec, fitContexts },
    { count, labels, features: (i) => sampleOf(training, i) as Int8Array },
    {
      kernels,
      shape: SHAPE,
      layers: CLOUD_HALF,
      thresholds: Array.from({ length: SHAPE[2] }, () => levels),
      steps: Math.ceil(Math.min(RANKED, count - judged) / 32),
      judged,
    },
  );
  own.set(levels.join(), ranked);
  return ranked;
}

/**
 * Two bits of as many channels as frames of `bytes` have room for, those that a cloud half misses most (rank.ts); of the last of them
 * perhaps one or two thresholds only. The cloud half sees planes.
 */
export async function channelsWithin(
  codec: SgqCodec,
  kernels: BufferSource,
  training: Samples,
  {
    levels,
    bytes,
    tableBytes,
  }: { levels: readonly [number, number, number]; bytes: number; tableBytes: number },
): Promise<Coder> {
  const order = await rankedChannels(codec, kernels, training, levels);
  const last = Math.max(0, training.count - SEEN);
  const seen = Array.from(
    { length: training.count - last },
    (_, i) => sampleOf(training, last + i) as Int8Array,
  );
  const [low, middle, high] = levels;
  const parts = [[], [middle], [middle, high], [low, middle, high]];
  const planesOf = (thresholds: number): number[][] =>
    Array.from({ length: SHAPE[2] }, (_, channel) => {
      const own = Math.max(0, Math.min(3, thresholds - 3 * order.indexOf(channel)));
      return [...(parts[own] as number[])];
    });
  const coderWith = (thresholds: number, contextsFrom?: number): Coder => {
    const planes = planesOf(thresholds);
    const book = contextBook(codec, training, planes, tableBytes, SHAPE, contextsFrom);
    return { ...coderOf(codec, book), planes };
  };
  const fits = ({ coder }: { coder: Coder }): boolean =>
    frameLengths(seen, { bytes: coder.bytes }).bytes <= bytes;
  const all = 3 * SHAPE[2];
  const tried = (thresholds: number) => ({ thresholds, coder: coderWith(thresholds, TRIED_FROM) });
  let { thresholds } = await mostThatFits(all, tried, fits);
  // contexts that are learned from more leave room for more
  let best = coderWith(thresholds);
  while (++thresholds <= all) {
    const more = coderWith(thresholds);
    if (!fits({ coder: more })) break;
    best = more;
  }
  return best;
}

const bookOf = (rest: Partial<Codebook> & Pick<Codebook, "form" | "bits" | "values">): Codebook => ({
  model: 1,
  version: 1,
  shape: SHAPE,
  patch: [0, 0],
  group: 1,
  stripe: 1,
  planes: [],
  weights: new Int8Array(),
  contexts: [],
  neighbourBits: 0,
  tables: new Uint8Array(),
  ...rest,
});

/** Thresholds at equal shares of what is above zero. */
export function quantileThresholds(values: Int8Array, count: number): number[] {
  const positive = values.filter((value) => value > 0).sort();
  if (positive.length === 0) return [];
  const at = (share: number): number => positive[Math.floor(share * (positive.length - 1))] as number;
  const all = Array.from({ length: count }, (_, i) => at((i + 0.5) / count));
  return [...new Set(all)].filter((threshold) => threshold < 127);
}

/** Form 1 (R1): channels share the code of their mean; each has values of its own. */
export function sharedBook(
  codec: SgqCodec,
  training: Samples,
  { group, bits, tableBytes }: { group: number; bits: number; tableBytes: number },
): OpenCodebook {
  const samples = some(training, LEARNED_FROM);
  const c = SHAPE[2];
  const channels = c / group;
  const weights = new Int8Array(c).fill(Math.round(128 / group));
  const mixed = samples.slice(0, 300).map((x) => mix(x, weights, group));
  const thresholds = Array.from({ length: channels }, (_, k) =>
    quantileThresholds(
      Int8Array.from(mixed.flatMap((s) => [...s].filter((_, i) => i % channels === k))),
      2 ** bits - 1,
    ),
  );
  const planes = thresholds.flatMap((own, channel) =>
    own.map((threshold) => ({ channel, threshold, context: 0 })),
  );
  const draft = bookOf({ form: "shared", bits, group, weights, planes, values: new Int8Array(c << bits) });
  const start = codec.seal({ ...draft, contexts: [[{ back: 0, dx: -1, dy: 0 }]], tables: new Uint8Array(2) });
  const levels = samples.map((x) => codec.quantise(start, x));
  const sums = new Float64Array(c << bits);
  const counts = new Float64Array(c << bits);
  samples.forEach((x, s) => {
    for (let i = 0; i < x.length; i++) {
      const level = (levels[s] as Uint8Array)[Math.floor(i / group)] as number;
      const at = ((i % c) << bits) + level;
      sums[at] = (sums[at] as number) + (x[i] as number);
      counts[at] = (counts[at] as number) + 1;
    }
  });
  const values = Int8Array.from(sums, (sum, at) => Math.round(sum / Math.max(1, counts[at] as number)));
  return codec.seal(
    fitContexts(codec, { ...start.book, values }, levels.slice(0, CONTEXTS_FROM), { tableBytes }),
  );
}

function mix(x: Int8Array, weights: Int8Array, group: number): Int8Array {
  const s = new Int8Array(x.length / group);
  for (let i = 0; i < s.length; i++) {
    let sum = 64;
    for (let k = i * group; k < (i + 1) * group; k++)
      sum += (x[k] as number) * (weights[k % weights.length] as number);
    s[i] = Math.max(-128, Math.min(127, sum >> 7));
  }
  return s;
}

/** Form 2 (R2): a vector codebook for the stripes of each group, at one pixel or at 2 × 2 of them. */
export function stripeBook(
  codec: SgqCodec,
  training: Samples,
  { group, bits, stripe }: { group: number; bits: number; stripe: 1 | 2 },
): OpenCodebook {
  const [, w, c] = SHAPE;
  const length = stripe * stripe * group;
  const samples = some(training, LEARNED_FROM);
  const values = new Int8Array((c / group) * 2 ** bits * length);
  for (let k = 0; k < c / group; k++) {
    const vectors = samples.slice(0, 400).flatMap((x) => stripesOf(x, k));
    values.set(kMeans(vectors, 2 ** bits), k * 2 ** bits * length);
  }
  function stripesOf(x: Int8Array, k: number): Int8Array[] {
    const all: Int8Array[] = [];
    for (let y = 0; y < SHAPE[0]; y += stripe) {
      for (let px = 0; px < w; px += stripe) {
        const vector = new Int8Array(length);
        for (let d = 0, at = 0; d < stripe * stripe; d++, at += group) {
          const from = ((y + Math.floor(d / stripe)) * w + px + (d % stripe)) * c + k * group;
          vector.set(x.subarray(from, from + group), at);
        }
        all.push(vector);
      }
    }
    return all;
  }
  const book = bookOf({ form: "stripes", bits, group, stripe, neighbourBits: Math.min(2, bits), values });
  const start = codec.seal({ ...book, tables: new Uint8Array(codec.tableBytes(book)).fill(128) });
  const levels = samples.map((x) => codec.quantise(start, x));
  return codec.seal(fitContexts(codec, start.book, levels, { tableBytes: 0 }));
}

/** Uniform steps per channel from zero to its largest value: what a quantiser does that knows nothing of accuracy. */
export function uniformThresholds(training: Samples, bits: number): number[][] {
  const largest = new Float64Array(SHAPE[2]);
  for (const x of some(training, 500)) {
    x.forEach((value, i) => {
      const channel = i % SHAPE[2];
      if (value > (largest[channel] as number)) largest[channel] = value;
    });
  }
  return Array.from(largest, (top) => {
    const all = Array.from({ length: 2 ** bits - 1 }, (_, j) =>
      Math.floor(((j + 0.5) * top) / (2 ** bits - 1)),
    );
    return [...new Set(all)];
  });
}
