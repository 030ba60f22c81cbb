// Trains a whole model on images that are at hand, and cuts it: the device half is what a device gets to begin with. With a quantiser in
// the loop, the features that it learns are those that survive it: they need fewer bits, and lose less.

import { permutation } from "../data/random.ts";
import { SELF_CUTS } from "../protocol/labelled.ts";
import type { HalfLayer } from "./half-state.ts";
import type { LayerSpec, Quantiser } from "./layers.ts";
import { Network } from "./network.ts";

/** Images as a device's sensor gives them. */
export interface LabelledImages {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** 0 … 255. */
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}

export interface HalfOptions {
  /** cloud.wasm. */
  readonly kernels: BufferSource;
  /** Layers on the device, without a quantiser; the cut lies behind them. */
  readonly device: readonly LayerSpec[];
  readonly cloud: readonly LayerSpec[];
  /** Thresholds of the quantiser in the loop, as activations, ascending; none: the half is trained without one. */
  readonly thresholds?: readonly number[];
  readonly epochs: number;
  readonly seed: number;
  /** Step size of Adam, falling to nothing: 0.002. */
  readonly rate?: number;
  /** Called now and then with the share that is done; may wait. */
  onProgress?(share: number): void | Promise<void>;
}

/** Errors of activations beyond are not passed on: they are as high as they can be. */
const CLIP = 1;
/** A sensor's unit: pixel p is p >> 1, and 1/128 of it. */
const PIXEL = 1 / 128;
const BATCH = 32;

/** Levels 0, 1, … spread over 0 … 1; straight-through below `CLIP`. */
export function thresholdQuantiser(thresholds: readonly number[]): Quantiser {
  return {
    forward(x, y) {
      for (let i = 0; i < x.length; i++) {
        let level = 0;
        while (level < thresholds.length && (x[i] as number) > (thresholds[level] as number)) level++;
        y[i] = level / thresholds.length;
      }
    },
    backward(x, error) {
      for (let i = 0; i < x.length; i++) if ((x[i] as number) > CLIP) error[i] = 0;
    },
  };
}

/** The layers of the device half with their weights. */
export async function trainDeviceHalf(images: LabelledImages, options: HalfOptions): Promise<HalfLayer[]> {
  const { kernels, device, cloud, thresholds = [], epochs, seed, rate = 0.002, onProgress } = options;
  const quantiser: LayerSpec[] =
    thresholds.length === 0 ? [] : [{ kind: "quantiser", ...thresholdQuantiser(thresholds) }];
  const network = await Network.create(kernels, {
    input: [images.height, images.width, 1],
    layers: [...device, ...quantiser, ...cloud],
    batch: BATCH,
    seed,
  });
  const size = images.height * images.width;
  const fill = (slot: number, i: number): void => {
    const x = network.sample(slot);
    for (let k = 0; k < size; k++) x[k] = ((images.pixels[i * size + k] as number) >> 1) * PIXEL;
  };
  const batches = Math.floor(images.count / BATCH);
  for (let epoch = 0, step = 0; epoch < epochs; epoch++) {
    const order = permutation(images.count, seed, epoch);
    for (let batch = 0; batch < batches; batch++, step++) {
      const chosen = order.subarray(batch * BATCH, (batch + 1) * BATCH);
      chosen.forEach((i, slot) => {
        fill(slot, i);
      });
      const share = step / (epochs * batches);
      network.learn(
        Array.from(chosen, (i) => images.labels[i] as number),
        rate * (1 - share) + rate / 100,
      );
      if (step % 50 === 0) await onProgress?.(share);
    }
  }
  return cut(network, device, Math.min(images.count, 512), fill, thresholds[0]);
}

/** The int8 that the lowest threshold becomes: a codebook from self-contained frames can have it (SELF_CUTS). */
const CUT = SELF_CUTS[1];

/** Copies weights, and finds how far activations reach. With a quantiser, the range puts its lowest threshold right behind CUT. */
function cut(
  network: Network,
  device: readonly LayerSpec[],
  samples: number,
  fill: (slot: number, i: number) => void,
  lowest: number | undefined,
): HalfLayer[] {
  const weighted = device.flatMap((spec, i) => (spec.kind === "conv2d" ? [i] : []));
  const ranges = weighted.map(() => 0);
  for (let from = 0; from < samples; from += BATCH) {
    const count = Math.min(BATCH, samples - from);
    for (let slot = 0; slot < count; slot++) fill(slot, from + slot);
    network.forward(count);
    weighted.forEach((layer, n) => {
      for (const value of network.activations(layer, count)) ranges[n] = Math.max(ranges[n] as number, value);
    });
  }
  // above the cut is what rounds to more than it
  if (lowest !== undefined) ranges[ranges.length - 1] = (lowest * 127) / (CUT + 0.5);
  return weighted.map((_, n) => {
    const { weights, biases } = network.weights(n);
    return {
      weights: weights.slice(),
      biases: biases.slice(),
      range: Math.max(ranges[n] as number, 2 ** -8),
    };
  });
}
