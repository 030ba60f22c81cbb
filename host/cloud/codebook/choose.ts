// One number of the user's picks a point on the curve of bytes against accuracy: how many bytes a sample may have, or how much accuracy it
// may cost. Every point is tried on samples of a validation split, with a cloud half that learned on the others.

import type { OpenCodebook } from "../../sgq/types.ts";
import { asNumbers, type FeatureInput } from "../input.ts";
import type { LayerSpec } from "../layers.ts";
import { Network } from "../network.ts";
import { channelMeans, snap, type Thresholds, thresholdsFor } from "./levels.ts";
import { rankChannels } from "./rank.ts";
import {
  type CodebookOptions,
  type CodebookTools,
  meanBytes,
  type Shape,
  sketchCodebook,
  trainCodebook,
} from "./train.ts";
import { examine, mostThatFits, practise, type Trial } from "./trial.ts";

/** Either one. */
export type Target =
  /** Bytes of a sample's frame, header and CRC included; mean. */
  | { readonly bytes: number }
  /** Points of accuracy (percent) that a sample's frame may cost against int8 features. */
  | { readonly loss: number };

export interface Point {
  readonly bits: number;
  readonly scale: number;
  readonly thresholds: Thresholds;
  readonly book: OpenCodebook;
  /** Mean bytes of a frame, validation samples. */
  readonly bytes: number;
  /** 0 … 1, validation samples; absent where it was not needed. */
  readonly accuracy?: number;
}

export interface Examples {
  readonly features: readonly Int8Array[];
  readonly labels: ArrayLike<number>;
}

export interface ChooseOptions extends Pick<CodebookOptions, "model" | "version" | "patch" | "tableBytes"> {
  readonly shape: Shape;
  readonly target: Target;
  /** Thresholds that the examples were quantised at; without them they are int8. */
  readonly cuts?: readonly number[];
  /** cloud.wasm. */
  readonly kernels: BufferSource;
  /** The cloud half. */
  readonly layers: readonly LayerSpec[];
  /** How it sees features; without: as numbers. */
  readonly input?: FeatureInput;
}

/** Bits and scales of thresholds that are tried. */
const GRID: readonly (readonly [bits: number, scale: number])[] = [
  [2, 0.4],
  [1, 0.4],
  [1, 0.7],
  [1, 1.2],
];
/** Channels are ranked with these. */
const RANKED = [2, 0.4] as const;
const JUDGED = 128;
/** Every so many-th sample is for validation. */
const VALIDATION = 4;
/** Enough to tell points apart. */
const CONTEXT_SAMPLES = 24;
/** Passes over the samples that a cloud half learns from, and most steps. */
const PASSES = 25;
const STEPS = 300;
const BATCH = 32;

/**
 * Takes seconds; other work has its turn in between. Few bytes hold few channels of two bits, or more of one: whichever does better. Where no
 * point keeps to the target, the one that comes nearest is chosen.
 * @throws RangeError with fewer than 16 examples
 */
export async function chooseCodebook(
  tools: CodebookTools,
  examples: Examples,
  options: ChooseOptions,
): Promise<{ chosen: Point; tried: Point[] }> {
  const { features } = examples;
  if (features.length < 16)
    throw new RangeError(`${features.length} examples: a codebook is chosen from at least 16`);
  const isValidation = (i: number): boolean => i % VALIDATION === VALIDATION - 1;
  const training = features.filter((_, i) => !isValidation(i));
  const validation = features.filter((_, i) => isValidation(i));
  const means = channelMeans(training, options.shape[2]);
  const { codec } = tools;
  const at = (bits: number, scale: number): Thresholds => {
    const exact = thresholdsFor(means, bits, scale);
    return options.cuts ? snap(exact, options.cuts) : exact;
  };
  const point = (bits: number, scale: number, thresholds: Thresholds): Point => {
    const book = sketchCodebook(tools, training, { ...options, thresholds });
    return { bits, scale, thresholds, book, bytes: meanBytes(codec, book, validation) };
  };
  let ranked: Promise<number[]> | undefined;
  /** With so many channels, those that a cloud half misses most; the others are not sent. */
  const part = async (bits: number, scale: number, channels: number): Promise<Point> => {
    const judged = Math.min(JUDGED, features.length >> 2);
    ranked ??= rankChannels(
      tools,
      { count: features.length, labels: examples.labels, features: (i) => features[i] as Int8Array },
      { ...options, thresholds: at(...RANKED), steps: stepsFor(features.length - judged), judged },
    );
    const kept = new Set((await ranked).slice(0, channels));
    return point(
      bits,
      scale,
      at(bits, scale).map((own, channel) => (kept.has(channel) ? own : [])),
    );
  };
  /** The chosen point with contexts of its own, learned from all. */
  const finish = (one: Point): Point => {
    const contextSamples = CONTEXT_SAMPLES >> (one.bits - 1);
    const book = trainCodebook(tools, training, { ...options, thresholds: one.thresholds, contextSamples });
    return { ...one, book, bytes: meanBytes(codec, book, validation) };
  };
  const judge = async (one: Point): Promise<Point & { accuracy: number }> => ({
    ...one,
    accuracy: await accuracyOf(examples, isValidation, options, (x) =>
      codec.reconstruct(one.book, codec.quantise(one.book, x)),
    ),
  });
  const { target } = options;
  const channels = options.shape[2];
  if ("bytes" in target) {
    const fits = ({ bytes }: Point): boolean => bytes <= target.bytes;
    const tried: Point[] = [];
    const look = (one: Point): Point => {
      tried.push(one);
      return one;
    };
    const judged = [];
    for (const [bits, scale] of GRID) {
      const whole = look(point(bits, scale, at(bits, scale)));
      const one = fits(whole)
        ? whole
        : await mostThatFits(channels - 1, async (some) => look(await part(bits, scale, some)), fits);
      if (fits(one)) judged.push(await judge(one));
    }
    const chosen = judged.length > 0 ? best(judged) : smallest(tried);
    return { chosen: finish(chosen), tried };
  }
  const wanted = (await accuracyOf(examples, isValidation, options, (x) => x)) - target.loss / 100;
  const judged = [];
  for (const [bits, scale] of GRID) judged.push(await judge(point(bits, scale, at(bits, scale))));
  const enough = judged.filter((one) => one.accuracy >= wanted);
  return { chosen: finish(enough.length > 0 ? smallest(enough) : best(judged)), tried: judged };
}

const smallest = <P extends Point>(points: readonly P[]): P =>
  points.reduce((least, one) => (one.bytes < least.bytes ? one : least));

/** The most accurate; of equals the smallest. */
function best(points: readonly (Point & { accuracy: number })[]): Point {
  return points.reduce((most, one) =>
    one.accuracy > most.accuracy || (one.accuracy === most.accuracy && one.bytes < most.bytes) ? one : most,
  );
}

const stepsFor = (samples: number): number => Math.min(STEPS, Math.ceil((PASSES * samples) / BATCH));

async function accuracyOf(
  { features, labels }: Examples,
  isValidation: (i: number) => boolean,
  { shape, kernels, layers, input = asNumbers(shape) }: ChooseOptions,
  decoded: (x: Int8Array) => Int8Array,
): Promise<number> {
  const network = await Network.create(kernels, { input: input.shape, layers, batch: BATCH });
  const seen = features.map(decoded);
  const part = (validation: boolean): Trial => {
    const own = [...features.keys()].filter((i) => isValidation(i) === validation);
    const put = (k: number, sample: Float32Array): number => {
      const i = own[k] as number;
      input.put(seen[i] as Int8Array, sample);
      return labels[i] as number;
    };
    return { network, count: own.length, put };
  };
  const training = part(false);
  await practise(training, stepsFor(training.count));
  const validation = part(true);
  return (await examine(validation)).right / validation.count;
}
