// The FP32 reference of bench/ against two independent sources: @tensorflow/tfjs (gradients, and every loss and weight
// of the first 50 steps) and finite differences. The bounds are multiples of the float32 rounding unit, 2^-24.
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { Fp32Trainer } from "../../bench/fp32/trainer.ts";
import {
  elements,
  type LayerSpec,
  type NetSpec,
  planNet,
  REFERENCE_NET,
  trainingMacs,
} from "../../bench/net.ts";
import { Random } from "../../host/data/random.ts";

const UNIT = 2 ** -24;

/** Every kind of window: valid, padded, strided, both parities of the padding, overlapping pools. */
const NETS: [name: string, NetSpec][] = [
  ["dense alone", { input: [1, 1, 12], layers: [{ kind: "dense", units: 4 }] }],
  [
    "multilayer perceptron",
    {
      input: [4, 4, 1],
      layers: [{ kind: "dense", units: 9 }, { kind: "relu" }, { kind: "dense", units: 5 }],
    },
  ],
  ["valid", small({ kind: "conv2d", filters: 5, kernel: 3 }, { kind: "relu" }, { kind: "maxPool", size: 2 })],
  ["padded", small({ kind: "conv2d", filters: 4, kernel: 3, padding: "same" }, { kind: "relu" })],
  ["padded by an even kernel", small({ kind: "conv2d", filters: 3, kernel: 4, padding: "same" })],
  ["strided", small({ kind: "conv2d", filters: 6, kernel: 3, stride: 2 }, { kind: "relu" })],
  ["padded and strided", small({ kind: "conv2d", filters: 4, kernel: 5, stride: 3, padding: "same" })],
  ["padded by a number", small({ kind: "conv2d", filters: 4, kernel: 3, stride: 2, padding: 1 })],
  [
    "residual",
    small(
      { kind: "conv2d", filters: 4, kernel: 3, padding: 1 },
      { kind: "relu" },
      { kind: "conv2d", filters: 4, kernel: 3, padding: 1 },
      { kind: "relu" },
      { kind: "conv2d", filters: 4, kernel: 3, padding: 1 },
      { kind: "residual", from: 1 },
      { kind: "relu" },
    ),
  ],
  ["depthwise", small({ kind: "depthwise", kernel: 3 }, { kind: "relu" })],
  ["depthwise, padded and strided", small({ kind: "depthwise", kernel: 3, stride: 2, padding: 1 })],
  [
    "depthwise-separable",
    small(
      { kind: "conv2d", filters: 4, kernel: 3, padding: 1 },
      { kind: "relu" },
      { kind: "depthwise", kernel: 3, padding: "same" },
      { kind: "conv2d", filters: 6, kernel: 1 },
    ),
  ],
  [
    "overlapping pool",
    small({ kind: "conv2d", filters: 4, kernel: 2 }, { kind: "maxPool", size: 3, stride: 2 }),
  ],
  [
    "two convolutions, the second one padded",
    small(
      { kind: "conv2d", filters: 4, kernel: 3 },
      { kind: "relu" },
      { kind: "maxPool", size: 2 },
      { kind: "conv2d", filters: 6, kernel: 3, stride: 2, padding: "same" },
      { kind: "relu" },
    ),
  ],
  ["the reference net", REFERENCE_NET],
];

function small(...layers: LayerSpec[]): NetSpec {
  return { input: [9, 8, 3], layers: [...layers, { kind: "dense", units: 4 }] };
}

/** Samples that can be learnt: each class is a random pattern, seen with noise. */
function samples(net: NetSpec, count: number, seed: number): { x: Float32Array; label: number }[] {
  const random = new Random(seed);
  const classes = elements(planNet(net).at(-1)!.output);
  const patterns = Array.from({ length: classes }, () =>
    Float32Array.from({ length: elements(net.input) }, () => random.next() / 2 ** 32),
  );
  return Array.from({ length: count }, () => {
    const label = random.below(classes);
    return { x: patterns[label]!.map((value) => 0.7 * value + (0.3 * random.next()) / 2 ** 32), label };
  });
}

/** The same net in tfjs: one variable for each weight and bias, HWIO as tfjs wants it. */
class TfjsNet {
  readonly variables: { weights: tf.Variable; bias: tf.Variable }[] = [];
  readonly #net: NetSpec;

  constructor(net: NetSpec, trainer: Fp32Trainer) {
    this.#net = net;
    planNet(net).forEach((plan, index) => {
      const layer = trainer.layers[index]!;
      if (plan.macs === 0) return;
      const { kind } = plan.spec;
      const kernel = kind === "conv2d" || kind === "depthwise" ? plan.spec.kernel : 1;
      const channels = kind === "conv2d" ? plan.input[2] : kind === "dense" ? elements(plan.input) : 1;
      const ohwi = tf.tensor4d(layer.weights, [plan.output[2], kernel, kernel, channels]);
      this.variables.push({
        weights: tf.variable(ohwi.transpose([1, 2, 3, 0])),
        bias: tf.variable(tf.tensor1d(layer.bias)),
      });
    });
  }

  loss(x: Float32Array, label: number): tf.Scalar {
    let value: tf.Tensor4D = tf.tensor4d(x, [1, ...this.#net.input]);
    let next = 0;
    const outputs: tf.Tensor4D[] = [];
    for (const spec of this.#net.layers) {
      if (spec.kind === "relu") value = tf.relu(value);
      else if (spec.kind === "residual") value = tf.add(value, outputs[spec.from]!);
      else if (spec.kind === "maxPool")
        value = tf.maxPool(value, spec.size, spec.stride ?? spec.size, "valid");
      else if (spec.kind === "depthwise") {
        const { weights, bias } = this.variables[next++]!;
        // One channel after the other: tfjs wants [kernel, kernel, c, 1], and each filter here has one channel.
        const filter = (weights as unknown as tf.Tensor4D).transpose<tf.Tensor4D>([0, 1, 3, 2]);
        value = tf.depthwiseConv2d(value, filter, spec.stride ?? 1, spec.padding ?? "valid").add(bias);
      } else {
        const { weights, bias } = this.variables[next++]!;
        const input: tf.Tensor4D = spec.kind === "dense" ? value.reshape([1, 1, 1, value.size]) : value;
        const [stride, padding] =
          spec.kind === "dense"
            ? ([1, "valid"] as const)
            : ([spec.stride ?? 1, spec.padding ?? "valid"] as const);
        value = tf.conv2d(input, weights as unknown as tf.Tensor4D, stride, padding).add(bias);
      }
      outputs.push(value);
    }
    const logits = value.reshape([1, value.size]) as tf.Tensor2D;
    return tf.losses.softmaxCrossEntropy(tf.oneHot([label], value.size), logits).asScalar();
  }

  /** Loss and gradients, in the reference's layout. */
  gradients(x: Float32Array, label: number): { loss: number; weights: Float32Array[]; bias: Float32Array[] } {
    return tf.tidy(() => {
      const all = this.variables.flatMap(({ weights, bias }) => [weights, bias]);
      const { value, grads } = tf.variableGrads(() => this.loss(x, label), all);
      const of = (variable: tf.Variable): tf.Tensor => grads[variable.name]!;
      return {
        loss: value.dataSync()[0]!,
        weights: this.variables.map(({ weights }) => ohwi(of(weights))),
        bias: this.variables.map(({ bias }) => of(bias).dataSync() as Float32Array),
      };
    });
  }
}

const ohwi = (hwio: tf.Tensor): Float32Array => hwio.transpose([3, 0, 1, 2]).dataSync() as Float32Array;

/** Largest difference, measured by the largest magnitude of `want`. */
function distance(got: Float32Array, want: Float32Array): number {
  expect(got.length).toBe(want.length);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < want.length; i++) {
    difference = Math.max(difference, Math.abs(got[i]! - want[i]!));
    largest = Math.max(largest, Math.abs(want[i]!));
  }
  return largest === 0 ? difference : difference / largest;
}

beforeAll(async () => {
  await tf.setBackend("cpu");
});

describe("FP32 reference against tfjs", () => {
  it.each(NETS)("gradients of one step: %s", (_name, net) => {
    const trainer = new Fp32Trainer(net, 3);
    const other = new TfjsNet(net, trainer);
    for (const { x, label } of samples(net, 3, 4)) {
      const loss = trainer.gradients(x, label);
      const want = other.gradients(x, label);
      expect(Math.abs(loss - want.loss)).toBeLessThan(64 * UNIT * Math.max(1, want.loss));
      const learning = trainer.layers.filter((layer) => layer.weights.length > 0);
      learning.forEach((layer, index) => {
        expect(distance(layer.weightGradient, want.weights[index]!), layer.name).toBeLessThan(256 * UNIT);
        expect(distance(layer.biasGradient, want.bias[index]!), layer.name).toBeLessThan(256 * UNIT);
      });
    }
  });

  it("the first 50 steps of the reference net: every loss, and the weights at the end", () => {
    const trainer = new Fp32Trainer(REFERENCE_NET, 0);
    const other = new TfjsNet(REFERENCE_NET, trainer);
    const optimizer = tf.train.sgd(0.005);
    const losses: number[] = [];
    for (const { x, label } of samples(REFERENCE_NET, 50, 5)) {
      const want = tf.tidy(() => optimizer.minimize(() => other.loss(x, label), true)!.dataSync()[0]!);
      const got = trainer.step(x, label, 0.005);
      expect(Math.abs(got - want), `step ${losses.length}`).toBeLessThan(1e-4 * Math.max(1, want));
      losses.push(got);
    }
    const learning = trainer.layers.filter((layer) => layer.weights.length > 0);
    learning.forEach((layer, index) => {
      const { weights, bias } = other.variables[index]!;
      expect(distance(layer.weights, ohwi(weights)), layer.name).toBeLessThan(1e-4);
      expect(distance(layer.bias, bias.dataSync() as Float32Array), layer.name).toBeLessThan(1e-3);
    });
    const mean = (part: number[]): number => part.reduce((sum, loss) => sum + loss, 0) / part.length;
    expect(mean(losses.slice(-10)), "it learns").toBeLessThan(0.9 * mean(losses.slice(0, 10)));
  }, 120_000);
});

describe("FP32 reference by itself", () => {
  it.each(NETS)("finite differences agree with the gradients: %s", (_name, net) => {
    const trainer = new Fp32Trainer(net, 8);
    const random = new Random(9);
    const { x, label } = samples(net, 1, 10)[0]!;
    trainer.gradients(x, label);
    const h = 2 ** -11;
    // Gradients are copied at once: every loss that follows overwrites them.
    const learnt = trainer.layers.flatMap(({ name, weights, weightGradient, bias, biasGradient }) => [
      { name: `${name} weights`, values: weights, gradient: weightGradient.slice() },
      { name: `${name} bias`, values: bias, gradient: biasGradient.slice() },
    ]);
    for (const { name, values, gradient } of learnt) {
      const largest = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const places = Math.min(values.length, 40);
      let bad = 0;
      for (let k = 0; k < places; k++) {
        const i = random.below(values.length);
        const value = values[i]!;
        values[i] = value + h;
        const above = trainer.gradients(x, label);
        values[i] = value - h;
        const below = trainer.gradients(x, label);
        values[i] = value;
        if (Math.abs((above - below) / (2 * h) - gradient[i]!) > 0.02 * largest + 1e-3) bad++;
      }
      // A step of h may carry a unit over a kink of relu or of the maximum: one place in ten.
      expect(bad, name).toBeLessThanOrEqual(places / 10);
    }
  });

  it("the same seed gives the same run, another seed another one", () => {
    const net = NETS[8]![1];
    const run = (seed: number): number[] => {
      const trainer = new Fp32Trainer(net, seed);
      return samples(net, 20, 1).map(({ x, label }) => trainer.step(x, label, 0.01));
    };
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
  });

  it("counts parameters and MACs of the reference net", () => {
    expect(planNet(REFERENCE_NET).reduce((sum, layer) => sum + layer.parameters, 0)).toBe(5994);
    // forward 115,200 + 204,800 + 2,560; the first layer passes no error on
    expect(trainingMacs(REFERENCE_NET)).toBe(2 * 115_200 + 3 * 204_800 + 3 * 2_560);
  });

  it("refuses what does not fit, by name", () => {
    const net: NetSpec = { input: [4, 4, 1], layers: [{ kind: "relu" }, { kind: "maxPool", size: 5 }] };
    expect(() => planNet(net)).toThrow("maxPool 2: a 5×5 window does not fit 4×4");
    const trainer = new Fp32Trainer(NETS[0]![1], 0);
    expect(() => trainer.forward(new Float32Array(11))).toThrow("takes 12 values, got 11");
    expect(() => trainer.gradients(new Float32Array(12), 4)).toThrow("label 4 is none of the 4 classes");
  });
});
