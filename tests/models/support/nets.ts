// Networks as ONNX: a residual one with random weights, and a classifier that has learned the glyphs.
import { readFile } from "node:fs/promises";
import { type OnnxNode, type OnnxTensor, onnxModel } from "../../../bench/import/onnx.ts";
import { buildCloudKernels } from "../../../host/build/modules.ts";
import type { LayerSpec } from "../../../host/cloud/layers.ts";
import { Network } from "../../../host/cloud/network.ts";
import { Random } from "../../../host/data/random.ts";
import type { Samples } from "../../../host/data/sample-file.ts";

export const INPUT = [1, 1, 28, 28] as const;
export const FRAME = [28, 28, 1] as const;
export const CLASSES = 10;

export type Tensors = Record<string, OnnxTensor>;

/** He-uniform weights, and small biases. */
export function tensorsOf(seed: number): Tensors {
  const random = new Random(seed, 1);
  const draw = () => random.next() / 2 ** 31 - 1;
  const tensors: Tensors = {};
  const conv = (name: string, dims: readonly [number, number, number, number]) => {
    const fanIn = dims[1] * dims[2] * dims[3];
    const limit = Math.sqrt(6 / fanIn);
    const values = Array.from({ length: dims[0] * fanIn }, () => draw() * limit);
    tensors[`${name}.weight`] = { dims, values };
    tensors[`${name}.bias`] = {
      dims: [dims[0]],
      values: Array.from({ length: dims[0] }, () => 0.1 * draw()),
    };
  };
  conv("stem", [8, 1, 3, 3]);
  conv("a", [8, 8, 3, 3]);
  conv("b", [8, 8, 3, 3]);
  conv("depth", [8, 1, 3, 3]);
  conv("point", [16, 8, 1, 1]);
  const channel = (length: number, make: () => number): OnnxTensor => ({
    dims: [length],
    values: Array.from({ length }, make),
  });
  tensors["bn.scale"] = channel(8, () => 1 + 0.3 * draw());
  tensors["bn.shift"] = channel(8, () => 0.2 * draw());
  tensors["bn.mean"] = channel(8, () => 0.2 * draw());
  tensors["bn.variance"] = channel(8, () => 1 + 0.5 * draw());
  conv("head", [CLASSES, 16, 3, 3]);
  tensors["head.weight"]!.dims = [CLASSES, 144];
  return tensors;
}

const SAME = { pads: [1, 1, 1, 1] } as const;

/** Features [16, 3, 3] of a frame. */
export const FEATURES: readonly OnnxNode[] = [
  {
    op: "Conv",
    in: ["x", "stem.weight", "stem.bias"],
    out: "s",
    with: { ...SAME, strides: [2, 2], kernel_shape: [3, 3] },
  },
  {
    op: "BatchNormalization",
    in: ["s", "bn.scale", "bn.shift", "bn.mean", "bn.variance"],
    out: "sb",
    with: { epsilon: 0.001 },
  },
  { op: "Relu", in: ["sb"], out: "sr" },
  { op: "Conv", in: ["sr", "a.weight", "a.bias"], out: "a", with: SAME },
  { op: "Relu", in: ["a"], out: "ar" },
  { op: "Conv", in: ["ar", "b.weight", "b.bias"], out: "b", with: { auto_pad: "SAME_UPPER" } },
  { op: "Add", in: ["b", "sr"], out: "sum" },
  { op: "Relu", in: ["sum"], out: "sumr" },
  {
    op: "Conv",
    in: ["sumr", "depth.weight", "depth.bias"],
    out: "d",
    with: { ...SAME, strides: [2, 2], group: 8 },
  },
  { op: "Clip", in: ["d"], out: "dr", with: { min: 0, max: 6 } },
  { op: "Conv", in: ["dr", "point.weight", "point.bias"], out: "p" },
  { op: "Relu", in: ["p"], out: "pr" },
  { op: "MaxPool", in: ["pr"], out: "m", with: { kernel_shape: [2, 2], strides: [2, 2] } },
];

export const HEAD: readonly OnnxNode[] = [
  { op: "Flatten", in: ["m"], out: "f" },
  { op: "Gemm", in: ["f", "head.weight", "head.bias"], out: "logits", with: { transB: 1 } },
  { op: "Softmax", in: ["logits"], out: "y" },
];

export const residual = (tensors: Tensors): Uint8Array<ArrayBuffer> =>
  onnxModel(INPUT, [...FEATURES, ...HEAD], tensors);

const LAYERS: readonly LayerSpec[] = [
  { kind: "conv2d", filters: 8, kernel: 3, stride: 2, padding: 1 },
  { kind: "conv2d", filters: 16, kernel: 3, padding: 1 },
  { kind: "maxPool" },
  { kind: "conv2d", filters: 16, kernel: 3, stride: 2, padding: 1 },
  { kind: "dense", units: CLASSES },
];
const BATCH = 32;

/** A float network that has learned the samples that are not held out, with the cloud's kernels; as ONNX. */
export async function trainedClassifier(samples: Samples, epochs = 10): Promise<Uint8Array<ArrayBuffer>> {
  const wasm = new Uint8Array(await readFile(await buildCloudKernels()));
  const network = await Network.create(wasm, { input: FRAME, layers: LAYERS, batch: BATCH, seed: 3 });
  const learned = Array.from({ length: samples.count }, (_, i) => i).filter((i) => !samples.at(i).heldOut);
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (let at = 0; at + BATCH <= learned.length; at += BATCH) {
      const labels = Array.from({ length: BATCH }, (_, k) => {
        const { data, label } = samples.at(learned[at + k]!);
        network.sample(k).set(Float32Array.from(data, (q) => q / 127.5));
        return label;
      });
      network.learn(labels, 0.004);
    }
  }
  const tensors: Tensors = {};
  // [fan-in (height, width, channel) × filters rounded up to 4] to OIHW
  const weights = (i: number, name: string, dims: readonly [number, number, number, number]) => {
    const [out, c, h, w] = dims;
    const rounded = Math.ceil(out / 4) * 4;
    const { biases, weights: own } = network.weights(i);
    const values = Array.from({ length: out * c * h * w }, (_, k) => {
      const [o, ch, p] = [Math.floor(k / (c * h * w)), Math.floor(k / (h * w)) % c, k % (h * w)];
      return own[(p * c + ch) * rounded + o]!;
    });
    tensors[`${name}.weight`] = { dims: name === "head" ? [out, c * h * w] : dims, values };
    tensors[`${name}.bias`] = { dims: [out], values: biases.slice(0, out) };
  };
  weights(0, "a", [8, 1, 3, 3]);
  weights(1, "b", [16, 8, 3, 3]);
  weights(2, "c", [16, 16, 3, 3]);
  weights(3, "head", [CLASSES, 16, 4, 4]);
  const nodes: OnnxNode[] = [
    { op: "Conv", in: ["x", "a.weight", "a.bias"], out: "a", with: { ...SAME, strides: [2, 2] } },
    { op: "Relu", in: ["a"], out: "ar" },
    { op: "Conv", in: ["ar", "b.weight", "b.bias"], out: "b", with: SAME },
    { op: "Relu", in: ["b"], out: "br" },
    { op: "MaxPool", in: ["br"], out: "m", with: { kernel_shape: [2, 2], strides: [2, 2] } },
    { op: "Conv", in: ["m", "c.weight", "c.bias"], out: "c", with: { ...SAME, strides: [2, 2] } },
    { op: "Relu", in: ["c"], out: "cr" },
    { op: "Flatten", in: ["cr"], out: "f" },
    { op: "Gemm", in: ["f", "head.weight", "head.bias"], out: "y", with: { transB: 1 } },
  ];
  return onnxModel(INPUT, nodes, tensors);
}
