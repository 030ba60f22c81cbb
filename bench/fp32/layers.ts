/**
 * Layers of the FP32 reference: forward, backward, plain SGD, batch 1. Values are stored as float32; a dot product
 * is summed in double, as every JavaScript engine does. All buffers are made once, so that a step allocates
 * nothing. Layout NHWC, weights OHWI (a window's row is one contiguous run in both).
 */

import type { Random } from "../../host/data/random.ts";
import { elements, type LayerPlan, type Shape, windowOf } from "../net.ts";
import { Depthwise } from "./depthwise.ts";

export interface Layer {
  readonly name: string;
  readonly outputShape: Shape;
  /** Result of the last `forward`. */
  readonly output: Float32Array;
  /** Result of the last `backward`, if it was asked for the input's gradient. */
  readonly inputGradient: Float32Array;
  /** Empty where a layer learns nothing. */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  readonly weightGradient: Float32Array;
  readonly biasGradient: Float32Array;
  forward(x: Float32Array): void;
  /** `x` is what `forward` saw, `error` the gradient of the loss with respect to `output`. */
  backward(x: Float32Array, error: Float32Array, wantInputGradient: boolean): void;
}

const NONE = new Float32Array(0);

/**
 * Builds one layer; weights are He-uniform in ±√(6 / fan-in), biases zero.
 *
 * @param below the layers that it stands on
 */
export function buildLayer(plan: LayerPlan, random: Random, below: readonly Layer[] = []): Layer {
  switch (plan.spec.kind) {
    case "conv2d":
      return new Conv2d(plan, random);
    case "depthwise":
      return new Depthwise(plan, random);
    case "dense":
      return new Conv2d(asConvolution(plan), random);
    case "maxPool":
      return new MaxPool(plan);
    case "relu":
      return new Relu(plan);
    case "residual":
      return new Residual(plan, below[plan.spec.from]!);
  }
}

/** Dense is a 1×1 convolution over one pixel with all inputs as channels. */
function asConvolution(plan: LayerPlan): LayerPlan {
  const input: Shape = [1, 1, elements(plan.input)];
  return { ...plan, input, spec: { kind: "conv2d", filters: plan.output[2], kernel: 1 } };
}

class Conv2d implements Layer {
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
  /** The input within its border of zeros, and its gradient; both empty where there is no border. */
  readonly #padded: Float32Array;
  readonly #paddedGradient: Float32Array;
  readonly #paddedWidth: number;

  constructor(plan: LayerPlan, random: Random) {
    if (plan.spec.kind !== "conv2d") throw new TypeError(`${plan.name}: not a convolution`);
    const { kernel, stride = 1, padding = "valid", filters } = plan.spec;
    const [h, w, c] = plan.input;
    const [rows, columns] = plan.output;
    this.name = plan.name;
    this.outputShape = plan.output;
    this.#input = plan.input;
    this.#kernel = kernel;
    this.#stride = stride;
    this.#top = windowOf(h, kernel, stride, padding).before;
    this.#left = windowOf(w, kernel, stride, padding).before;
    const border = padding !== "valid";
    const paddedHeight = border ? Math.max(this.#top + h, (rows - 1) * stride + kernel) : h;
    this.#paddedWidth = border ? Math.max(this.#left + w, (columns - 1) * stride + kernel) : w;
    const bordered = paddedHeight !== h || this.#paddedWidth !== w;
    this.#padded = bordered ? new Float32Array(paddedHeight * this.#paddedWidth * c) : NONE;
    this.#paddedGradient = bordered ? new Float32Array(this.#padded.length) : NONE;
    this.output = new Float32Array(elements(plan.output));
    this.inputGradient = new Float32Array(elements(plan.input));
    const fanIn = kernel * kernel * c;
    const limit = Math.sqrt(6 / fanIn);
    this.weights = Float32Array.from(
      { length: filters * fanIn },
      () => (random.next() / 2 ** 31 - 1) * limit,
    );
    this.bias = new Float32Array(filters);
    this.weightGradient = new Float32Array(this.weights.length);
    this.biasGradient = new Float32Array(filters);
  }

  forward(x: Float32Array): void {
    const source = this.#padded.length > 0 ? this.#pad(x) : x;
    const [rows, columns, filters] = this.outputShape;
    const { weights, bias, output } = this;
    const kernel = this.#kernel;
    const run = kernel * this.#input[2];
    const pitch = this.#paddedWidth * this.#input[2];
    const fanIn = kernel * run;
    const step = this.#stride * this.#input[2];
    let at = 0;
    for (let oy = 0; oy < rows; oy++) {
      for (let ox = 0; ox < columns; ox++) {
        const corner = oy * this.#stride * pitch + ox * step;
        let o = 0;
        // Four filters share each input: a load saved is what counts here.
        for (; o + 4 <= filters; o += 4) {
          let a0 = bias[o]!;
          let a1 = bias[o + 1]!;
          let a2 = bias[o + 2]!;
          let a3 = bias[o + 3]!;
          for (let ky = 0; ky < kernel; ky++) {
            const from = corner + ky * pitch;
            const w0 = o * fanIn + ky * run;
            const w1 = w0 + fanIn;
            const w2 = w1 + fanIn;
            const w3 = w2 + fanIn;
            for (let i = 0; i < run; i++) {
              const v = source[from + i]!;
              a0 += v * weights[w0 + i]!;
              a1 += v * weights[w1 + i]!;
              a2 += v * weights[w2 + i]!;
              a3 += v * weights[w3 + i]!;
            }
          }
          output[at] = a0;
          output[at + 1] = a1;
          output[at + 2] = a2;
          output[at + 3] = a3;
          at += 4;
        }
        for (; o < filters; o++) {
          let a = bias[o]!;
          for (let ky = 0; ky < kernel; ky++) {
            const from = corner + ky * pitch;
            const w0 = o * fanIn + ky * run;
            for (let i = 0; i < run; i++) a += source[from + i]! * weights[w0 + i]!;
          }
          output[at++] = a;
        }
      }
    }
  }

  backward(x: Float32Array, error: Float32Array, wantInputGradient: boolean): void {
    const bordered = this.#padded.length > 0;
    const source = bordered ? this.#padded : x;
    const target = bordered ? this.#paddedGradient : this.inputGradient;
    const [rows, columns, filters] = this.outputShape;
    const { weights, weightGradient, biasGradient } = this;
    const kernel = this.#kernel;
    const run = kernel * this.#input[2];
    const pitch = this.#paddedWidth * this.#input[2];
    const fanIn = kernel * run;
    const step = this.#stride * this.#input[2];
    weightGradient.fill(0);
    biasGradient.fill(0);
    if (wantInputGradient) target.fill(0);
    let at = 0;
    for (let oy = 0; oy < rows; oy++) {
      for (let ox = 0; ox < columns; ox++) {
        const corner = oy * this.#stride * pitch + ox * step;
        for (let o = 0; o < filters; o++) {
          const e = error[at++]!;
          // Below a max pool three errors of four are zero: they add nothing.
          if (e === 0) continue;
          biasGradient[o]! += e;
          for (let ky = 0; ky < kernel; ky++) {
            const from = corner + ky * pitch;
            const w0 = o * fanIn + ky * run;
            for (let i = 0; i < run; i++) weightGradient[w0 + i]! += e * source[from + i]!;
            if (!wantInputGradient) continue;
            for (let i = 0; i < run; i++) target[from + i]! += e * weights[w0 + i]!;
          }
        }
      }
    }
    if (bordered && wantInputGradient) this.#crop();
  }

  #pad(x: Float32Array): Float32Array {
    const [h, w, c] = this.#input;
    for (let y = 0; y < h; y++) {
      const to = ((y + this.#top) * this.#paddedWidth + this.#left) * c;
      for (let i = 0; i < w * c; i++) this.#padded[to + i] = x[y * w * c + i]!;
    }
    return this.#padded;
  }

  #crop(): void {
    const [h, w, c] = this.#input;
    for (let y = 0; y < h; y++) {
      const from = ((y + this.#top) * this.#paddedWidth + this.#left) * c;
      for (let i = 0; i < w * c; i++) this.inputGradient[y * w * c + i] = this.#paddedGradient[from + i]!;
    }
  }
}

/** A layer that learns nothing. */
class Fixed {
  readonly name: string;
  readonly outputShape: Shape;
  readonly output: Float32Array;
  readonly inputGradient: Float32Array;
  readonly weights = NONE;
  readonly bias = NONE;
  readonly weightGradient = NONE;
  readonly biasGradient = NONE;

  constructor(plan: LayerPlan) {
    this.name = plan.name;
    this.outputShape = plan.output;
    this.output = new Float32Array(elements(plan.output));
    this.inputGradient = new Float32Array(elements(plan.input));
  }
}

class MaxPool extends Fixed implements Layer {
  readonly #input: Shape;
  readonly #size: number;
  readonly #stride: number;
  /** Where each output came from; the first maximum in row order wins a tie. */
  readonly #origin: Uint32Array;

  constructor(plan: LayerPlan) {
    if (plan.spec.kind !== "maxPool") throw new TypeError(`${plan.name}: not a max pool`);
    super(plan);
    this.#input = plan.input;
    this.#size = plan.spec.size;
    this.#stride = plan.spec.stride ?? plan.spec.size;
    this.#origin = new Uint32Array(this.output.length);
  }

  forward(x: Float32Array): void {
    const [, width, channels] = this.#input;
    const [rows, columns] = this.outputShape;
    let at = 0;
    for (let oy = 0; oy < rows; oy++) {
      for (let ox = 0; ox < columns; ox++) {
        for (let c = 0; c < channels; c++, at++) {
          const corner = (oy * this.#stride * width + ox * this.#stride) * channels + c;
          let best = corner;
          let value = x[corner]!;
          for (let ky = 0; ky < this.#size; ky++) {
            for (let kx = 0; kx < this.#size; kx++) {
              const from = corner + (ky * width + kx) * channels;
              if (x[from]! > value) {
                best = from;
                value = x[from]!;
              }
            }
          }
          this.output[at] = value;
          this.#origin[at] = best;
        }
      }
    }
  }

  backward(_x: Float32Array, error: Float32Array, wantInputGradient: boolean): void {
    if (!wantInputGradient) return;
    this.inputGradient.fill(0);
    for (let i = 0; i < error.length; i++) this.inputGradient[this.#origin[i]!]! += error[i]!;
  }
}

/** The sum of its input and of the output of `from`; its input gradient is that of either. */
export class Residual extends Fixed implements Layer {
  readonly from: Layer;

  constructor(plan: LayerPlan, from: Layer) {
    super(plan);
    this.from = from;
  }

  forward(x: Float32Array): void {
    const other = this.from.output;
    for (let i = 0; i < x.length; i++) this.output[i] = x[i]! + other[i]!;
  }

  backward(_x: Float32Array, error: Float32Array): void {
    this.inputGradient.set(error);
  }
}

class Relu extends Fixed implements Layer {
  forward(x: Float32Array): void {
    for (let i = 0; i < x.length; i++) this.output[i] = Math.max(x[i]!, 0);
  }

  backward(_x: Float32Array, error: Float32Array, wantInputGradient: boolean): void {
    if (!wantInputGradient) return;
    for (let i = 0; i < error.length; i++) this.inputGradient[i] = this.output[i]! > 0 ? error[i]! : 0;
  }
}
