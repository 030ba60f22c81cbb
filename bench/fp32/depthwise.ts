/** Depthwise convolution of the FP32 reference: each channel by a window of its own. Weights [c, kernel, kernel]. */

import type { Random } from "../../host/data/random.ts";
import { elements, type LayerPlan, type Shape, windowOf } from "../net.ts";
import type { Layer } from "./layers.ts";

export class Depthwise implements Layer {
  readonly name: string;
  readonly outputShape: Shape;
  readonly output: Float32Array;
  readonly inputGradient: Float32Array;
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  readonly weightGradient: Float32Array;
  readonly biasGradient: Float32Array;
  readonly #input: Shape;
  readonly #kernel: number;
  readonly #stride: number;
  readonly #top: number;
  readonly #left: number;

  constructor(plan: LayerPlan, random: Random) {
    if (plan.spec.kind !== "depthwise") throw new TypeError(`${plan.name}: not a depthwise convolution`);
    const { kernel, stride = 1, padding = "valid" } = plan.spec;
    const [h, w, c] = plan.input;
    this.name = plan.name;
    this.outputShape = plan.output;
    this.#input = plan.input;
    this.#kernel = kernel;
    this.#stride = stride;
    this.#top = windowOf(h, kernel, stride, padding).before;
    this.#left = windowOf(w, kernel, stride, padding).before;
    this.output = new Float32Array(elements(plan.output));
    this.inputGradient = new Float32Array(elements(plan.input));
    const limit = Math.sqrt(6 / (kernel * kernel));
    this.weights = Float32Array.from(
      { length: c * kernel * kernel },
      () => (random.next() / 2 ** 31 - 1) * limit,
    );
    this.bias = new Float32Array(c);
    this.weightGradient = new Float32Array(this.weights.length);
    this.biasGradient = new Float32Array(c);
  }

  forward(x: Float32Array): void {
    const c = this.#input[2];
    const { weights, bias, output } = this;
    for (let at = 0; at < output.length; at += c) output.set(bias, at);
    this.#eachTap((from, to, tap, taps) => {
      for (let i = 0; i < c; i++) output[to + i]! += x[from + i]! * weights[i * taps + tap]!;
    });
  }

  backward(x: Float32Array, error: Float32Array, wantInputGradient: boolean): void {
    const c = this.#input[2];
    const { weights, weightGradient, biasGradient, inputGradient } = this;
    weightGradient.fill(0);
    biasGradient.fill(0);
    if (wantInputGradient) inputGradient.fill(0);
    for (let at = 0; at < error.length; at += c) {
      for (let i = 0; i < c; i++) biasGradient[i]! += error[at + i]!;
    }
    this.#eachTap((from, to, tap, taps) => {
      for (let i = 0; i < c; i++) weightGradient[i * taps + tap]! += error[to + i]! * x[from + i]!;
      if (!wantInputGradient) return;
      for (let i = 0; i < c; i++) inputGradient[from + i]! += error[to + i]! * weights[i * taps + tap]!;
    });
  }

  /** Every pair of an input pixel and an output pixel that a tap joins: where their channels begin, and which tap. */
  #eachTap(visit: (from: number, to: number, tap: number, taps: number) => void): void {
    const [h, w, c] = this.#input;
    const [rows, columns] = this.outputShape;
    const kernel = this.#kernel;
    for (let oy = 0; oy < rows; oy++) {
      for (let ky = 0; ky < kernel; ky++) {
        const y = oy * this.#stride + ky - this.#top;
        if (y < 0 || y >= h) continue;
        for (let ox = 0; ox < columns; ox++) {
          for (let kx = 0; kx < kernel; kx++) {
            const x = ox * this.#stride + kx - this.#left;
            if (x < 0 || x >= w) continue;
            visit((y * w + x) * c, (oy * columns + ox) * c, ky * kernel + kx, kernel * kernel);
          }
        }
      }
    }
  }
}
