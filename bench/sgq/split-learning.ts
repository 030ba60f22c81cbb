/**
 * Joint training from random weights of a network that is cut at 7×7×8, both halves in f32 and in batches, with what goes over the wire
 * in between: nothing lost (FP32 split learning), int8 features, or SGQ's levels up and gradient frames down.
 */
import { trainCodebook } from "../../host/cloud/codebook/train.ts";
import type { LayerSpec, Quantiser } from "../../host/cloud/layers.ts";
import { Network } from "../../host/cloud/network.ts";
import type { Dataset } from "../../host/data/dataset.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import { type FrameBytes, frameLengths } from "./accuracy.ts";
import { coderOf } from "./forms.ts";
import { accuracy, FILTERS, putPixels, type Schedule, SIDE, train } from "./halves.ts";
import { JointQuantiser } from "./joint-quantiser.ts";

export interface JointMode {
  readonly name: string;
  readonly up: "float" | "int8" | "sgq";
  /** Bits of the gradients that come down; without: f32. */
  readonly down?: 4 | 8;
  readonly clipped?: boolean;
}

export interface CurvePoint {
  readonly samples: number;
  /** 0 … 1, of the first validation images. */
  readonly accuracy: number;
}

export interface JointOutcome extends FrameBytes {
  /** Bytes of a sample in training: up (SGQ: in contexts that are not learned), and down. */
  readonly up: number;
  readonly down: number;
  readonly validation: number;
  readonly test: number;
  readonly curve: readonly CurvePoint[];
}

export interface JointBudget extends Schedule {
  readonly validation: number;
  readonly test: number;
}

const CUT = [7, 7, 8] as const;
const ELEMENTS = 7 * 7 * 8;
const DEVICE: readonly LayerSpec[] = [
  { kind: "conv2d", filters: FILTERS, kernel: 3, padding: 1 },
  { kind: "maxPool" },
  { kind: "conv2d", filters: 8, kernel: 3, stride: 2, padding: 1 },
];
const CLOUD: readonly LayerSpec[] = [
  { kind: "dense", units: 64 },
  { kind: "dense", units: 10 },
];
/** Thresholds of each channel: six levels. */
const PLANES = 5;
/** The lowest threshold in shares of what random weights make of the first images; kept while weights learn. */
const LOWEST = 0.06;
/** In the usual contexts; a codebook with contexts of its own takes an eighth less. */
const BYTES = 66;
const TABLES = 4096;
const LEARNED_FROM = 2000;
const CONTEXTS_FROM = 1000;
const FRAMES = 1000;
const POINTS = 12;
const CURVE_IMAGES = 1000;
const HEADER = 5;

/** Trains one mode; everything that it draws follows from the seed, first weights and order are those of every mode. */
export async function trainSplit(
  kernels: BufferSource,
  codec: SgqCodec,
  { train: images, test }: Dataset,
  { up, down, clipped }: JointMode,
  { validation, test: tested, ...schedule }: JointBudget,
): Promise<JointOutcome> {
  const { seed } = schedule;
  const sgq = new JointQuantiser(codec, {
    shape: CUT,
    planes: PLANES,
    bytes: BYTES,
    seed,
    ...(down && { down }),
    ...(clipped && { clipped }),
  });
  const between = up === "sgq" ? sgq : up === "int8" ? int8() : undefined;
  const network = await Network.create(kernels, {
    input: [SIDE, SIDE, 1],
    layers: [...DEVICE, ...(between ? [layerOf(between)] : []), ...CLOUD],
    seed,
  });
  const put = (i: number, slot: Float32Array): void => putPixels(images.pixels, i, slot);
  if (up === "sgq") {
    for (let k = 0; k < network.batch; k++) put(k, network.sample(k));
    network.forward(network.batch);
    sgq.lowest =
      LOWEST * network.activations(DEVICE.length - 1, network.batch).reduce((a, b) => Math.max(a, b));
    const { biases } = network.weights(1);
    biases.set(biases.map((bias) => bias + sgq.shift));
  }
  const from = images.count - validation;
  const share = (count: number): number => accuracy(network, [from, from + count], images.labels, put);
  const steps = Math.floor(schedule.images / network.batch) * schedule.epochs;
  const every = Math.max(1, Math.floor(steps / POINTS));
  const curve: CurvePoint[] = [];
  train(network, schedule, images.labels, put, (step) => {
    if ((step + 1) % every === 0)
      curve.push({
        samples: (step + 1) * network.batch,
        accuracy: share(Math.min(CURVE_IMAGES, validation)),
      });
  });
  const putTest = (i: number, slot: Float32Array): void => putPixels(test.pixels, i, slot);
  const raw = (up === "float" ? 4 : 1) * ELEMENTS + HEADER;
  const spent = up === "sgq" ? sgq.spent : { up: raw, down: 4 * ELEMENTS };
  return {
    ...spent,
    ...(up === "sgq" ? frames() : { bytes: raw, p95: raw }),
    validation: share(validation),
    test: accuracy(network, [0, tested], test.labels, putTest),
    curve,
  };

  /** Frames of the first test images, coded with a codebook that was learned from training images. */
  function frames(): FrameBytes {
    const featuresOf = (fill: typeof put, count: number): Int8Array[] => {
      const all: Int8Array[] = [];
      while (all.length < count) {
        for (let k = 0; k < network.batch; k++) fill(all.length + k, network.sample(k));
        network.forward(network.batch);
        const features = sgq.int8(network.activations(DEVICE.length - 1, network.batch));
        for (let k = 0; k < network.batch; k++) all.push(features.slice(k * ELEMENTS, (k + 1) * ELEMENTS));
      }
      return all.slice(0, count);
    };
    const learned = featuresOf(put, Math.min(LEARNED_FROM, schedule.images));
    const book = trainCodebook({ codec, fitContexts }, learned, {
      model: 1,
      version: 1,
      shape: CUT,
      thresholds: Array.from({ length: CUT[2] }, () => sgq.thresholds),
      tableBytes: TABLES,
      contextSamples: CONTEXTS_FROM,
    });
    return frameLengths(featuresOf(putTest, Math.min(FRAMES, tested)), coderOf(codec, book));
  }
}

const layerOf = (it: Quantiser): LayerSpec => ({
  kind: "quantiser",
  forward: (x, y, count) => it.forward(x, y, count),
  backward: (x, error, count) => it.backward(x, error, count),
});

/** int8 of the largest activation so far. */
function int8(): Quantiser {
  let most = 0;
  return {
    forward(x, y) {
      for (const value of x) most = Math.max(most, value);
      const unit = most / 127 || 1;
      for (let i = 0; i < x.length; i++) y[i] = Math.floor((x[i] as number) / unit + 0.5) * unit;
    },
    backward() {},
  };
}
