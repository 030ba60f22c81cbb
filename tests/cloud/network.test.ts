// The cloud half's network: its gradients against finite differences and against TensorFlow.js, its state, its determinism.
import { readFile } from "node:fs/promises";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { buildCloudKernels } from "../../host/build/modules.ts";
import type { LayerSpec, Shape } from "../../host/cloud/layers.ts";
import { Network, NetworkStateError } from "../../host/cloud/network.ts";
import { Random } from "../../host/data/random.ts";

let wasm: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  wasm = new Uint8Array(await readFile(await buildCloudKernels()));
  await tf.setBackend("cpu");
});

const INPUT: Shape = [7, 6, 4];
const LAYERS: readonly LayerSpec[] = [
  { kind: "conv2d", filters: 8, kernel: 3, padding: 1 },
  { kind: "maxPool" },
  { kind: "conv2d", filters: 12, kernel: 3, stride: 2, padding: 1 },
  { kind: "dense", units: 8 },
  { kind: "dense", units: 5 },
];
const LABELS = [3, 0, 4];

const make = (over: Partial<Parameters<typeof Network.create>[1]> = {}): Promise<Network> =>
  Network.create(wasm, { input: INPUT, layers: LAYERS, batch: 3, seed: 7, wantInputGradient: true, ...over });

function fill(network: Network, seed = 1): void {
  const random = new Random(seed);
  for (let i = 0; i < 3; i++) {
    const x = network.sample(i);
    for (let k = 0; k < x.length; k++) x[k] = random.between(-100, 100) / 100;
  }
}

/** The sum of the samples' losses. */
const lossOf = (network: Network): number => 3 * network.gradients(LABELS).loss;

describe("gradients", () => {
  it.each([0, 1, 2, 3])("of layer %i's weights and biases are those of finite differences", async (layer) => {
    const network = await make();
    fill(network);
    network.gradients(LABELS);
    const { weights, biases } = network.weightGradients(layer);
    const want = { weights: weights.slice(), biases: biases.slice() };
    for (const part of ["weights", "biases"] as const) {
      const values = network.weights(layer)[part];
      // the largest says the most: its neighbours are within rounding of a kink
      const largest = want[part].reduce(
        (best, g, i) => (Math.abs(g) > Math.abs(want[part][best]!) ? i : best),
        0,
      );
      const before = values[largest]!;
      const step = 1 / 256;
      values[largest] = before + step;
      const above = lossOf(network);
      values[largest] = before - step;
      const below = lossOf(network);
      values[largest] = before;
      expect((above - below) / (2 * step)).toBeCloseTo(want[part][largest]!, 1.5);
    }
  });

  it("are TensorFlow.js's, weights, biases and input alike", async () => {
    const network = await make();
    fill(network);
    const { loss } = network.gradients(LABELS);
    const x = tf.tensor4d(Float32Array.from([0, 1, 2].flatMap((i) => [...network.sample(i)])), [3, ...INPUT]);
    const parts = [0, 1, 2, 3].map((i) => network.weights(i));
    const kernel = (i: number, c: number, filters: number): tf.Tensor4D =>
      tf.tensor4d(parts[i]!.weights.slice(), [3, 3, c, filters]);
    const bias = (i: number): tf.Tensor1D => tf.tensor1d(parts[i]!.biases.slice());
    const variables: tf.Tensor[] = [
      x,
      kernel(0, 4, 8),
      kernel(1, 8, 12),
      tf.tensor2d(parts[2]!.weights.slice(), [2 * 2 * 12, 8]),
      // five classes in rows of eight floats
      tf.tensor2d(parts[3]!.weights.slice(), [8, 8]),
      ...[0, 1, 2, 3].map(bias),
    ];
    const model = (...[input, k0, k1, w2, w3, b0, b1, b2, b3]: tf.Tensor[]): tf.Scalar => {
      const first = tf.relu(tf.conv2d(input as tf.Tensor4D, k0 as tf.Tensor4D, 1, 1).add(b0!));
      const pooled = tf.maxPool(first as tf.Tensor4D, 2, 2, "valid");
      const second = tf.relu(tf.conv2d(pooled as tf.Tensor4D, k1 as tf.Tensor4D, 2, 1).add(b1!));
      const hidden = tf.relu(second.reshape([3, -1]).matMul(w2!).add(b2!));
      const logits = hidden.matMul(w3!).add(b3!).slice([0, 0], [3, 5]);
      return tf.neg(
        tf
          .logSoftmax(logits)
          .mul(tf.oneHot(tf.tensor1d(LABELS, "int32"), 5))
          .sum(),
      ) as tf.Scalar;
    };
    const theirs = tf.valueAndGrads(model)(variables);
    expect(3 * loss).toBeCloseTo(theirs.value.dataSync()[0]!, 4);
    const ours = [
      Float32Array.from([0, 1, 2].flatMap((i) => [...network.sampleGradient(i)])),
      ...[0, 1, 2, 3].map((i) => network.weightGradients(i).weights),
      ...[0, 1, 2, 3].map((i) => network.weightGradients(i).biases),
    ];
    theirs.grads.forEach((gradient, i) => {
      const want = Float32Array.from(gradient.dataSync());
      expect(ours[i]!.length).toBe(want.length);
      const furthest = want.reduce((most, value, k) => Math.max(most, Math.abs(value - ours[i]![k]!)), 0);
      expect(furthest, `variable ${i}`).toBeLessThan(1e-4);
    });
  });
});

describe("learning", () => {
  it("tells random samples apart in the end", async () => {
    const network = await make();
    fill(network);
    const first = network.learn(LABELS, 0.01).loss;
    let last = first;
    for (let i = 0; i < 60; i++) last = network.learn(LABELS, 0.01).loss;
    expect(last).toBeLessThan(first / 10);
    expect(network.classify(3)).toEqual(LABELS);
  });

  it("goes on from a state as if it had never stopped, to the bit", async () => {
    const run = async (interrupted: boolean): Promise<Uint8Array> => {
      let network = await make();
      for (let i = 0; i < 10; i++) {
        fill(network, i);
        network.learn(LABELS, 0.01);
        if (!interrupted || i !== 4) continue;
        const state = network.state();
        network = await make({ seed: 99 });
        network.restore(state);
      }
      return network.state();
    };
    expect(await run(true)).toEqual(await run(false));
  });
});

describe("what does not fit is refused", () => {
  it.each<[string, Partial<Parameters<typeof Network.create>[1]>, RegExp]>([
    [
      "a kernel larger than its input",
      { layers: [{ kind: "conv2d", filters: 4, kernel: 9 }, ...LAYERS] },
      /layer 0 \(conv2d\) leaves nothing/,
    ],
    ["a pool at the end", { layers: [...LAYERS, { kind: "maxPool" }] }, /last layer must be dense/],
    [
      "filters that fill no register",
      { layers: [{ kind: "conv2d", filters: 6, kernel: 3 }, ...LAYERS] },
      /6 filters: must be a multiple of 4/,
    ],
    ["an input gradient of one channel", { input: [7, 6, 1] }, /1 input channels/],
  ])("%s", async (_, over, message) => {
    await expect(make(over)).rejects.toThrow(message);
  });

  it("a label that is no class", async () => {
    const network = await make();
    expect(() => network.learn([1, 2, 5], 0.01)).toThrow(/label 5 is none of the 5 classes/);
  });

  it("a state of other layers, of another length, or of something else", async () => {
    const network = await make();
    const other = await make({ layers: [{ kind: "dense", units: 5 }] });
    expect(() => network.restore(other.state())).toThrow(NetworkStateError);
    const strange = network.state();
    strange[0] = 0;
    expect(() => network.restore(strange)).toThrow(/not a state/);
    const renamed = network.state();
    renamed[8]! ^= 1;
    expect(() => network.restore(renamed)).toThrow(/other layers/);
  });
});
