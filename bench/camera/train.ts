/** Trains a presence net in FP32: cross-entropy per cell, Adam, frames mirrored, relit and disturbed at random. */
import type { Clip } from "../../host/data/clip.ts";
import { frameOf } from "../../host/data/clip.ts";
import { CELL, occupiedCells } from "../../host/data/occupancy.ts";
import { Random } from "../../host/data/random.ts";
import { buildLayer, type Layer } from "../fp32/layers.ts";
import { type NetSpec, planNet } from "../net.ts";
import { FastConv } from "./conv.ts";

export interface Example {
  /** Grey levels, 0 … 255. */
  frame: Uint8Array;
  /** [cells, outputs]: 1 for each occupied cell, of each kind where kinds are told apart. */
  cells: Uint8Array;
}

/** Every `every`th frame of a labelled clip; `kinds` are told apart, without them anything counts. */
export function examplesOf(clip: Clip, every: number, kinds?: readonly string[]): Example[] {
  const examples: Example[] = [];
  for (let i = 0; i < clip.count; i += every) {
    examples.push({ frame: frameOf(clip, i), cells: cellsOf(clip, i, kinds) });
  }
  return examples;
}

/** Occupied cells of frame i, [cells, kinds]. */
export function cellsOf(clip: Clip, i: number, kinds?: readonly string[]): Uint8Array {
  const { width, height } = clip;
  const boxes = clip.boxes?.[i] ?? [];
  if (kinds === undefined) return occupiedCells(boxes, width, height);
  const planes = kinds.map((kind) =>
    occupiedCells(
      boxes.filter((box) => box.kind === kind),
      width,
      height,
    ),
  );
  return Uint8Array.from(
    { length: planes[0]!.length * kinds.length },
    (_, at) => planes[at % kinds.length]![Math.floor(at / kinds.length)]!,
  );
}

export interface TrainOptions {
  net: NetSpec;
  examples: readonly Example[];
  steps: number;
  /** Examples between two updates: 4. */
  batch?: number;
  /** Largest learning rate: it rises over a twentieth of the steps, and falls to nothing as a cosine. */
  rate?: number;
  seed: number;
  /** Frames are moved by up to so many cells in each direction: for few frames of one place. */
  shift?: number;
  onProgress?(step: number, loss: number): void;
}

/** An occupied cell counts as much as so many empty ones: about one in fifteen is. */
const POSITIVE_WEIGHT = 4;

export async function train(options: TrainOptions): Promise<Layer[]> {
  const { net, examples, steps, batch = 4, rate = 0.003, seed, shift = 0 } = options;
  const random = new Random(seed);
  const layers: Layer[] = [];
  for (const plan of planNet(net)) {
    layers.push(plan.spec.kind === "conv2d" ? await FastConv.create(plan, random) : buildLayer(plan, random));
  }
  const adam = new Adam(layers);
  const [height, width] = net.input;
  const x = new Float32Array(height * width);
  const last = layers.at(-1)!;
  const error = new Float32Array(last.output.length);
  const cells = new Uint8Array(error.length);
  let loss = 0;
  let told = 0;
  for (let step = 0; step < steps; step++) {
    for (let k = 0; k < batch; k++) {
      vary(examples[random.below(examples.length)]!, width, height, random, shift, x, cells);
      forward(layers, x);
      loss += crossEntropy(last.output, cells, error);
      backward(layers, x, error);
      adam.collect();
    }
    const done = step / steps;
    const falling = 0.5 * (1 + Math.cos(Math.PI * done));
    adam.step(rate * Math.min(1, 20 * done + 1 / 50) * falling, batch);
    if (options.onProgress && (step + 1) % 100 === 0) {
      options.onProgress(step + 1, loss / ((step + 1 - told) * batch));
      loss = 0;
      told = step + 1;
    }
  }
  return layers;
}

/** What the net sees of a pixel p: (p − 128) / 128. */
export const toInput = (p: number): number => (p - 128) / 128;

export function forward(layers: readonly Layer[], x: Float32Array): Float32Array {
  let value = x;
  for (const layer of layers) {
    layer.forward(value);
    value = layer.output;
  }
  return value;
}

function backward(layers: readonly Layer[], x: Float32Array, last: Float32Array): void {
  let error = last;
  for (let i = layers.length - 1; i >= 0; i--) {
    const layer = layers[i]!;
    layer.backward(i > 0 ? layers[i - 1]!.output : x, error, i > 0);
    error = layer.inputGradient;
  }
}

/** The example as it might have been: mirrored, in another light, with more noise, from a little beside. */
function vary(
  { frame, cells }: Example,
  width: number,
  height: number,
  random: Random,
  shift: number,
  x: Float32Array,
  target: Uint8Array,
): void {
  const mirrored = random.below(2) === 1;
  const gain = random.between(80, 125) / 100;
  const offset = random.between(-25, 25);
  const noise = random.below(3) * 2;
  // What comes in at an edge is the edge's own pixels, and empty.
  const right = shift > 0 ? random.between(-shift, shift) : 0;
  const down = shift > 0 ? random.between(-shift, shift) : 0;
  const within = (place: number, count: number): number => Math.max(0, Math.min(count - 1, place));
  for (let row = 0, at = 0; row < height; row++) {
    const from = within(row + down * CELL, height) * width;
    for (let column = 0; column < width; column++, at++) {
      const place = within(column + right * CELL, width);
      const p = frame[from + (mirrored ? width - 1 - place : place)]!;
      const disturbed = (p - 128) * gain + 128 + offset + (noise > 0 ? random.between(-noise, noise) : 0);
      x[at] = toInput(Math.max(0, Math.min(255, disturbed)));
    }
  }
  const columns = width / CELL;
  const outputs = cells.length / (columns * (height / CELL));
  const rows = height / CELL;
  for (let i = 0; i < cells.length; i++) {
    const row = Math.floor(i / outputs / columns) + down;
    const column = (Math.floor(i / outputs) % columns) + right;
    const inside = row >= 0 && row < rows && column >= 0 && column < columns;
    const from = row * columns + (mirrored ? columns - 1 - column : column);
    target[i] = inside ? cells[from * outputs + (i % outputs)]! : 0;
  }
}

/** Mean over the cells in nats; its gradient goes to `error`. */
function crossEntropy(logits: Float32Array, cells: Uint8Array, error: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const p = 1 / (1 + Math.exp(-logits[i]!));
    const weight = cells[i] ? POSITIVE_WEIGHT : 1;
    error[i] = (weight * (p - cells[i]!)) / logits.length;
    sum -= weight * Math.log(Math.max(1e-9, cells[i] ? p : 1 - p));
  }
  return sum / logits.length;
}

/** Adam (Kingma and Ba 2015, algorithm 1) with its usual constants. */
class Adam {
  readonly #parameters: { values: Float32Array; gradient: Float32Array }[] = [];
  readonly #sums: Float32Array[];
  readonly #first: Float32Array[];
  readonly #second: Float32Array[];
  #steps = 0;

  constructor(layers: readonly Layer[]) {
    for (const { weights, weightGradient, bias, biasGradient } of layers) {
      if (weights.length === 0) continue;
      this.#parameters.push({ values: weights, gradient: weightGradient });
      this.#parameters.push({ values: bias, gradient: biasGradient });
    }
    const empty = () => this.#parameters.map(({ values }) => new Float32Array(values.length));
    this.#sums = empty();
    this.#first = empty();
    this.#second = empty();
  }

  /** Adds the layers' gradients to those of the batch. */
  collect(): void {
    this.#parameters.forEach(({ gradient }, k) => {
      const sum = this.#sums[k]!;
      for (let i = 0; i < sum.length; i++) sum[i]! += gradient[i]!;
    });
  }

  /** Moves the parameters against the mean gradient of `batch` examples. */
  step(rate: number, batch: number): void {
    this.#steps++;
    const correct1 = 1 - 0.9 ** this.#steps;
    const correct2 = 1 - 0.999 ** this.#steps;
    this.#parameters.forEach(({ values }, k) => {
      const sum = this.#sums[k]!;
      const first = this.#first[k]!;
      const second = this.#second[k]!;
      for (let i = 0; i < values.length; i++) {
        const g = sum[i]! / batch;
        first[i] = 0.9 * first[i]! + 0.1 * g;
        second[i] = 0.999 * second[i]! + 0.001 * g * g;
        values[i]! -= (rate * first[i]!) / correct1 / (Math.sqrt(second[i]! / correct2) + 1e-8);
      }
      sum.fill(0);
    });
  }
}
