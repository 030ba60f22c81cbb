/**
 * Joint training: the device half learns through its quantiser (straight-through estimator), together with a cloud half, so that
 * what one bit of a feature says is what the cloud needs; and so that neighbours agree, which the coder is paid for.
 * It is done in f32, as a device half that was trained jointly would come out; what is measured afterwards is its INT8 form.
 */
import { Network } from "../../host/cloud/network.ts";
import type { Dataset } from "../../host/data/dataset.ts";
import { permutation } from "../../host/data/random.ts";
import {
  CLOUD_HALF,
  convolve,
  type DeviceHalf,
  ELEMENTS,
  FILTERS,
  type FloatHalf,
  PIXELS,
  quantiseHalf,
  type Schedule,
  SHAPE,
  SIDE,
  TAPS,
} from "./halves.ts";

export interface JointOptions extends Schedule {
  /** Weight of an edge between neighbours of one plane, in nats of the loss. */
  readonly edge: number;
}

const RATE = { cloud: 0.002, device: 0.001 };
/** A bit lets errors through where its activation is this near to the threshold, in thresholds. */
const NEAR = 3;
/** The threshold in shares of the activations' range. */
const THRESHOLD = 0.08;

/** @returns the INT8 device half, and the threshold of all its channels */
export async function trainJointly(
  kernels: BufferSource,
  { train: images }: Dataset,
  start: FloatHalf,
  { images: count, epochs, seed, edge }: JointOptions,
): Promise<{ half: DeviceHalf; threshold: number }> {
  const network = await Network.create(kernels, {
    input: SHAPE,
    layers: CLOUD_HALF,
    seed: seed + 50,
    wantInputGradient: true,
  });
  const { batch } = network;
  const half = { weights: start.weights.slice(), biases: start.biases.slice() };
  const t = THRESHOLD * start.top;
  const adam = new Adam([half.weights, half.biases]);
  const sums = new Float32Array(PIXELS * FILTERS);
  const tops = Array.from({ length: batch }, () => new Float32Array(ELEMENTS));
  const places = Array.from({ length: batch }, () => new Uint16Array(ELEMENTS));
  const labels = new Uint8Array(batch);
  const perEpoch = Math.floor(count / batch);
  const steps = perEpoch * epochs;
  let order: Uint32Array = new Uint32Array();
  for (let step = 0; step < steps; step++) {
    const at = (step % perEpoch) * batch;
    if (at === 0) order = permutation(count, seed, 1000 + step);
    for (let k = 0; k < batch; k++) {
      const i = order[at + k] as number;
      labels[k] = images.labels[i] as number;
      convolve(half, images.pixels.subarray(i * PIXELS, (i + 1) * PIXELS), sums);
      pool(sums, tops[k] as Float32Array, places[k] as Uint16Array);
      const slot = network.sample(k);
      const top = tops[k] as Float32Array;
      for (let j = 0; j < ELEMENTS; j++) slot[j] = (top[j] as number) > t ? 1 : 0;
    }
    const decay = 1 - step / steps;
    network.learn(labels, RATE.cloud * decay);
    const gradient = [new Float64Array(half.weights.length), new Float64Array(half.biases.length)] as const;
    for (let k = 0; k < batch; k++) {
      const i = order[at + k] as number;
      const pixels = images.pixels.subarray(i * PIXELS, (i + 1) * PIXELS);
      backward(
        network.sampleGradient(k),
        tops[k] as Float32Array,
        places[k] as Uint16Array,
        pixels,
        t,
        edge,
        gradient,
      );
    }
    // the first steps are the cloud half's: what it says before means nothing
    if (step > 100) adam.step(gradient, RATE.device * decay);
  }
  const quantised = quantiseHalf(half, images.pixels);
  return { half: quantised.half, threshold: Math.round((t * 127) / quantised.top) };
}

/** Largest of each 2 × 2 outputs of a filter, and where it was. */
function pool(sums: Float32Array, tops: Float32Array, places: Uint16Array): void {
  const row = SIDE * FILTERS;
  for (let y = 0, to = 0; y < SIDE; y += 2) {
    for (let x = 0; x < SIDE; x += 2) {
      for (let o = 0; o < FILTERS; o++, to++) {
        const at = y * row + x * FILTERS + o;
        let best = at;
        for (const other of [at + FILTERS, at + row, at + row + FILTERS])
          if ((sums[other] as number) > (sums[best] as number)) best = other;
        tops[to] = sums[best] as number;
        places[to] = best;
      }
    }
  }
}

function backward(
  error: Float32Array,
  tops: Float32Array,
  places: Uint16Array,
  pixels: Uint8Array,
  t: number,
  edge: number,
  [weights, biases]: readonly [Float64Array, Float64Array],
): void {
  const [h, w, c] = SHAPE;
  const bit = (j: number): number => ((tops[j] as number) > t ? 1 : 0);
  for (let j = 0; j < ELEMENTS; j++) {
    const distance = Math.abs((tops[j] as number) - t) / t;
    if (distance >= NEAR) continue;
    const [y, x] = [Math.floor(j / c / w), Math.floor(j / c) % w];
    const own = bit(j);
    let edges = 0;
    if (x > 0) edges += own - bit(j - c);
    if (x < w - 1) edges += own - bit(j + c);
    if (y > 0) edges += own - bit(j - w * c);
    if (y < h - 1) edges += own - bit(j + w * c);
    const e = ((error[j] as number) + edge * edges) * (1 - distance / NEAR) * (1 / t);
    if (e === 0) continue;
    const place = places[j] as number;
    const o = place % FILTERS;
    const [py, px] = [Math.floor(place / FILTERS / SIDE), Math.floor(place / FILTERS) % SIDE];
    biases[o] = (biases[o] as number) + e;
    for (let tap = 0; tap < TAPS; tap++) {
      const [yy, xx] = [py + Math.floor(tap / 3) - 1, px + (tap % 3) - 1];
      if (yy < 0 || xx < 0 || yy >= SIDE || xx >= SIDE) continue;
      const at = o * TAPS + tap;
      weights[at] = (weights[at] as number) + (e * (pixels[yy * SIDE + xx] as number)) / 255;
    }
  }
}

class Adam {
  readonly #values: readonly Float32Array[];
  readonly #first: Float64Array[];
  readonly #second: Float64Array[];
  #steps = 0;

  constructor(values: readonly Float32Array[]) {
    this.#values = values;
    this.#first = values.map(({ length }) => new Float64Array(length));
    this.#second = values.map(({ length }) => new Float64Array(length));
  }

  step(gradients: readonly Float64Array[], rate: number): void {
    this.#steps++;
    const scale = (rate * Math.sqrt(1 - 0.999 ** this.#steps)) / (1 - 0.9 ** this.#steps);
    gradients.forEach((gradient, part) => {
      const [values, first, second] = [this.#values[part], this.#first[part], this.#second[part]] as [
        Float32Array,
        Float64Array,
        Float64Array,
      ];
      gradient.forEach((g, i) => {
        first[i] = 0.9 * (first[i] as number) + 0.1 * g;
        second[i] = 0.999 * (second[i] as number) + 0.001 * g * g;
        values[i] =
          (values[i] as number) - (scale * (first[i] as number)) / (Math.sqrt(second[i] as number) + 1e-7);
      });
    });
  }
}
