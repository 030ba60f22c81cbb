/**
 * How PocketNN trains, to compare with: dense layers in integers of 32 bits without scales. Every layer divides its sums by 256 times its
 * inputs; the activation is "pocket tanh", piecewise linear from −127 to 127; errors reach each layer directly from the outputs through
 * fixed random signs (direct feedback alignment), so that nothing is propagated backwards; batches of 20, divided by an inverse learning rate.
 */
import { Random } from "../../host/data/random.ts";
import { type NetSpec, planNet } from "../net.ts";

/** What one sum is divided by, times the inputs of the layer. */
const UNIT = 256;
/** Samples whose gradients are summed for a step. */
const BATCH = 20;
/** Largest output, and the target of the right class. */
const MOST = 127;
/** Pre-activations of first weights spread about this far. */
const SPREAD = 40;
/** Typical magnitude of an input. */
const TYPICAL = 50;
/** What a batch's gradient is divided by at the full rate; chosen on a validation split. */
export const INVERSE_RATE = 400;

/** Pocket tanh and its inverse slope, 1 in the middle. */
function pocketTanh(x: number): number {
  if (x <= -MOST) return -MOST;
  if (x < -74) return Math.trunc(x / 4) - 88;
  if (x < -31) return x - 32;
  if (x < 32) return 2 * x;
  if (x < 75) return x + 32;
  return x <= MOST ? Math.trunc(x / 4) + 88 : MOST;
}

function inverseSlope(x: number): number {
  const size = Math.abs(x);
  if (size < 32) return 1;
  if (size < 75) return 2;
  return size <= MOST ? 8 : MOST;
}

class Dense {
  readonly fanIn: number;
  readonly units: number;
  readonly weights: Int32Array;
  readonly biases: Int32Array;
  /** Before and after the activation. */
  readonly sums: Int32Array;
  readonly outputs: Int32Array;
  /** Signs from each output of the net, [units × classes]. */
  readonly #feedback: Int8Array;
  readonly #gradient: Float64Array;
  readonly #biasGradient: Float64Array;
  readonly #delta: Int32Array;

  constructor(fanIn: number, units: number, classes: number, random: Random) {
    this.fanIn = fanIn;
    this.units = units;
    // uniform in ±√3·σ with SPREAD = σ·TYPICAL·√fanIn / (UNIT·fanIn)
    const limit = Math.round((Math.sqrt(3 * fanIn) * SPREAD * UNIT) / TYPICAL);
    this.weights = Int32Array.from({ length: fanIn * units }, () =>
      Math.round((random.next() / 2 ** 31 - 1) * limit),
    );
    this.biases = new Int32Array(units);
    this.sums = new Int32Array(units);
    this.outputs = new Int32Array(units);
    this.#feedback = Int8Array.from({ length: units * classes }, () => (random.next() & 1 ? 1 : -1));
    this.#gradient = new Float64Array(this.weights.length);
    this.#biasGradient = new Float64Array(units);
    this.#delta = new Int32Array(units);
  }

  forward(x: Int32Array): Int32Array {
    const { biases, fanIn, outputs, sums, units, weights } = this;
    for (let o = 0, at = 0; o < units; o++) {
      let sum = biases[o]!;
      // whole numbers below 2^53
      for (let i = 0; i < fanIn; i++) sum += x[i]! * weights[at++]!;
      sums[o] = Math.max(Math.min(Math.trunc(sum / (UNIT * fanIn)), 2 * MOST), -2 * MOST);
      outputs[o] = pocketTanh(sums[o]!);
    }
    return outputs;
  }

  /** @param error of the net's outputs; the last layer's is its own */
  collect(x: Int32Array, error: Int32Array, last: boolean): void {
    const { fanIn, sums, units } = this;
    const classes = error.length;
    for (let o = 0; o < units; o++) {
      let sum = 0;
      if (last) sum = error[o]!;
      else for (let k = 0; k < classes; k++) sum += this.#feedback[o * classes + k]! * error[k]!;
      const delta = Math.trunc(sum / inverseSlope(sums[o]!));
      this.#delta[o] = delta;
      this.#biasGradient[o]! += delta * MOST;
      if (delta === 0) continue;
      for (let i = 0, at = o * fanIn; i < fanIn; i++, at++) this.#gradient[at]! += delta * x[i]!;
    }
  }

  step(inverseRate: number): void {
    for (const [values, gradient] of [
      [this.weights, this.#gradient],
      [this.biases, this.#biasGradient],
    ] as const) {
      for (let i = 0; i < values.length; i++) values[i]! -= Math.trunc(gradient[i]! / inverseRate);
      gradient.fill(0);
    }
  }
}

export class PocketTrainer {
  readonly #layers: Dense[];
  readonly #error: Int32Array;
  #collected = 0;

  /** A net of dense layers; what stands between them is pocket tanh. @throws RangeError for others */
  constructor(net: NetSpec, seed: number) {
    const plans = planNet(net).filter(({ spec }) => spec.kind !== "relu");
    if (plans.some(({ spec }) => spec.kind !== "dense")) throw new RangeError("PocketNN: dense layers only");
    const random = new Random(seed);
    const classes = plans.at(-1)!.output[2];
    this.#layers = plans.map(
      ({ input, output }) => new Dense(input[0] * input[1] * input[2], output[2], classes, random),
    );
    this.#error = new Int32Array(classes);
  }

  /** @param x 0 … 127; outputs of the net, valid until the next call */
  forward(x: Int32Array): Int32Array {
    return this.#layers.reduce((value, layer) => layer.forward(value), x);
  }

  classify(x: Int32Array): number {
    // saturated outputs are alike: what goes in tells more
    this.forward(x);
    const { sums } = this.#layers.at(-1)!;
    return sums.indexOf(Math.max(...sums));
  }

  /** One sample; a step when the batch is full. */
  learn(x: Int32Array, label: number, inverseRate: number): void {
    const outputs = this.forward(x);
    for (const [k, output] of outputs.entries()) this.#error[k] = output - (k === label ? MOST : -MOST);
    for (const [i, layer] of this.#layers.entries()) {
      layer.collect(i > 0 ? this.#layers[i - 1]!.outputs : x, this.#error, i === this.#layers.length - 1);
    }
    if (++this.#collected < BATCH) return;
    this.#collected = 0;
    for (const layer of this.#layers) layer.step(inverseRate);
  }
}
