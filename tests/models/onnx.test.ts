// ONNX models as graphs: what is read computes what TensorFlow.js computes from the same tensors, INT8 stays close to it, and what cannot
// be taken is refused by name.
import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type OnnxNode, type OnnxTensor, onnxModel } from "../../bench/import/onnx.ts";
import type { Samples } from "../../host/data/sample-file.ts";
import { type Graph, ModelError } from "../../host/models/graph.ts";
import { importModel } from "../../host/models/import.ts";
import { readOnnx } from "../../host/models/onnx/read.ts";
import { runGraph } from "../../host/models/reference.ts";
import { glyphs } from "../assembly/support.ts";
import { CLASSES, FEATURES, FRAME, HEAD, INPUT, residual, type Tensors, tensorsOf } from "./support/nets.ts";

let samples: Samples;

beforeAll(async () => {
  samples = await glyphs(60);
  await tf.setBackend("cpu");
});

const real = (i: number) => Float32Array.from(samples.at(i).data, (q) => q / 127.5);
const outputOf = (graph: Graph, frame: Float32Array) => runGraph(graph, frame).at(-1)!;

/** The residual network of support/nets.ts in TensorFlow.js' terms: logits of an NHWC frame. */
function withTensorflow(tensors: Tensors, frame: Float32Array): Float32Array {
  const filter = (name: string) => {
    const { dims, values } = tensors[`${name}.weight`]!;
    return tf
      .tensor4d(Float32Array.from(Array.from(values)), dims as [number, number, number, number])
      .transpose<tf.Tensor4D>([2, 3, 1, 0]);
  };
  const vector = (name: string) => tf.tensor1d(Float32Array.from(Array.from(tensors[name]!.values)));
  const conv = (x: tf.Tensor4D, name: string, stride = 1) =>
    tf
      .conv2d(
        x,
        filter(name),
        stride,
        stride === 2
          ? [
              [0, 0],
              [1, 1],
              [1, 1],
              [0, 0],
            ]
          : "same",
      )
      .add<tf.Tensor4D>(vector(`${name}.bias`));
  return tf.tidy(() => {
    const x = tf.tensor4d(frame, [1, ...FRAME]);
    const bn = (at: string) => vector(`bn.${at}`);
    const stem = conv(x, "stem", 2);
    const s = tf
      .batchNorm(stem, bn("mean"), bn("variance"), bn("shift"), bn("scale"), 0.001)
      .relu<tf.Tensor4D>();
    const sum = conv(conv(s, "a").relu(), "b").add<tf.Tensor4D>(s).relu<tf.Tensor4D>();
    // [3, 3, 1, 8] to [3, 3, 8, 1]
    const depth = filter("depth").transpose<tf.Tensor4D>([0, 1, 3, 2]);
    const d = tf
      .depthwiseConv2d(
        tf.pad(sum, [
          [0, 0],
          [1, 1],
          [1, 1],
          [0, 0],
        ]),
        depth,
        2,
        "valid",
      )
      .add<tf.Tensor4D>(vector("depth.bias"))
      .clipByValue(0, 6) as tf.Tensor4D;
    const m = tf.maxPool(conv(d, "point").relu<tf.Tensor4D>(), 2, 2, "valid");
    const { dims, values } = tensors["head.weight"]!;
    const head = tf.tensor2d(Float32Array.from(Array.from(values)), dims as [number, number]);
    const flat = m.transpose([0, 3, 1, 2]).reshape<tf.Tensor2D>([1, 144]);
    return tf.matMul(flat, head, false, true).add(vector("head.bias")).dataSync<"float32">();
  });
}

describe("what is read", () => {
  it("computes what TensorFlow.js computes", () => {
    const tensors = tensorsOf(11);
    const graph = readOnnx(residual(tensors), FRAME);
    for (const i of [0, 7, 21]) {
      const [got, want] = [outputOf(graph, real(i)), withTensorflow(tensors, real(i))];
      expect(Math.max(...got.map((value, o) => Math.abs(value - want[o]!)))).toBeLessThan(1e-4);
    }
  });

  it("is the same however it is written", () => {
    const tensors = tensorsOf(12);
    const want = outputOf(readOnnx(residual(tensors), FRAME), real(3));
    const { dims, values } = tensors["head.weight"]!;
    const [out, fanIn] = dims as [number, number];
    const turned = Array.from(
      { length: out * fanIn },
      (_, i) => values[(i % out) * fanIn + Math.floor(i / out)]!,
    );
    const more: Tensors = {
      ...tensors,
      turned: { dims: [fanIn, out], values: turned },
      flat: { dims: [2], values: [1, -1], whole: true },
      six: { dims: [], values: [6] },
      none: { dims: [], values: [0] },
    };
    const features = FEATURES.map(
      (node): OnnxNode => (node.op === "Clip" ? { op: "Clip", in: ["d", "none", "six"], out: "dr" } : node),
    );
    const head: OnnxNode[] = [
      { op: "Identity", in: ["m"], out: "i" },
      { op: "Reshape", in: ["i", "flat"], out: "f" },
      { op: "MatMul", in: ["f", "turned"], out: "g" },
      { op: "Add", in: ["head.bias", "g"], out: "y" },
    ];
    const got = outputOf(readOnnx(onnxModel(INPUT, [...features, ...head], more), FRAME), real(3));
    expect(Math.max(...got.map((value, o) => Math.abs(value - want[o]!)))).toBeLessThan(1e-4);
  });
});

describe("in INT8", () => {
  const average: OnnxNode[] = [
    {
      op: "AveragePool",
      in: ["pr"],
      out: "v",
      with: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    },
    { op: "GlobalAveragePool", in: ["v"], out: "m" },
    { op: "Flatten", in: ["m"], out: "f" },
    { op: "Gemm", in: ["f", "short", "head.bias"], out: "y", with: { transB: 1 } },
  ];

  it.each([
    ["residual, depthwise, pooled by maximum", [...FEATURES, ...HEAD]],
    ["pooled by mean, over windows and whole", [...FEATURES.slice(0, -1), ...average]],
  ])("a network that is %s says what its float model says", async (_what, nodes) => {
    const tensors = tensorsOf(13);
    const { values } = tensors["head.weight"]!;
    tensors.short = { dims: [CLASSES, 16], values: Array.from(values).slice(0, 16 * CLASSES) };
    const model = onnxModel(INPUT, nodes, tensors);
    const { report } = await importModel(model, samples, { name: "net", model: "net.onnx" });
    // random weights part classes by little: five in six is what 8 bits leave at least
    expect(report.agreement).toBeGreaterThanOrEqual(0.83);
  });

  it("a network without a dense end is fixed as a whole", async () => {
    const nodes: OnnxNode[] = [...FEATURES, { op: "GlobalAveragePool", in: ["m"], out: "y" }];
    const model = onnxModel(INPUT, nodes, tensorsOf(13));
    const { app, head, report } = await importModel(model, samples, { name: "net", model: "net.onnx" });
    expect(head).toBeNull();
    expect(app).not.toContain("Trainer");
    expect(report.agreement).toBeGreaterThan(0.9);
  });

  it("a single dense layer is a head without a backbone", async () => {
    const w: OnnxTensor = {
      dims: [784, 10],
      values: Array.from({ length: 7840 }, (_, i) => Math.sin(i * i) / 9),
    };
    const nodes: OnnxNode[] = [
      { op: "Flatten", in: ["x"], out: "f" },
      { op: "MatMul", in: ["f", "w"], out: "y" },
    ];
    const { app, report } = await importModel(onnxModel(INPUT, nodes, { w }), samples, {
      name: "net",
      model: "net.onnx",
    });
    expect(app).not.toContain("backbone");
    expect(report.agreement).toBeGreaterThan(0.9);
  });
});

describe("what cannot be taken is refused by name", () => {
  const conv = (values: ArrayLike<number>): Tensors => ({ w: { dims: [1, 1, 1, 1], values } });
  const one: OnnxNode = { op: "Conv", in: ["x", "w"], out: "y" };
  const cases: [string, () => Uint8Array, RegExp][] = [
    [
      "NaN in a weight",
      () => onnxModel(INPUT, [one], conv([Number.NaN])),
      /tensor w holds NaN at element 0.*diverged/,
    ],
    ["infinity in a weight", () => onnxModel(INPUT, [one], conv([-1 / 0])), /tensor w holds -Infinity/],
    [
      "another operator",
      () => onnxModel(INPUT, [{ op: "LSTM", in: ["x"], out: "y" }], {}),
      /LSTM node0: this operator is not known\. Known are Conv/,
    ],
    [
      "another size",
      () => onnxModel([1, 3, 32, 32], [one], conv([1])),
      /32×32×3, and the calibration data has 28×28×1/,
    ],
    ["another rank", () => onnxModel([1, 2, 3], [one], conv([1])), /input is \[1, 2, 3\]/],
    [
      "weights that do not fit",
      () => onnxModel(INPUT, [one], { w: { dims: [1, 2, 1, 1], values: [1, 1] } }),
      /node0: 2 weights for 1 filters over 1 channels/,
    ],
    [
      "a shape that does not fit its data",
      () => onnxModel(INPUT, [one], { w: { dims: [2, 1, 1, 1], values: [1] } }),
      /tensor w has 1 elements for a shape of 2/,
    ],
    [
      "a window larger than the map",
      () => onnxModel(INPUT, [{ op: "MaxPool", in: ["x"], out: "y", with: { kernel_shape: [40, 40] } }], {}),
      /a window of 40 over 28/,
    ],
    [
      "a reshape that does not flatten",
      () =>
        onnxModel(INPUT, [{ op: "Reshape", in: ["x", "s"], out: "y" }], {
          s: { dims: [4], values: [1, 28, 28, 1], whole: true },
        }),
      /reshapes to \[1, 28, 28, 1\]/,
    ],
    ["two outputs", () => onnxModel(INPUT, [one], conv([1]), 2), /1 inputs and 2 outputs/],
    [
      "a weight that is computed",
      () => onnxModel(INPUT, [{ op: "Conv", in: ["x", "x"], out: "y" }], {}),
      /input x must be a constant/,
    ],
    ["no graph", () => new Uint8Array(0), /not an ONNX file/],
    ["another kind of file", () => Uint8Array.from({ length: 99 }, (_, i) => 251 - i), /not an ONNX file/],
  ];

  it.each(cases)("%s", (_what, make, message) => {
    expect(() => readOnnx(make(), FRAME)).toThrow(ModelError);
    expect(() => readOnnx(make(), FRAME)).toThrow(message);
  });

  it("a model larger than a module", async () => {
    const w: OnnxTensor = { dims: [64, 784], values: new Float32Array(64 * 784).fill(0.01) };
    const v: OnnxTensor = { dims: [10, 64], values: new Float32Array(640).fill(0.01) };
    const nodes: OnnxNode[] = [
      { op: "Flatten", in: ["x"], out: "f" },
      { op: "Gemm", in: ["f", "w"], out: "a", with: { transB: 1 } },
      { op: "Relu", in: ["a"], out: "b" },
      { op: "Gemm", in: ["b", "v"], out: "y", with: { transB: 1 } },
    ];
    const large = importModel(onnxModel(INPUT, nodes, { w, v }), samples, { name: "net", model: "net.onnx" });
    await expect(large).rejects.toThrow(/more linear memory than it may use \(bytes: \d+; limit: 65536\)/);
    const huge = {
      w: { dims: [100, 784], values: new Float32Array(78_400).fill(0.01) },
      v: { dims: [10, 100], values: new Float32Array(1000) },
    };
    await expect(
      importModel(onnxModel(INPUT, nodes, huge), samples, { name: "net", model: "net.onnx" }),
    ).rejects.toThrow(/constants take \d+ bytes, and a module has 65536/);
  });

  it("a file with any bytes changed or cut: read, or refused as such", () => {
    const file = residual(tensorsOf(1));
    const edits = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(edits, fc.nat(2 * file.length), (places, cut) => {
        const bytes = file.slice(0, Math.max(cut, 16));
        for (const [at, byte] of places) if (at < bytes.length) bytes[at] = byte;
        try {
          readOnnx(bytes, FRAME);
        } catch (error) {
          expect(error).toBeInstanceOf(ModelError);
        }
      }),
      { numRuns: 150 },
    );
  });
});
