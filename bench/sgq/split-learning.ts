/**
 * Joint training from random weights of a network that is cut in two, both halves in f32 and in batches, with what goes over the wire
 * in between: nothing lost (FP32 split learning), int8 features, or SGQ's levels up and gradient frames down.
 */
import { trainCodebook } from "../../host/cloud/codebook/train.ts";
import { elements, type LayerSpec, type Quantiser } from "../../host/cloud/layers.ts";
import { Network } from "../../host/cloud/network.ts";
import type { Dataset } from "../../host/data/dataset.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import { type FrameBytes, frameLengths } from "./accuracy.ts";
import { type SgqBudget, testImages } from "./command.ts";
import type { Cut } from "./cuts.ts";
import { coderOf } from "./forms.ts";
import { accuracy, putPixels, type Schedule, SIDE, train } from "./halves.ts";
import { JointQuantiser } from "./joint-quantiser.ts";
import { FRAME_BYTES } from "./rivals.ts";

export interface JointMode {
  readonly name: string;
  readonly cut: Cut;
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
  /** `test` once the weights of the device half are INT8, as a device has them. */
  readonly testInt8?: number;
  readonly curve: readonly CurvePoint[];
}

export type JointBudget = Schedule & Omit<SgqBudget, "seeds">;

/** The lowest threshold in shares of what random weights make of the first images; kept while weights learn. */
const LOWEST = 0.06;
const LEARNED_FROM = 2000;
const FRAMES = 1000;
const POINTS = 12;
const CURVE_IMAGES = 1000;

/** Trains one mode; everything that it draws follows from the seed, first weights and order are those of every mode. */
export async function trainSplit(
  kernels: BufferSource,
  codec: SgqCodec,
  dataset: Dataset,
  { cut, up, down, clipped }: JointMode,
  budget: JointBudget,
): Promise<JointOutcome> {
  const { train: images } = dataset;
  const { validation, test: tested, ...schedule } = budget;
  const test = testImages(dataset, budget);
  const { seed } = schedule;
  const { shape, device, planes, bytes } = cut;
  const size = elements(shape);
  const learning = filtersOf(device).length;
  const sgq = new JointQuantiser(codec, {
    shape,
    planes,
    bytes,
    seed,
    ...(down && { down }),
    ...(clipped && { clipped }),
  });
  const between = up === "sgq" ? sgq : up === "int8" ? int8() : undefined;
  const network = await Network.create(kernels, {
    input: [SIDE, SIDE, 1],
    layers: [...device, ...(between ? [layerOf(between)] : []), ...cut.cloud],
    seed,
  });
  const put = (i: number, slot: Float32Array): void => putPixels(images.pixels, i, slot);
  if (up === "sgq") {
    for (let k = 0; k < network.batch; k++) put(k, network.sample(k));
    network.forward(network.batch);
    sgq.lowest =
      LOWEST * network.activations(device.length - 1, network.batch).reduce((a, b) => Math.max(a, b));
    const { biases } = network.weights(learning - 1);
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
  const raw = (up === "float" ? 4 : 1) * size + FRAME_BYTES;
  const told = (): number => accuracy(network, [0, tested], test.labels, putTest);
  const spent = up === "sgq" ? sgq.spent : { up: raw, down: 4 * size };
  const outcome = {
    ...spent,
    ...(up === "sgq" ? frames() : { bytes: raw, p95: raw }),
    validation: share(validation),
    test: told(),
    curve,
  };
  if (up === "float") return outcome;
  for (let i = 0; i < learning; i++) roundWeights(network.weights(i).weights, filtersOf(device)[i] as number);
  return { ...outcome, testInt8: told() };

  /** Frames of the first test images, coded with a codebook that was learned from training images. */
  function frames(): FrameBytes {
    const featuresOf = (fill: typeof put, count: number): Int8Array[] => {
      const all: Int8Array[] = [];
      while (all.length < count) {
        for (let k = 0; k < network.batch; k++) fill(all.length + k, network.sample(k));
        network.forward(network.batch);
        const features = sgq.int8(network.activations(device.length - 1, network.batch));
        for (let k = 0; k < network.batch; k++) all.push(features.slice(k * size, (k + 1) * size));
      }
      return all.slice(0, count);
    };
    const learned = featuresOf(put, Math.min(LEARNED_FROM, schedule.images));
    const book = trainCodebook({ codec, fitContexts }, learned, {
      model: 1,
      version: 1,
      shape,
      thresholds: Array.from({ length: shape[2] }, () => sgq.thresholds),
      tableBytes: cut.tables,
      contextSamples: cut.contextsFrom,
    });
    return frameLengths(featuresOf(putTest, Math.min(FRAMES, tested)), coderOf(codec, book));
  }
}

const filtersOf = (layers: readonly LayerSpec[]): number[] =>
  layers.flatMap((layer) => (layer.kind === "conv2d" ? [layer.filters] : []));

/** To INT8, symmetric per filter; [fan-in, filters]. */
function roundWeights(weights: Float32Array, filters: number): void {
  const scales = new Float64Array(filters).fill(1e-6);
  weights.forEach((value, i) => {
    scales[i % filters] = Math.max(scales[i % filters] as number, Math.abs(value) / 127);
  });
  weights.forEach((value, i) => {
    const scale = scales[i % filters] as number;
    weights[i] = Math.round(value / scale) * scale;
  });
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
