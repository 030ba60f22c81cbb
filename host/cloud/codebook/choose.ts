// One number of the user's picks a point on the curve of bytes against accuracy: how many bytes a sample may have, or how much accuracy it
// may cost. Every point is tried on samples of a validation split, with a cloud half that learned on the others.

import { setImmediate as breathe } from "node:timers/promises";
import type { OpenCodebook } from "../../sgq/types.ts";
import type { LayerSpec } from "../layers.ts";
import { Network } from "../network.ts";
import { channelMeans, snap, type Thresholds, thresholdsFor } from "./levels.ts";
import {
  type CodebookOptions,
  type CodebookTools,
  meanBytes,
  type Shape,
  sketchCodebook,
  trainCodebook,
} from "./train.ts";

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
}

/** Bits and scales of thresholds that are tried, the cheapest last. */
const GRID: readonly (readonly [bits: number, scale: number])[] = [
  [2, 0.4],
  [1, 0.4],
  [1, 0.7],
  [1, 1.2],
];
/** Every so many-th sample is for validation. */
const VALIDATION = 4;
/** Enough to tell points apart. */
const CONTEXT_SAMPLES = 24;
const CHEAPEST = [1, 1.2] as const;
/** Passes over the samples that a cloud half learns from, and most steps. */
const PASSES = 25;
const STEPS = 300;
const BREATH = 4;
const RATE = 0.002;

/** What the int8 features of a unit of the network's input are. */
export const UNIT = 1 / 64;

/**
 * Takes seconds; other work has its turn in between. Where no point keeps to the target, the one that comes nearest is chosen.
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
  const tried: Point[] = [];
  const point = (bits: number, scale: number, thresholds: Thresholds): Point => {
    const book = sketchCodebook(tools, training, { ...options, thresholds });
    return { bits, scale, thresholds, book, bytes: meanBytes(codec, book, validation) };
  };
  /** The chosen point with contexts of its own, learned from all. */
  const finish = (one: Point): Point => {
    const contextSamples = CONTEXT_SAMPLES >> (one.bits - 1);
    const book = trainCodebook(tools, training, { ...options, thresholds: one.thresholds, contextSamples });
    return { ...one, book, bytes: meanBytes(codec, book, validation) };
  };
  const at = (bits: number, scale: number): Thresholds => {
    const exact = thresholdsFor(means, bits, scale);
    return options.cuts ? snap(exact, options.cuts) : exact;
  };
  const judge = async (one: Point): Promise<Point & { accuracy: number }> => ({
    ...one,
    accuracy: await accuracyOf(examples, isValidation, options, (x) =>
      codec.reconstruct(one.book, codec.quantise(one.book, x)),
    ),
  });
  const { target } = options;
  if ("bytes" in target) {
    for (const [bits, scale] of GRID) tried.push(point(bits, scale, at(bits, scale)));
    const fits = tried.filter((one) => one.bytes <= target.bytes);
    if (fits.length === 0) fits.push(cutDown(means, at(...CHEAPEST), point, target.bytes, tried));
    const judged = [];
    for (const one of fits) judged.push(await judge(one));
    return { chosen: finish(best(judged)), tried };
  }
  const whole = await accuracyOf(examples, isValidation, options, (x) => x);
  let chosen: Point | undefined;
  for (const [bits, scale] of GRID) {
    const one = await judge(point(bits, scale, at(bits, scale)));
    tried.push(one);
    const enough = one.accuracy >= whole - target.loss / 100;
    if (enough && (chosen === undefined || one.bytes < chosen.bytes)) chosen = one;
  }
  return { chosen: finish(chosen ?? best(tried as (Point & { accuracy: number })[])), tried };
}

/** Switches off one channel after the other, the faintest first, until a frame fits. */
function cutDown(
  means: Float64Array,
  from: Thresholds,
  point: (bits: number, scale: number, thresholds: Thresholds) => Point,
  bytes: number,
  tried: Point[],
): Point {
  const thresholds = [...from];
  const faintest = [...means.keys()].sort((a, b) => (means[a] as number) - (means[b] as number));
  let one = tried.at(-1) as Point;
  for (const channel of faintest.slice(0, -1)) {
    if (one.bytes <= bytes) break;
    thresholds[channel] = [];
    one = point(...CHEAPEST, [...thresholds]);
    tried.push(one);
  }
  return one;
}

/** The most accurate; of equals the smallest. */
function best(points: readonly (Point & { accuracy: number })[]): Point {
  return points.reduce((most, one) =>
    one.accuracy > most.accuracy || (one.accuracy === most.accuracy && one.bytes < most.bytes) ? one : most,
  );
}

async function accuracyOf(
  { features, labels }: Examples,
  isValidation: (i: number) => boolean,
  { shape, kernels, layers }: ChooseOptions,
  decoded: (x: Int8Array) => Int8Array,
): Promise<number> {
  const network = await Network.create(kernels, { input: shape, layers });
  const seen = features.map(decoded);
  const put = (slot: number, i: number): void => {
    const x = network.sample(slot);
    const from = seen[i] as Int8Array;
    for (let k = 0; k < x.length; k++) x[k] = (from[k] as number) * UNIT;
  };
  const part = (validation: boolean): number[] =>
    [...features.keys()].filter((i) => isValidation(i) === validation);
  const [training, validation] = [part(false), part(true)];
  const steps = Math.min(STEPS, Math.ceil((PASSES * training.length) / network.batch));
  for (let step = 0; step < steps; step++) {
    // messages are taken in meanwhile
    if (step % BREATH === 0) await breathe();
    const batch = Array.from(
      { length: Math.min(network.batch, training.length) },
      (_, k) => training[(step * network.batch + k) % training.length] as number,
    );
    batch.forEach((i, slot) => {
      put(slot, i);
    });
    network.learn(
      batch.map((i) => labels[i] as number),
      RATE * (1 - step / steps),
    );
  }
  let right = 0;
  for (let from = 0; from < validation.length; from += network.batch) {
    const batch = validation.slice(from, from + network.batch);
    batch.forEach((i, slot) => {
      put(slot, i);
    });
    network.classify(batch.length).forEach((seenAs, slot) => {
      if (seenAs === labels[batch[slot] as number]) right++;
    });
  }
  return right / validation.length;
}
