// Numbers of a model that cannot be: each is refused by the name of what holds it, with what to do, before anything is built.
import { describe, expect, it } from "vitest";
import { type OnnxNode, type OnnxTensor, onnxModel } from "../../bench/import/onnx.ts";
import { type TfliteOperator, type TfliteTensor, tfliteModel } from "../../bench/import/tflite.ts";
import { type Graph, ModelError, sizeOf } from "../../host/models/graph.ts";
import { headFile } from "../../host/models/head.ts";
import { readOnnx } from "../../host/models/onnx/read.ts";
import { quantise, quantiseFilters } from "../../host/models/quantise.ts";
import { readTflite } from "../../host/models/tflite/read.ts";
import { TYPE } from "../../host/models/tflite/schema.ts";
import { encodeNet } from "../../host/pass/net.ts";
import { FRAME, INPUT } from "./support/nets.ts";

const CONV = 3;
const DEPTHWISE = 4;
const frames = [Float32Array.from({ length: 784 }, (_, i) => (i % 11) / 10)];

/** An ONNX convolution; `w` is [8, 1, 3, 3] unless told. */
function onnxConv(attributes: OnnxNode["with"] = {}, w: Partial<OnnxTensor> = {}): Uint8Array {
  const tensor: OnnxTensor = { dims: [8, 1, 3, 3], values: new Float32Array(72).fill(0.1), ...w };
  return onnxModel(INPUT, [{ op: "Conv", in: ["x", "w"], out: "y", with: attributes }], { w: tensor });
}

const pool = (attributes: OnnxNode["with"]) =>
  onnxModel(
    INPUT,
    [{ op: "MaxPool", in: ["x"], out: "y", with: { kernel_shape: [2, 2], ...attributes } }],
    {},
  );

/** A TFLite convolution with a weight of one element, or another. */
function tfliteConv(
  w: Partial<TfliteTensor> = {},
  options: TfliteOperator["options"] = {},
  code = CONV,
): Uint8Array {
  const weights: TfliteTensor = { name: "w", shape: [1, 1, 1, 1], data: Float32Array.of(1), ...w };
  const place = (name: string): TfliteTensor => ({ name, shape: [1, 28, 28, 1] });
  return tfliteModel(
    [place("x"), weights, place("y")],
    [{ code, inputs: [0, 1], outputs: [2], options: { 1: 1, 2: 1, ...options } }],
  );
}

const int8 = (more: Partial<TfliteTensor>) => tfliteConv({ type: TYPE.int8, data: Int8Array.of(1), ...more });
const many = (length: number, of: string) =>
  Array.from(
    { length },
    (_, i): OnnxNode => ({
      op: "Conv",
      in: [i === 0 ? "x" : `v${i}`, of],
      out: i === length - 1 ? "y" : `v${i + 1}`,
    }),
  );

describe("ONNX", () => {
  const cases: [string, () => Uint8Array, RegExp][] = [
    [
      "a padding below 0",
      () => onnxConv({ pads: [0, -1, 0, 0] }),
      /node0: a padding of \[0, -1, 0, 0\].*crop or pad/,
    ],
    [
      "a padding as large as the window",
      () => pool({ pads: [0, 0, 2, 0] }),
      /node0: a padding of \[0, 0, 2, 0\] around a window of 2×2/,
    ],
    ["a padding of three numbers", () => onnxConv({ pads: [1, 1, 1] }), /Conv node0: pads has 3 numbers/],
    [
      "a stride of 0",
      () => pool({ strides: [0, 1] }),
      /node0: a stride of 0×1; it is two numbers in 1 … 1024/,
    ],
    [
      "a stride of 0 with padding worked out",
      () => onnxConv({ strides: [0, 1], auto_pad: "SAME_UPPER" }),
      /node0: a stride of 0×1/,
    ],
    ["a dilation below 0", () => onnxConv({ dilations: [-1, 1] }), /node0: a dilation of -1×1/],
    ["a window of 2^40", () => pool({ kernel_shape: [2 ** 40, 2] }), /node0: a kernel of 1099511627776×2/],
    [
      "no groups",
      () => onnxConv({ group: 0 }),
      /node0: 0 groups of 1 channels and 8 filters: groups must divide both/,
    ],
    ["groups that do not divide", () => onnxConv({ group: 3 }), /node0: 3 groups of 1 channels/],
    [
      "axes below 0",
      () => onnxConv({}, { dims: [-8, 1, -3, 3] }),
      /tensor w has the shape \[-8, 1, -3, 3\]: the file is damaged/,
    ],
    [
      "axes without end",
      () => onnxConv({}, { dims: [2 ** 50, 0, 3, 3], values: [] }),
      /tensor w has the shape/,
    ],
    [
      "a tensor larger than the file",
      () => onnxConv({}, { dims: [2 ** 30, 1, 1, 1], values: [1] }),
      /tensor w has 1 elements for a shape of 1073741824/,
    ],
    [
      "a map that no module holds",
      () => onnxConv({ pads: [1, 1, 1, 1] }, { dims: [84, 1, 3, 3], values: new Float32Array(756) }),
      /node0: a map of 28×28×84 takes 65856 bytes, and a module has 65536.*use smaller frames/,
    ],
    [
      "more inputs of an output than a sum takes",
      () =>
        onnxModel(
          INPUT,
          [
            { op: "Conv", in: ["x", "a"], out: "v", with: { pads: [1, 1, 1, 1] } },
            { op: "Flatten", in: ["v"], out: "f" },
            { op: "MatMul", in: ["f", "w"], out: "y" },
          ],
          {
            a: { dims: [42, 1, 3, 3], values: new Float32Array(378) },
            w: { dims: [32_928, 1], values: new Float32Array(32_928) },
          },
        ),
      /node2: each of its outputs sums 32928 products.*pool the map/,
    ],
    [
      "more layers than a network has",
      () => onnxModel(INPUT, many(66, "w"), { w: { dims: [1, 1, 1, 1], values: [1] } }),
      /node65: it is layer 66, and a network has 64 at most/,
    ],
    [
      "a clamp that holds nothing",
      () => onnxModel(INPUT, [{ op: "Clip", in: ["x"], out: "y", with: { min: 6, max: 0.5 } }], {}),
      /node0: clamps to 6 … 0.5/,
    ],
    [
      "a normalisation of other channels",
      () =>
        onnxModel(INPUT, [{ op: "BatchNormalization", in: ["x", "v", "v", "v", "v"], out: "y" }], {
          v: { dims: [3], values: [1, 1, 1] },
        }),
      /node0: 3 factors and 3 terms for 1 channels/,
    ],
    [
      "a variance below 0",
      () =>
        onnxModel(INPUT, [{ op: "BatchNormalization", in: ["x", "v", "v", "v", "u"], out: "y" }], {
          v: { dims: [1], values: [1] },
          u: { dims: [1], values: [-1] },
        }),
      /node0 holds NaN/,
    ],
    [
      "a value that is made twice",
      () =>
        onnxModel(
          INPUT,
          [
            { op: "Relu", in: ["x"], out: "y" },
            { op: "Relu", in: ["x"], out: "y" },
          ],
          {},
        ),
      /Relu node1: makes y, which is there already/,
    ],
  ];

  it.each(cases)("%s", (_what, make, message) => {
    expect(() => readOnnx(make(), FRAME)).toThrow(ModelError);
    expect(() => readOnnx(make(), FRAME)).toThrow(message);
  });
});

describe("TFLite", () => {
  const cases: [string, () => Uint8Array, RegExp][] = [
    ["a scale of 0", () => int8({ scale: [0] }), /tensor w has a scale of 0; scales are above 0: convert/],
    ["a scale of NaN", () => int8({ scale: [Number.NaN] }), /tensor w has a scale of NaN/],
    ["a scale without end", () => int8({ scale: [Infinity] }), /tensor w has a scale of Infinity/],
    ["a scale below 0", () => int8({ scale: [-0.5] }), /tensor w has a scale of -0.5/],
    ["scales for other channels", () => int8({ scale: [1, 1, 1] }), /tensor w has 3 scales for 1 channels/],
    ["scales along no axis", () => int8({ scale: [1, 1], axis: 7 }), /tensor w has 2 scales for no channels/],
    [
      "a zero point out of its type",
      () => int8({ scale: [1], zero: [200] }),
      /tensor w has a zero point of 200, outside of -128 … 127/,
    ],
    [
      "zero points of others",
      () => int8({ scale: [1], zero: [0, 0] }),
      /tensor w has 2 zero points and 1 scales/,
    ],
    ["axes below 0", () => tfliteConv({ shape: [-1, 1, 1, -1] }), /tensor w has the shape \[-1, 1, 1, -1\]/],
    [
      "no axes",
      () => tfliteConv({ shape: [0, 1, 1, 1], data: new Float32Array(0) }),
      /tensor w has the shape/,
    ],
    ["a stride of 0", () => tfliteConv({}, { 1: 0 }), /y: a stride of 1×0/],
    ["a stride below 0", () => tfliteConv({}, { 2: -3 }), /y: a stride of -3×1/],
    [
      "channels that do not divide",
      () => tfliteConv({ shape: [1, 1, 1, 3], data: new Float32Array(3) }),
      /y: 0\.\d+ groups of 1 channels/,
    ],
    [
      "a map that no module holds",
      () => tfliteConv({ shape: [1, 1, 1, 90], data: new Float32Array(90) }, {}, DEPTHWISE),
      /y: a map of 28×28×90 takes 70560 bytes/,
    ],
    [
      "infinity in a weight",
      () => tfliteConv({ data: Float32Array.of(-Infinity) }),
      /tensor w holds -Infinity/,
    ],
  ];

  it.each(cases)("%s", (_what, make, message) => {
    expect(() => readTflite(make(), FRAME)).toThrow(ModelError);
    expect(() => readTflite(make(), FRAME)).toThrow(message);
  });

  it("a vector that leaves the file", () => {
    const file = tfliteConv();
    const at = file.lastIndexOf(4, file.length);
    const view = new DataView(file.buffer, file.byteOffset, file.length);
    // every word that could be a length, made huge
    for (let i = 4; i + 4 <= file.length; i += 4) {
      const before = view.getUint32(i, true);
      view.setUint32(i, 0x7fff_fff0, true);
      try {
        readTflite(file, FRAME);
      } catch (error) {
        expect(error).toBeInstanceOf(ModelError);
      }
      view.setUint32(i, before, true);
    }
    expect(at).toBeGreaterThan(0);
  });
});

describe("numbers that a module cannot hold", () => {
  const input = { scale: 1 / 127.5, zero: 0 };

  it("a multiplier out of range", () => {
    // nothing passes the first layer, and the second has weights of 10^12
    const nodes: OnnxNode[] = [
      { op: "Conv", in: ["x", "w", "low"], out: "a" },
      { op: "Relu", in: ["a"], out: "b" },
      { op: "Conv", in: ["b", "huge"], out: "y" },
    ];
    const graph = readOnnx(
      onnxModel(INPUT, nodes, {
        w: { dims: [1, 1, 1, 1], values: [1] },
        low: { dims: [1], values: [-9] },
        huge: { dims: [1, 1, 1, 1], values: [1e12] },
      }),
      FRAME,
    );
    expect(() => encodeNet(quantise(graph, frames, input).net!)).toThrow(
      /node2: .*multiplier.*scale its weights/,
    );
  });

  it("a bias beyond int32 widens the steps of its filter", () => {
    const weights = Float32Array.of(1e-7, -1e-7, 0.5, 0.25);
    const bias = Float32Array.of(3000, 0.1);
    const made = quantiseFilters(weights, bias, 1e-4, 30);
    expect([...made.bias].every((b) => Math.abs(b) <= 2 ** 30)).toBe(true);
    expect(made.bias[0]! * made.multiplier[0]!).toBeCloseTo(3000 / 30, 3);
    expect(made.bias[1]! * made.multiplier[1]!).toBeCloseTo(0.1 / 30, 6);
  });

  it.each([
    ["a bias", [0.1, 0.1], [2000, 0], /dense: .*biases up to 2000 \(at most 1024\): divide/],
    ["a weight", [1e9, 0.1], [0, 0], /dense: .*weights up to [\d.e+]+ over an input/],
  ])("%s of the head that is too large", (_what, weights, bias, message) => {
    const graph: Graph = { input: [1, 1, 1], nodes: [] };
    const node = {
      ...({
        op: "conv2d",
        name: "dense",
        inputs: [-1],
        shape: [1, 1, 2],
        lo: -Infinity,
        hi: Infinity,
      } as const),
      ...({
        kernel: [1, 1],
        stride: [1, 1],
        dilation: [1, 1],
        padding: [0, 0, 0, 0],
        groups: 1,
        dense: true,
      } as const),
      weights: Float32Array.from(weights),
      bias: Float32Array.from(bias),
    };
    expect(sizeOf(graph.input)).toBe(1);
    expect(() => headFile(node, null, input)).toThrow(ModelError);
    expect(() => headFile(node, null, input)).toThrow(message);
  });

  it("a clamp behind another clamps as values are clamped", () => {
    const clip = (input: string, out: string, min: number, max: number): OnnxNode => ({
      op: "Clip",
      in: [input],
      out,
      with: { min: min + 0.5, max: max + 0.5 },
    });
    const graph = readOnnx(
      onnxModel(
        INPUT,
        [{ op: "Conv", in: ["x", "w"], out: "a" }, clip("a", "b", 0, 6), clip("b", "y", 7, 9)],
        { w: { dims: [1, 1, 1, 1], values: [1] } },
      ),
      FRAME,
    );
    expect(graph.nodes).toMatchObject([{ lo: 7.5, hi: 7.5 }]);
  });
});
