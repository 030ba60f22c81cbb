/**
 * The network of the rate–accuracy bench, cut in two: conv 3×3 1→16, relu, max pool | conv 3×3 stride 2 16→32, dense 64, dense 10.
 * The device half is INT8 with the arithmetic of the intrinsics (docs/abi.md); the cloud half is host/cloud's network.
 */

import type { LayerSpec } from "../../host/cloud/layers.ts";
import { Network } from "../../host/cloud/network.ts";
import type { Dataset } from "../../host/data/dataset.ts";
import { permutation } from "../../host/data/random.ts";

export const SIDE = 28;
export const PIXELS = SIDE * SIDE;
/** Where the network is cut. */
export const SHAPE = [14, 14, 16] as const;
export const ELEMENTS = 14 * 14 * 16;

export const FILTERS = 16;
export const TAPS = 9;
/** Of the activations so large a share is below 127; the rest saturates. */
const KEPT = 0.9995;
/** Images that the range of the activations is seen from. */
const PROBES = 200;

export const CLOUD_HALF: readonly LayerSpec[] = [
  { kind: "conv2d", filters: 32, kernel: 3, stride: 2, padding: 1 },
  { kind: "dense", units: 64 },
  { kind: "dense", units: 10 },
];
export const WHOLE: readonly LayerSpec[] = [
  { kind: "conv2d", filters: FILTERS, kernel: 3, padding: 1 },
  { kind: "maxPool" },
  ...CLOUD_HALF,
];

/** INT8 weights OHWI (zero point of the input −128), biases, multipliers of the requantisation. */
export interface DeviceHalf {
  readonly weights: Int8Array;
  readonly biases: Int32Array;
  readonly multipliers: Float64Array;
}

/** What training runs over: how many images, how often, in which order. */
export interface Schedule {
  readonly images: number;
  readonly epochs: number;
  readonly seed: number;
}

const RATE = 0.002;

/**
 * Trains with Adam, the rate falling linearly to zero.
 *
 * @param put writes sample i of the set into the network's slot
 * @param after hears of every step
 */
export function train(
  network: Network,
  { images, epochs, seed }: Schedule,
  labels: Uint8Array,
  put: (i: number, slot: Float32Array) => void,
  after: (step: number) => void = () => {},
): void {
  const perEpoch = Math.floor(images / network.batch);
  const steps = perEpoch * epochs;
  let order: Uint32Array = new Uint32Array();
  const batch = new Uint8Array(network.batch);
  for (let step = 0; step < steps; step++) {
    const at = (step % perEpoch) * network.batch;
    if (at === 0) order = permutation(images, seed, step);
    for (let k = 0; k < network.batch; k++) {
      const i = order[at + k] as number;
      put(i, network.sample(k));
      batch[k] = labels[i] as number;
    }
    network.learn(batch, RATE * (1 - step / steps));
    after(step);
  }
}

/** Share of the samples from … to − 1 that are told right. */
export function accuracy(
  network: Network,
  [from, to]: readonly [number, number],
  labels: Uint8Array,
  put: (i: number, slot: Float32Array) => void,
): number {
  let right = 0;
  for (let first = from; first < to; first += network.batch) {
    const count = Math.min(network.batch, to - first);
    for (let k = 0; k < count; k++) put(first + k, network.sample(k));
    network.classify(count).forEach((seen, k) => {
      if (seen === labels[first + k]) right++;
    });
  }
  return right / (to - from);
}

/** Pixel i of an image as the network sees it. */
export function putPixels(pixels: Uint8Array, i: number, slot: Float32Array): void {
  const from = i * PIXELS;
  for (let k = 0; k < PIXELS; k++) slot[k] = (pixels[from + k] as number) / 255;
}

/** The device half in f32: weights [filter, tap], biases; `top` is what its activations reach. */
export interface FloatHalf {
  readonly weights: Float32Array;
  readonly biases: Float32Array;
  readonly top: number;
}

/** Trains the whole network in f32; returns its first layer, and the same in INT8. */
export async function trainDeviceHalf(
  kernels: BufferSource,
  { train: images }: Dataset,
  schedule: Schedule,
): Promise<{ float: FloatHalf; half: DeviceHalf }> {
  const network = await Network.create(kernels, {
    input: [SIDE, SIDE, 1],
    layers: WHOLE,
    seed: schedule.seed,
  });
  train(network, schedule, images.labels, (i, slot) => putPixels(images.pixels, i, slot));
  const { weights: columns, biases } = network.weights(0);
  const weights = Float32Array.from(
    { length: FILTERS * TAPS },
    (_, i) => columns[(i % TAPS) * FILTERS + Math.floor(i / TAPS)] as number,
  );
  const { half, top } = quantiseHalf({ weights, biases }, images.pixels);
  return { float: { weights, biases: biases.slice(), top }, half };
}

/** INT8: weights symmetric per filter, one range for all outputs: that of what the first images show. */
export function quantiseHalf(
  { weights: floats, biases: offsets }: Pick<FloatHalf, "weights" | "biases">,
  pixels: Uint8Array,
): { half: DeviceHalf; top: number } {
  const weights = new Int8Array(FILTERS * TAPS);
  const biases = new Int32Array(FILTERS);
  const scales = new Float64Array(FILTERS);
  for (let o = 0; o < FILTERS; o++) {
    const own = floats.subarray(o * TAPS, (o + 1) * TAPS);
    const scale = own.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6) / 127;
    own.forEach((value, t) => {
      weights[o * TAPS + t] = Math.round(value / scale);
    });
    scales[o] = scale / 255;
    biases[o] = Math.round((offsets[o] as number) / (scale / 255));
  }
  const seen: number[] = [];
  const sums = new Int32Array(PIXELS * FILTERS);
  for (let i = 0; i < PROBES; i++) {
    convolve({ weights, biases }, pixels.subarray(i * PIXELS, (i + 1) * PIXELS), sums, 1);
    sums.forEach((sum, k) => {
      if (sum > 0) seen.push(sum * (scales[k % FILTERS] as number));
    });
  }
  const all = Float64Array.from(seen).sort();
  const top = all[Math.floor(KEPT * (all.length - 1))] as number;
  return {
    half: { weights, biases, multipliers: scales.map((scale) => toMantissa((scale * 127) / top)) },
    top,
  };
}

/** The nearest multiplier that a requantisation has: 31 bits of mantissa. */
function toMantissa(value: number): number {
  const exponent = Math.floor(Math.log2(value)) - 30;
  return Math.round(value * 2 ** -exponent) * 2 ** exponent;
}

type Numbers = Int8Array | Int32Array | Float32Array;

/** Accumulators of one image, NHWC; `sums` has room for 28 · 28 · 16 of them. A pixel p counts p · `unit`. */
export function convolve(
  { weights, biases }: { readonly weights: Numbers; readonly biases: Numbers },
  pixels: Uint8Array,
  sums: Numbers,
  unit = 1 / 255,
): void {
  const padded = new Float64Array((SIDE + 2) ** 2);
  for (let i = 0; i < PIXELS; i++) {
    const y = Math.floor(i / SIDE) + 1;
    padded[y * (SIDE + 2) + (i % SIDE) + 1] = (pixels[i] as number) * unit;
  }
  for (let y = 0, to = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++, to += FILTERS) {
      for (let o = 0; o < FILTERS; o++) sums[to + o] = biases[o] as number;
      for (let t = 0; t < TAPS; t++) {
        const pixel = padded[(y + Math.floor(t / 3)) * (SIDE + 2) + x + (t % 3)] as number;
        if (pixel === 0) continue;
        for (let o = 0; o < FILTERS; o++)
          sums[to + o] = (sums[to + o] as number) + pixel * (weights[o * TAPS + t] as number);
      }
    }
  }
}

/** INT8 features [count, 14, 14, 16] of images: conv, relu, max pool; rounded half up as the intrinsics do. */
export function featuresOf(half: DeviceHalf, pixels: Uint8Array, count: number): Int8Array {
  const features = new Int8Array(count * ELEMENTS);
  const row = SIDE * FILTERS;
  const sums = new Int32Array(SIDE * row);
  for (let i = 0, to = 0; i < count; i++) {
    convolve(half, pixels.subarray(i * PIXELS, (i + 1) * PIXELS), sums, 1);
    for (let y = 0; y < 14; y++) {
      for (let x = 0; x < 14; x++) {
        const first = 2 * y * row + 2 * x * FILTERS;
        for (let o = 0; o < FILTERS; o++) {
          const at = first + o;
          const top = Math.max(
            sums[at] as number,
            sums[at + FILTERS] as number,
            sums[at + row] as number,
            sums[at + row + FILTERS] as number,
          );
          // the largest sum is the largest value; |sum| < 2^22 and 31 bits of multiplier are exact in a double, as in the intrinsic's 64 bits
          const value = Math.floor(top * (half.multipliers[o] as number) + 0.5);
          features[to++] = Math.max(0, Math.min(127, value));
        }
      }
    }
  }
  return features;
}

/** INT8 features of sample i as the network sees them. */
export function putFeatures(features: Int8Array, i: number, slot: Float32Array): void {
  const from = i * ELEMENTS;
  for (let k = 0; k < ELEMENTS; k++) slot[k] = (features[from + k] as number) / 32;
}
