/**
 * `npm run bench:octo -- --normalisation`: whether a normalisation that suits batch 1 earns its cost. Candidates are screened in FP32, where they
 * can do no worse than in integers: the same net, images, order and rate without one, with running statistics of each channel, and with
 * standardised weights. Accuracy is that on training images behind those that are learned.
 */
import type { Layer } from "../fp32/layers.ts";
import { Fp32Trainer } from "../fp32/trainer.ts";
import { IMPORT_NETS } from "../import/nets.ts";
import { type Machine, thisMachine } from "../machine.ts";
import type { NetSpec } from "../net.ts";
import { markdownTable, percent } from "../tables.ts";
import { type BenchData, type Budget, FULL, loadData, orderOf, rateAt } from "./budget.ts";
import { NETS } from "./nets.ts";

export type Normalisation = "none" | "running statistics" | "standardised weights";
/** With the rate: what divides by small deviations wants a smaller one. */
export const METHODS: readonly (readonly [Normalisation, number])[] = [
  ["none", 0.01],
  ["running statistics", 0.01],
  ["running statistics", 0.002],
  ["standardised weights", 0.01],
];

export const NORMALISATION: Budget = {
  ...FULL,
  ...{ train: 10_000, test: 2_000, epochs: 2, rate: 0.01, cosine: true, validation: true },
};
const SEEDS = [0, 1];
/** Statistics are means over about this many samples. */
const MEMORY = 128;
const EPSILON = 1e-3;
const LEAST_GAIN = 0.05;

const SPECS = {
  "30k": NETS["30k"].spec,
  // the residual net of the accuracy table takes other images: this one has the same blocks
  residual: IMPORT_NETS.residual.spec,
} as const satisfies Record<string, NetSpec>;
export type NormalisationNet = keyof typeof SPECS;

export interface NormalisationRow {
  net: NormalisationNet;
  method: Normalisation;
  rate: number;
  /** 0 … 1, by seed. */
  accuracies: Record<string, number>;
}

export interface NormalisationResult {
  budget: Budget;
  machine: Machine;
  rows: NormalisationRow[];
}

/** Something that learns beside the weights of a layer that it wraps. */
interface Wrapped extends Layer {
  learn(rate: number): void;
}

abstract class Wrapper implements Wrapped {
  protected readonly inner: Layer;
  readonly #gainGradient: Float32Array;
  /** Of each channel. */
  protected readonly gain: Float32Array;

  constructor(inner: Layer, gain: number) {
    this.inner = inner;
    this.gain = new Float32Array(inner.bias.length).fill(gain);
    this.#gainGradient = new Float32Array(inner.bias.length);
  }

  get name() {
    return this.inner.name;
  }
  get outputShape() {
    return this.inner.outputShape;
  }
  get output() {
    return this.inner.output;
  }
  get inputGradient() {
    return this.inner.inputGradient;
  }
  get weights() {
    return this.inner.weights;
  }
  get bias() {
    return this.inner.bias;
  }
  get weightGradient() {
    return this.inner.weightGradient;
  }
  get biasGradient() {
    return this.inner.biasGradient;
  }

  abstract forward(x: Float32Array): void;
  abstract backward(x: Float32Array, error: Float32Array, want: boolean): void;

  protected collect(c: number, gradient: number): void {
    this.#gainGradient[c] = gradient;
  }

  learn(rate: number): void {
    for (const [c, gradient] of this.#gainGradient.entries()) this.gain[c]! -= rate * gradient;
  }
}

/**
 * Each channel less its running mean, by its running deviation, times a gain that learns; the layer's bias is the shift. Statistics count
 * as constants on the way back. At inference it is a factor and a term of each channel.
 */
class RunningStatistics extends Wrapper {
  readonly #mean: Float32Array;
  readonly #variance: Float32Array;
  readonly #own: Float32Array;
  readonly #shift: Float32Array;
  readonly #scaled: Float32Array;
  #seen = 0;
  learning = false;

  constructor(inner: Layer) {
    super(inner, 1);
    const channels = inner.bias.length;
    this.#mean = new Float32Array(channels);
    this.#variance = new Float32Array(channels).fill(1);
    this.#own = new Float32Array(inner.output.length);
    this.#scaled = new Float32Array(inner.output.length);
    this.#shift = new Float32Array(channels);
  }

  override get output() {
    return this.#own;
  }
  /** The inner layer's bias stays 0: the mean would take it away. */
  override get bias() {
    return this.#shift;
  }

  #deviation(c: number): number {
    return Math.sqrt(this.#variance[c]! + EPSILON);
  }

  forward(x: Float32Array): void {
    this.inner.forward(x);
    const { output: from } = this.inner;
    const channels = this.#mean.length;
    const n = from.length / channels;
    if (this.learning) this.#seen++;
    const over = Math.min(this.#seen, MEMORY);
    for (let c = 0; c < channels; c++) {
      if (this.learning) {
        let sum = 0;
        let squares = 0;
        for (let i = c; i < from.length; i += channels) {
          const apart = from[i]! - this.#mean[c]!;
          sum += apart;
          squares += apart * apart;
        }
        this.#mean[c]! += sum / n / over;
        this.#variance[c]! += (squares / n - this.#variance[c]!) / over;
      }
      const factor = this.gain[c]! / this.#deviation(c);
      for (let i = c; i < from.length; i += channels)
        this.#own[i] = (from[i]! - this.#mean[c]!) * factor + this.#shift[c]!;
    }
  }

  backward(x: Float32Array, error: Float32Array, want: boolean): void {
    const { output: from } = this.inner;
    const channels = this.#mean.length;
    for (let c = 0; c < channels; c++) {
      const deviation = this.#deviation(c);
      let gradient = 0;
      for (let i = c; i < from.length; i += channels) {
        gradient += (error[i]! * (from[i]! - this.#mean[c]!)) / deviation;
        this.#scaled[i] = (error[i]! * this.gain[c]!) / deviation;
      }
      this.collect(c, gradient);
    }
    this.inner.backward(x, this.#scaled, want);
    // the shift's gradient is that of the outputs, before they were scaled
    this.biasGradient.fill(0);
    for (const [i, e] of error.entries()) this.biasGradient[i % channels]! += e;
  }

  override learn(rate: number): void {
    super.learn(rate);
    for (const [c, gain] of this.gain.entries()) this.gain[c] = Math.max(gain, LEAST_GAIN);
  }
}

/** w = gain·(v − mean v) / deviation v of each filter; v and the gain learn. */
class StandardisedWeights extends Wrapper {
  readonly #raw: Float32Array;
  readonly #gradient: Float32Array;

  constructor(inner: Layer) {
    // as He's first weights
    super(inner, Math.sqrt((2 * inner.bias.length) / inner.weights.length));
    this.#raw = inner.weights.slice();
    this.#gradient = new Float32Array(inner.weights.length);
  }

  override get weights() {
    return this.#raw;
  }
  override get weightGradient() {
    return this.#gradient;
  }

  /** Mean and deviation of a filter. */
  #moments(from: number, to: number): readonly [number, number] {
    const own = this.#raw.subarray(from, to);
    const mean = own.reduce((sum, w) => sum + w, 0) / own.length;
    const variance = own.reduce((sum, w) => sum + (w - mean) ** 2, 0) / own.length;
    return [mean, Math.sqrt(variance + 1e-12)];
  }

  forward(x: Float32Array): void {
    const fanIn = this.#raw.length / this.gain.length;
    for (const [o, gain] of this.gain.entries()) {
      const [mean, deviation] = this.#moments(o * fanIn, (o + 1) * fanIn);
      for (let i = o * fanIn; i < (o + 1) * fanIn; i++)
        this.inner.weights[i] = (gain * (this.#raw[i]! - mean)) / deviation;
    }
    this.inner.forward(x);
  }

  backward(x: Float32Array, error: Float32Array, want: boolean): void {
    this.inner.backward(x, error, want);
    const { weightGradient: slopes } = this.inner;
    const fanIn = slopes.length / this.gain.length;
    for (const [o, gain] of this.gain.entries()) {
      const [mean, deviation] = this.#moments(o * fanIn, (o + 1) * fanIn);
      let sum = 0;
      let along = 0;
      for (let i = o * fanIn; i < (o + 1) * fanIn; i++) {
        sum += slopes[i]!;
        along += (slopes[i]! * (this.#raw[i]! - mean)) / deviation;
      }
      this.collect(o, along);
      for (let i = o * fanIn; i < (o + 1) * fanIn; i++) {
        const z = (this.#raw[i]! - mean) / deviation;
        this.#gradient[i] = (gain / deviation) * (slopes[i]! - sum / fanIn - (z * along) / fanIn);
      }
    }
  }
}

/** Wraps all layers with weights but the last, whose logits keep their scale. */
function wrap(trainer: Fp32Trainer, method: Normalisation): Wrapper[] {
  if (method === "none") return [];
  const layers = trainer.layers as Layer[];
  const places = layers.flatMap(({ weights }, i) => (weights.length > 0 ? [i] : [])).slice(0, -1);
  return places.map((i) => {
    const wrapper =
      method === "running statistics"
        ? new RunningStatistics(layers[i]!)
        : new StandardisedWeights(layers[i]!);
    layers[i] = wrapper;
    return wrapper;
  });
}

function run(data: BenchData, budget: Budget, net: NormalisationNet, method: Normalisation, seed: number) {
  const trainer = new Fp32Trainer(SPECS[net], seed);
  const wrapped = wrap(trainer, method);
  const size = data.height * data.width * data.channels;
  const image = (pixels: Uint8Array, i: number) =>
    Float32Array.from(pixels.subarray(i * size, (i + 1) * size), (p) => p / 255);
  const learning = (on: boolean) => {
    for (const one of wrapped) if (one instanceof RunningStatistics) one.learning = on;
  };
  learning(true);
  let step = 0;
  for (const i of orderOf(budget, seed)) {
    const rate = rateAt(budget, step++);
    trainer.step(image(data.train.pixels, i), data.train.labels[i]!, rate);
    for (const one of wrapped) one.learn(rate);
  }
  learning(false);
  const { count, labels, pixels } = data.test;
  let right = 0;
  for (let i = 0; i < count; i++) if (trainer.classify(image(pixels, i)) === labels[i]) right++;
  return right / count;
}

export interface NormalisationOptions {
  budget: Budget;
  data: "fashion-mnist" | "generated";
  nets?: readonly NormalisationNet[];
  seeds?: readonly number[];
  /** What was measured before; gets what is measured now. */
  rows: NormalisationRow[];
  onRun?(row: NormalisationRow, seed: number): Promise<void>;
}

/** Trains what is not there yet. */
export async function measureNormalisation(options: NormalisationOptions): Promise<NormalisationResult> {
  const { budget, rows, seeds = SEEDS, nets = Object.keys(SPECS) as NormalisationNet[] } = options;
  const data = await loadData(options.data, budget);
  for (const seed of seeds) {
    for (const net of nets) {
      for (const [method, rate] of METHODS) {
        const known = rows.find((one) => one.net === net && one.method === method && one.rate === rate);
        const row = known ?? { net, method, rate, accuracies: {} };
        if (!known) rows.push(row);
        if (row.accuracies[seed] !== undefined) continue;
        row.accuracies[seed] = run(data, { ...budget, rate }, net, method, seed);
        await options.onRun?.(row, seed);
      }
    }
  }
  return { budget, machine: thisMachine(), rows };
}

export function normalisationTable({ rows }: NormalisationResult): string {
  const lines = rows.map(({ net, method, rate, accuracies }) => {
    const all = Object.values(accuracies);
    const mean = all.reduce((sum, one) => sum + one, 0) / all.length;
    return [net, method, String(rate), all.map(percent).join(", "), percent(mean)];
  });
  return markdownTable(["net", "normalisation", "rate", "by seed, %", "mean, %"], lines, [0, 1]);
}
