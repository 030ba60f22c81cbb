// The layers of a network in the cloud: what a user names, and where each lies in memory. A dense layer is a convolution
// whose window is the whole input; behind all but the last layer with weights stands a rectifier.

import type { Room, Workspace } from "./kernels.ts";

export type Shape = readonly [h: number, w: number, c: number];

export type LayerSpec =
  | { kind: "conv2d"; filters: number; kernel: number; stride?: number; padding?: number }
  | { kind: "dense"; units: number }
  | { kind: "maxPool" }
  | ({ kind: "quantiser" } & Quantiser);

/** A step that has no derivative, as a codec has none. Arrays hold `count` samples, NHWC. */
export interface Quantiser {
  forward(x: Float32Array, y: Float32Array, count: number): void;
  /** Turns the error of y, in place, into what is taken for that of x: the straight-through estimator. */
  backward(x: Float32Array, error: Float32Array, count: number): void;
}

export const elements = ([h, w, c]: Shape): number => h * w * c;

/** Floats of a SIMD register: channels come in this many. */
const LANES = 4;

/** Weights and what Adam keeps for them: offsets of equal length. */
export interface Learned {
  values: number;
  gradient: number;
  first: number;
  second: number;
  count: number;
}

/** One layer, laid out for batches of `batch` samples. */
export interface Layer {
  readonly output: Shape;
  /** Offset of the output, batch · elements floats; backward turns `error` (the same size) into the input's. */
  readonly y: number;
  readonly error: number;
  /** Weights [fan-in × channels] and biases; none in a pooling layer. */
  readonly learned: readonly Learned[];
  readonly fanIn: number;
  forward(space: Workspace, count: number, x: number): void;
  /** `dx` 0: nothing before this layer learns. */
  backward(space: Workspace, count: number, x: number, dx: number): void;
}

/**
 * Plans the layers one behind the other.
 * @param wantInputGradient the error of the first layer's input is wanted too: its channels are then a multiple of 4
 * @throws RangeError when a layer does not fit its input
 */
export function layOut(
  input: Shape,
  specs: readonly LayerSpec[],
  batch: number,
  room: Room,
  wantInputGradient: boolean,
): Layer[] {
  if (wantInputGradient && input[2] % LANES !== 0) {
    throw new RangeError(`${input[2]} input channels: must be a multiple of ${LANES} to have a gradient`);
  }
  if (specs.at(-1)?.kind !== "dense")
    throw new RangeError("the last layer must be dense: its outputs are the classes");
  let shape = input;
  return specs.map((spec, i) => {
    const last = i === specs.length - 1;
    const layer =
      spec.kind === "maxPool"
        ? pool(shape, batch, room)
        : spec.kind === "quantiser"
          ? quantiser(spec, shape, batch, room)
          : weighted(windowOf(spec, shape), batch, room, last);
    if (layer.output.some((n) => n < 1))
      throw new RangeError(`layer ${i} (${spec.kind}) leaves nothing of an input of ${shape.join("×")}`);
    shape = layer.output;
    return layer;
  });
}

interface Window {
  /** The input as the window sees it. */
  input: Shape;
  filters: number;
  kernel: number;
  stride: number;
  padding: number;
}

function windowOf(spec: Extract<LayerSpec, { kind: "conv2d" | "dense" }>, input: Shape): Window {
  if (spec.kind === "dense") {
    return { input: [1, 1, elements(input)], filters: spec.units, kernel: 1, stride: 1, padding: 0 };
  }
  const { filters, kernel, stride = 1, padding = 0 } = spec;
  return { input, filters, kernel, stride, padding };
}

function weighted(window: Window, batch: number, room: Room, last: boolean): Layer {
  const { input, filters, kernel, stride, padding } = window;
  if (!last && filters % LANES !== 0)
    throw new RangeError(`${filters} filters: must be a multiple of ${LANES}, except in the last layer`);
  const [h, w, c] = input;
  const oh = Math.floor((h + 2 * padding - kernel) / stride) + 1;
  const ow = Math.floor((w + 2 * padding - kernel) / stride) + 1;
  const n = Math.ceil(filters / LANES) * LANES;
  const fanIn = kernel * kernel * c;
  const pixels = oh * ow;
  const output: Shape = [oh, ow, n];
  const y = room.floats(batch * pixels * n);
  const error = room.floats(batch * pixels * n);
  const weights = learnedOf(fanIn * n, room);
  const bias = learnedOf(n, room);
  const flipped = room.floats(fanIn * n);
  // a window of one pixel needs no patches: the rows of the input are what they would be
  const flat = kernel === 1 && stride === 1 && padding === 0;
  const patches = flat ? 0 : room.floats(batch * pixels * fanIn);
  const patchErrors = flat ? 0 : room.floats(batch * pixels * fanIn);
  const geometry = [h, w, c, kernel, stride, padding, oh, ow] as const;
  return {
    output,
    y,
    error,
    learned: [weights, bias],
    fanIn,
    forward({ kernels }, count, x) {
      if (!flat) kernels.gather(count, ...geometry, x, patches);
      const rows = count * pixels;
      kernels.gemm(rows, n, fanIn, flat ? x : patches, 4 * fanIn, 4, weights.values, y, 0);
      kernels.addBias(rows, n, bias.values, y, last ? 0 : 1);
    },
    backward({ kernels }, count, x, dx) {
      const rows = count * pixels;
      if (!last) kernels.rectifyGrad(rows * n, y, error);
      kernels.sumRows(rows, n, error, bias.gradient);
      // Xᵀ·E: the same rows, read the other way
      kernels.gemm(fanIn, n, rows, flat ? x : patches, 4, 4 * fanIn, error, weights.gradient, 0);
      if (dx === 0) return;
      kernels.transpose(fanIn, n, weights.values, flipped);
      kernels.gemm(rows, fanIn, n, error, 4 * n, 4, flipped, flat ? dx : patchErrors, 0);
      if (!flat) kernels.scatter(count, ...geometry, dx, patchErrors);
    },
  };
}

function pool(input: Shape, batch: number, room: Room): Layer {
  const [h, w, c] = input;
  const output: Shape = [h >> 1, w >> 1, c];
  const y = room.floats(batch * elements(output));
  const error = room.floats(batch * elements(output));
  return {
    output,
    y,
    error,
    learned: [],
    fanIn: 0,
    forward: ({ kernels }, count, x) => kernels.maxPool(count, h, w, c, x, y),
    backward({ kernels }, count, x, dx) {
      if (dx !== 0) kernels.maxPoolGrad(count, h, w, c, x, y, error, dx);
    },
  };
}

function quantiser(it: Quantiser, input: Shape, batch: number, room: Room): Layer {
  const size = elements(input);
  const y = room.floats(batch * size);
  const error = room.floats(batch * size);
  const part = (floats: Float32Array, at: number, count: number): Float32Array =>
    floats.subarray(at / 4, at / 4 + count * size);
  return {
    output: input,
    y,
    error,
    learned: [],
    fanIn: 0,
    forward: ({ floats }, count, x) => it.forward(part(floats, x, count), part(floats, y, count), count),
    backward({ floats }, count, x, dx) {
      if (dx === 0) return;
      const out = part(floats, error, count);
      it.backward(part(floats, x, count), out, count);
      part(floats, dx, count).set(out);
    },
  };
}

function learnedOf(count: number, room: Room): Learned {
  const [values, gradient, first, second] = [0, 0, 0, 0].map(() => room.floats(count)) as [
    number,
    number,
    number,
    number,
  ];
  return { values, gradient, first, second, count };
}
