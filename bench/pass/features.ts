/**
 * Bytes of a camera's features with and without what did not change: PASS says which positions were computed again, SGQ sends those
 * patches; the host's last layer sees what was decoded.
 */

import { channelMeans, thresholdsFor } from "../../host/cloud/codebook/levels.ts";
import { trainCodebook } from "../../host/cloud/codebook/train.ts";
import type { Clip } from "../../host/data/clip.ts";
import { occupiedCells } from "../../host/data/occupancy.ts";
import type { Conv2d, Net } from "../../host/pass/net.ts";
import { type PassOptions, PassRunner } from "../../host/pass/runner.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import type { OpenCodebook, SampleReference } from "../../host/sgq/types.ts";
import { ScoreHistogram } from "./average-precision.ts";
import { toInt8 } from "./measure.ts";

/** What a codebook is made with: chosen on frames 500–599 of PETS. */
export interface CodebookChoice {
  bits: number;
  /** Of the thresholds (host/cloud/codebook/levels.ts). */
  scale: number;
  patch: readonly [number, number];
}

export interface FeatureRow {
  method: string;
  /** Mean share of patches that changed, 0 … 1. */
  changed: number;
  macs: number;
  /** Frames of whole samples; frames without the patches that did not change, a whole one every 32nd frame. */
  whole: Sizes;
  skip: Sizes;
  /** From what the host decodes; of both the same. */
  averagePrecision: number;
}

export interface Sizes {
  mean: number;
  p95: number;
  most: number;
}

/** As the device's (assembly/sgq/chain.ts). */
const CHAIN = 32;
const TABLE_BYTES = 8192;
const CONTEXT_SAMPLES = 24;
const MODEL = 1;

export const METHODS: readonly { name: string; options: PassOptions }[] = [
  { name: "dense", options: { policy: "dense" } },
  { name: "guarded", options: { policy: "guarded" } },
  { name: "careful", options: { policy: "fast", tau: 0.1 } },
  { name: "fast", options: { policy: "fast" } },
];

const sizesOf = (bytes: number[]): Sizes => {
  const sorted = [...bytes].sort((a, b) => a - b);
  return {
    mean: bytes.reduce((sum, one) => sum + one, 0) / bytes.length,
    p95: sorted[Math.floor(0.95 * sorted.length)]!,
    most: sorted.at(-1)!,
  };
};

/** The layer below the last one is what is sent. */
const layerOf = (net: Net): number => net.layers.length - 2;

/** Features of every `every`th frame of a clip, each computed whole. */
export async function featuresOf(net: Net, clip: Clip, every: number): Promise<Int8Array[]> {
  const runner = await PassRunner.load(net, { policy: "dense" });
  return Array.from({ length: Math.ceil(clip.count / every) }, (_, i) => {
    runner.infer(toInt8(clip, i * every));
    return runner.activations(layerOf(net));
  });
}

export async function codebookOf(
  codec: SgqCodec,
  net: Net,
  features: readonly Int8Array[],
  { bits, scale, patch }: CodebookChoice,
): Promise<OpenCodebook> {
  const { plan } = await PassRunner.load(net);
  const { h, w, c } = plan[layerOf(net)]!;
  return trainCodebook({ codec, fitContexts }, features, {
    model: MODEL,
    version: 1,
    shape: [h, w, c],
    thresholds: thresholdsFor(channelMeans(features, c), bits, scale),
    tableBytes: TABLE_BYTES,
    contextSamples: CONTEXT_SAMPLES,
    patch,
  });
}

/** One method on one clip. @throws Error where the host does not decode what was sent */
export async function measureFeatures(
  codec: SgqCodec,
  book: OpenCodebook,
  net: Net,
  clip: Clip,
  { name, options }: (typeof METHODS)[number],
): Promise<FeatureRow> {
  const runner = await PassRunner.load(net, options);
  const [h, w, c] = book.book.shape;
  const last = net.layers.at(-1) as Conv2d;
  const head = await PassRunner.load({ input: [h, w, c], layers: [last] }, { policy: "dense" });
  const histogram = new ScoreHistogram();
  const [whole, skip]: [number[], number[]] = [[], []];
  let [dirty, macs, places] = [0, 0, 0];
  let reference: SampleReference | undefined;
  for (let i = 0; i < clip.count; i++) {
    macs += runner.infer(toInt8(clip, i)).counters.macs;
    const features = runner.activations(layerOf(net));
    const changed = patchesOf(runner.changed(layerOf(net)), h, w, book.book.patch);
    dirty += changed.reduce((sum, one) => sum + one, 0);
    places += changed.length;
    const one = codec.encode(book, [features], { sequence: i });
    whole.push(one.length);
    const frame =
      i % CHAIN === 0 || reference === undefined
        ? one
        : codec.encode(book, [features], { sequence: i, skip: { changed, reference } });
    skip.push(frame.length);
    const known = reference;
    const { samples, crc } = codec.decode(frame, { find: () => book, reference: () => known });
    const [sample] = samples as [(typeof samples)[0]];
    const levels = codec.quantise(book, features);
    if (sample.levels.some((level, k) => level !== levels[k]))
      throw new Error(`${name}: what is decoded of frame ${i} is not what was sent`);
    reference = { sequence: i, crc, levels };
    const cells = occupiedCells(clip.boxes?.[i] ?? [], clip.width, clip.height);
    histogram.add(head.infer(sample.features).output, cells);
  }
  return {
    method: name,
    changed: dirty / places,
    macs: macs / clip.count / runner.counters().denseMacs,
    whole: sizesOf(whole),
    skip: sizesOf(skip),
    averagePrecision: histogram.averagePrecision(),
  };
}

/** One byte for each patch: 1 where a position of it has changed. */
function patchesOf(
  changed: Uint8Array,
  h: number,
  w: number,
  [high, wide]: readonly [number, number],
): Uint8Array {
  const across = Math.ceil(w / wide);
  const patches = new Uint8Array(Math.ceil(h / high) * across);
  changed.forEach((is, i) => {
    if (is) patches[Math.floor(Math.floor(i / w) / high) * across + Math.floor((i % w) / wide)] = 1;
  });
  return patches;
}
