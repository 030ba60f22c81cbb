// TFLite models as graphs: the same network in float, in full INT8 and as ONNX computes the same, and what cannot be taken is refused by name.
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type OnnxNode, onnxModel } from "../../bench/import/onnx.ts";
import { type TfliteOperator, type TfliteTensor, tfliteModel } from "../../bench/import/tflite.ts";
import type { Samples } from "../../host/data/sample-file.ts";
import { ModelError } from "../../host/models/graph.ts";
import { importModel } from "../../host/models/import.ts";
import { readOnnx } from "../../host/models/onnx/read.ts";
import { runGraph } from "../../host/models/reference.ts";
import { readTflite } from "../../host/models/tflite/read.ts";
import { TYPE } from "../../host/models/tflite/schema.ts";
import { glyphs } from "../assembly/support.ts";
import { FRAME, INPUT, type Tensors, tensorsOf } from "./support/nets.ts";

const RELU = { byte: 1 };
const RELU6 = { byte: 3 };
const SAME = { byte: 0 };
const VALID = { byte: 1 };

let samples: Samples;
beforeAll(async () => {
  samples = await glyphs(60);
});

const real = (i: number) => Float32Array.from(samples.at(i).data, (q) => q / 127.5);

/** OIHW to OHWI; a depthwise filter to 1HWO. */
function turned(tensors: Tensors, name: string, depthwise = false): { shape: number[]; values: number[] } {
  const { dims, values } = tensors[`${name}.weight`]!;
  const [out, c, h, w] = dims as [number, number, number, number];
  const shape = depthwise ? [1, h, w, out] : [out, h, w, c];
  const turn = (i: number) => {
    const [o, p, ch] = depthwise
      ? [i % out, Math.floor(i / out), 0]
      : [Math.floor(i / (h * w * c)), Math.floor(i / c) % (h * w), i % c];
    return values[(o * c + ch) * h * w + p]!;
  };
  return { shape, values: Array.from({ length: values.length }, (_, i) => turn(i)) };
}

/** Weights as they are, or in INT8 with a scale for each filter, and biases in INT32. */
function constants(tensors: Tensors, int8: boolean, names: readonly string[]): TfliteTensor[] {
  return names.flatMap((name): TfliteTensor[] => {
    const depthwise = name === "depth";
    const flat = name === "head";
    const { shape, values } = flat
      ? { shape: [10, 16], values: Array.from(tensors.short!.values) }
      : turned(tensors, name, depthwise);
    const bias = Array.from(tensors[`${name}.bias`]!.values);
    if (!int8) {
      return [
        { name: `${name}.weight`, shape, data: Float32Array.from(values) },
        { name: `${name}.bias`, shape: [bias.length], data: Float32Array.from(bias) },
      ];
    }
    const out = bias.length;
    const filter = (i: number) => (depthwise ? i % out : Math.floor(i / (values.length / out)));
    const scale = bias.map(
      (_, o) => Math.max(...values.map((value, i) => (filter(i) === o ? Math.abs(value) : 0))) / 127,
    );
    return [
      {
        name: `${name}.weight`,
        shape,
        type: TYPE.int8,
        data: Int8Array.from(values, (value, i) => Math.round(value / scale[filter(i)]!)),
        scale,
        zero: scale.map(() => 0),
        axis: depthwise ? 3 : 0,
      },
      {
        name: `${name}.bias`,
        shape: [out],
        type: TYPE.int32,
        data: Int32Array.from(bias, (value, o) => Math.round(value / (0.01 * scale[o]!))),
        scale: scale.map((s) => 0.01 * s),
        zero: scale.map(() => 0),
      },
    ];
  });
}

const NAMES = ["stem", "a", "b", "depth", "point", "head"] as const;

/** stem, a residual block, a depthwise block, pools, a dense layer, softmax. */
function network(tensors: Tensors, int8: boolean): Uint8Array {
  const own = constants(tensors, int8, NAMES);
  const activation = int8 ? { type: TYPE.int8, scale: [0.1], zero: [0] } : {};
  const list: TfliteTensor[] = [{ name: "x", shape: [1, 28, 28, 1] }, ...own];
  const of = (name: string) => 1 + own.findIndex((tensor) => tensor.name === name);
  const axes = list.push({ name: "axes", shape: [2], type: TYPE.int32, data: Int32Array.of(1, 2) }) - 1;
  const make = (name: string, shape: readonly number[]) => list.push({ name, shape, ...activation }) - 1;
  const operators: TfliteOperator[] = [];
  const then = (code: number, inputs: number[], name: string, shape: readonly number[], options = {}) => {
    const out = make(name, shape);
    operators.push({ code, inputs, outputs: [out], options });
    return out;
  };
  const withWeights = (x: number, name: string) => [x, of(`${name}.weight`), of(`${name}.bias`)];
  let x = 0;
  if (int8) x = then(114, [x], "q", [1, 28, 28, 1]);
  const stem = then(3, withWeights(x, "stem"), "stem", [1, 14, 14, 8], { 0: SAME, 1: 2, 2: 2, 3: RELU });
  const a = then(3, withWeights(stem, "a"), "a", [1, 14, 14, 8], { 0: SAME, 1: 1, 2: 1, 3: RELU });
  const b = then(3, withWeights(a, "b"), "b", [1, 14, 14, 8], { 0: SAME, 1: 1, 2: 1 });
  const sum = then(0, [b, stem], "sum", [1, 14, 14, 8], { 0: RELU });
  const d = then(4, withWeights(sum, "depth"), "d", [1, 7, 7, 8], { 0: SAME, 1: 2, 2: 2, 3: 1, 4: RELU6 });
  const p = then(3, withWeights(d, "point"), "p", [1, 7, 7, 16], { 0: VALID, 1: 1, 2: 1 });
  const r = then(19, [p], "r", [1, 7, 7, 16]);
  const m = then(17, [r], "m", [1, 3, 3, 16], { 0: VALID, 1: 2, 2: 2, 3: 2, 4: 2 });
  const g = then(40, [m, axes], "g", [1, 16]);
  const f = then(9, withWeights(g, "head"), "f", [1, 10]);
  const s = then(25, [f], "s", [1, 10]);
  if (int8) then(6, [s], "y", [1, 10]);
  return tfliteModel(list, operators);
}

/** The same as ONNX. TFLite pads a window of stride 2 behind the map only. */
function asOnnx(tensors: Tensors): Uint8Array {
  const pads = [1, 1, 1, 1];
  const nodes: OnnxNode[] = [
    {
      op: "Conv",
      in: ["x", "stem.weight", "stem.bias"],
      out: "s0",
      with: { auto_pad: "SAME_UPPER", strides: [2, 2] },
    },
    { op: "Relu", in: ["s0"], out: "s" },
    { op: "Conv", in: ["s", "a.weight", "a.bias"], out: "a0", with: { pads } },
    { op: "Relu", in: ["a0"], out: "a" },
    { op: "Conv", in: ["a", "b.weight", "b.bias"], out: "b", with: { pads } },
    { op: "Add", in: ["b", "s"], out: "t0" },
    { op: "Relu", in: ["t0"], out: "t" },
    {
      op: "Conv",
      in: ["t", "depth.weight", "depth.bias"],
      out: "d0",
      with: { auto_pad: "SAME_UPPER", strides: [2, 2], group: 8 },
    },
    { op: "Clip", in: ["d0"], out: "d", with: { min: 0, max: 6 } },
    { op: "Conv", in: ["d", "point.weight", "point.bias"], out: "p0" },
    { op: "Relu", in: ["p0"], out: "p" },
    { op: "MaxPool", in: ["p"], out: "m", with: { kernel_shape: [2, 2], strides: [2, 2] } },
    { op: "ReduceMean", in: ["m"], out: "g", with: { axes: [2, 3], keepdims: 0 } },
    { op: "Gemm", in: ["g", "short", "head.bias"], out: "y", with: { transB: 1 } },
  ];
  return onnxModel(INPUT, nodes, tensors);
}

function tensors(seed: number): Tensors {
  const made = tensorsOf(seed);
  made.short = { dims: [10, 16], values: Array.from(made["head.weight"]!.values).slice(0, 160) };
  return made;
}

const largest = (a: Float32Array, b: Float32Array) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

describe("the same network", () => {
  const own = tensors(17);
  const logits = (graph: ReturnType<typeof readOnnx>, i: number) => runGraph(graph, real(i)).at(-1)!;

  it("in float computes what its ONNX form computes", () => {
    const [tflite, onnx] = [readTflite(network(own, false), FRAME), readOnnx(asOnnx(own), FRAME)];
    for (const i of [0, 5, 30]) expect(largest(logits(tflite, i), logits(onnx, i))).toBeLessThan(1e-5);
  });

  it("in full INT8 computes it to what rounding the weights leaves", () => {
    const [int8, float] = [readTflite(network(own, true), FRAME), readTflite(network(own, false), FRAME)];
    for (const i of [0, 5, 30]) {
      const want = logits(float, i);
      const spread = Math.max(...want) - Math.min(...want);
      const off = largest(logits(int8, i), want);
      expect(off).toBeGreaterThan(0);
      expect(off).toBeLessThan(0.05 * spread);
    }
  });

  it.each([
    ["float", false],
    ["full INT8", true],
  ])("becomes an app that says what the model says: %s", async (_what, int8) => {
    const { report } = await importModel(network(own, int8), samples, { name: "net", model: "net.tflite" });
    expect(report.layers).toBe(9);
    expect(report.agreement).toBeGreaterThanOrEqual(0.83);
  });
});

describe("what cannot be taken is refused by name", () => {
  const x: TfliteTensor = { name: "x", shape: [1, 28, 28, 1] };
  const y: TfliteTensor = { name: "y", shape: [1, 28, 28, 1] };
  const weights = (w: Partial<TfliteTensor>): TfliteTensor => ({
    name: "w",
    shape: [1, 1, 1, 1],
    data: Float32Array.of(1),
    ...w,
  });
  const conv = (w: Partial<TfliteTensor>, options = {}) =>
    tfliteModel(
      [x, weights(w), y],
      [{ code: 3, inputs: [0, 1], outputs: [2], options: { 1: 1, 2: 1, ...options } }],
    );
  const cases: [string, () => Uint8Array, RegExp][] = [
    ["NaN in a weight", () => conv({ data: Float32Array.of(Number.NaN) }), /tensor w holds NaN at element 0/],
    [
      "weights in half precision",
      () => conv({ type: TYPE.float16, data: new Uint8Array(2) }),
      /tensor w is of type 1/,
    ],
    [
      "weights without a scale",
      () => conv({ type: TYPE.int8, data: Int8Array.of(1) }),
      /tensor w is quantised.*no scale/,
    ],
    [
      "weights that do not fit",
      () => conv({ data: Float32Array.of(1, 2) }),
      /tensor w is no constant of 1 elements/,
    ],
    [
      "an activation that is not known",
      () => conv({}, { 3: { byte: 4 } }),
      /CONV_2D y: its activation \(4\)/,
    ],
    [
      "an operator that is not known",
      () => tfliteModel([x, y], [{ code: 28, inputs: [0], outputs: [1] }]),
      /operator 28 y: this operator is not known/,
    ],
    [
      "another size",
      () => tfliteModel([{ name: "x", shape: [1, 32, 32, 3] }, y], []),
      /takes \[1, 32, 32, 3\].*28×28×1/,
    ],
    [
      "a reshape that does not flatten",
      () => tfliteModel([x, y], [{ code: 22, inputs: [0], outputs: [1] }]),
      /reshapes to/,
    ],
    [
      "an input from nowhere",
      () => tfliteModel([x, x, y], [{ code: 19, inputs: [1], outputs: [2] }]),
      /made by no operator/,
    ],
    ["another kind of file", () => new Uint8Array(64), /not a TFLite file/],
    ["nothing", () => new Uint8Array(0), /not a TFLite file/],
  ];

  it.each(cases)("%s", (_what, make, message) => {
    expect(() => readTflite(make(), FRAME)).toThrow(ModelError);
    expect(() => readTflite(make(), FRAME)).toThrow(message);
  });

  it("a file with any bytes changed or cut: read, or refused as such", () => {
    const file = network(tensors(2), true);
    const edits = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(edits, fc.nat(2 * file.length), fc.nat(600), (places, cut, end) => {
        const bytes = file.slice(0, Math.max(cut, 16));
        // tables lie at the front, whose bytes decide most
        for (const [at, byte] of places) if (at < bytes.length) bytes[at % 2 ? at % (end + 8) : at] = byte;
        try {
          readTflite(bytes, FRAME);
        } catch (error) {
          if (!(error instanceof ModelError)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  });
});
