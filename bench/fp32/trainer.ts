/** The FP32 reference trainer: sequential net, softmax with cross-entropy, SGD with batch 1. */

import { Random } from "../../host/data/random.ts";
import { elements, type NetSpec, planNet } from "../net.ts";
import { buildLayer, type Layer, Residual } from "./layers.ts";

export class Fp32Trainer {
  readonly layers: readonly Layer[];
  /** The residuals that add each layer's output. */
  readonly #joins: readonly (readonly Residual[])[];
  readonly #inputs: number;
  readonly #probabilities: Float32Array;
  readonly #error: Float32Array;
  /** The layer below which nothing learns. */
  readonly #lowest: number;

  /** `seed` draws the initial weights; the same seed gives the same net. */
  constructor(net: NetSpec, seed: number) {
    const random = new Random(seed);
    const layers: Layer[] = [];
    for (const plan of planNet(net)) layers.push(buildLayer(plan, random, layers));
    this.layers = layers;
    this.#joins = layers.map((layer) =>
      layers.filter((other): other is Residual => other instanceof Residual && other.from === layer),
    );
    this.#inputs = elements(net.input);
    this.#lowest = this.layers.findIndex((layer) => layer.weights.length > 0);
    const last = this.layers.at(-1);
    if (last === undefined) throw new RangeError("a net needs at least one layer");
    this.#probabilities = new Float32Array(last.output.length);
    this.#error = new Float32Array(last.output.length);
  }

  /** Logits of one sample, valid until the next call. */
  forward(x: Float32Array): Float32Array {
    if (x.length !== this.#inputs)
      throw new RangeError(`the net takes ${this.#inputs} values, got ${x.length}`);
    let value = x;
    for (const layer of this.layers) {
      layer.forward(value);
      value = layer.output;
    }
    return value;
  }

  /** Index of the largest logit; the first one wins a tie. */
  classify(x: Float32Array): number {
    const logits = this.forward(x);
    let best = 0;
    for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
    return best;
  }

  /** Forward and backward pass; gradients stay in the layers. Returns the cross-entropy in nats. */
  gradients(x: Float32Array, label: number): number {
    const loss = this.#crossEntropy(this.forward(x), label);
    let error = this.#error;
    for (let i = this.layers.length - 1; i >= 0; i--) {
      const layer = this.layers[i]!;
      for (const { inputGradient } of this.#joins[i]!)
        for (let k = 0; k < error.length; k++) error[k]! += inputGradient[k]!;
      layer.backward(i > 0 ? this.layers[i - 1]!.output : x, error, i > this.#lowest);
      error = layer.inputGradient;
    }
    return loss;
  }

  /** One step of SGD: w ← w − rate · ∂loss/∂w. Returns the loss before the step. */
  step(x: Float32Array, label: number, rate: number): number {
    const loss = this.gradients(x, label);
    for (const layer of this.layers) {
      descend(layer.weights, layer.weightGradient, rate);
      descend(layer.bias, layer.biasGradient, rate);
    }
    return loss;
  }

  #crossEntropy(logits: Float32Array, label: number): number {
    if (!(label >= 0 && label < logits.length)) {
      throw new RangeError(`label ${label} is none of the ${logits.length} classes`);
    }
    let largest = logits[0]!;
    for (let i = 1; i < logits.length; i++) if (logits[i]! > largest) largest = logits[i]!;
    let sum = 0;
    for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - largest);
    for (let i = 0; i < logits.length; i++) {
      this.#probabilities[i] = Math.exp(logits[i]! - largest) / sum;
      this.#error[i] = this.#probabilities[i]! - (i === label ? 1 : 0);
    }
    return Math.log(sum) - (logits[label]! - largest);
  }
}

function descend(values: Float32Array, gradient: Float32Array, rate: number): void {
  for (let i = 0; i < values.length; i++) values[i]! -= rate * gradient[i]!;
}
