// Models of odd numbers all over: whatever a file holds, it is read, or refused as such, and what is read fits a module.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type OnnxNode, type OnnxTensor, onnxModel } from "../../bench/import/onnx.ts";
import { type TfliteOperator, type TfliteTensor, tfliteModel } from "../../bench/import/tflite.ts";
import { type Graph, ModelError, sizeOf } from "../../host/models/graph.ts";
import { headFile } from "../../host/models/head.ts";
import { ARENA } from "../../host/models/limits.ts";
import { readOnnx } from "../../host/models/onnx/read.ts";
import { quantise } from "../../host/models/quantise.ts";
import { readTflite } from "../../host/models/tflite/read.ts";
import { TYPE } from "../../host/models/tflite/schema.ts";
import { encodeNet } from "../../host/pass/net.ts";
import { FRAME, INPUT } from "./support/nets.ts";

const CONV = 3;
const DEPTHWISE = 4;
const frames = [Float32Array.from({ length: 784 }, (_, i) => (i % 11) / 10)];

describe("whatever a model holds, it is read or refused as such", () => {
  const odd = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 4 }) },
    fc.integer({ min: -2, max: 30 }),
    fc.constantFrom(0, -1, 255, 65_536, 2 ** 31 - 1, -(2 ** 31)),
  );
  const value = fc.constantFrom(0, 1, -0.3, 1e-38, 1e-7, 3e38, -1e12);
  const shape = fc.tuple(odd, odd, odd, odd);

  /** Elements for a shape, where it has any that a file could hold; never more than it says. */
  const fill = (dims: readonly number[], values: readonly number[]): Float32Array => {
    const count = dims.reduce((product, n) => product * n, 1);
    const length = count > 0 && count < 5000 ? count : values.length;
    return Float32Array.from({ length }, (_, i) => values[i % values.length]!);
  };

  function quantised(read: () => Graph): void {
    try {
      const graph = read();
      for (const { shape } of graph.nodes) expect(sizeOf(shape)).toBeLessThanOrEqual(ARENA);
      const { net, head } = quantise(graph, frames, { scale: 1 / 127.5, zero: 0 });
      const bytes = net && encodeNet(net);
      if (head) headFile(head.node, bytes, head.input);
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
    }
  }

  it("ONNX", () => {
    const layer = fc.record({
      op: fc.constantFrom(
        "Conv",
        "MaxPool",
        "AveragePool",
        "Relu",
        "Gemm",
        "BatchNormalization",
        "Add",
        "Mul",
      ),
      dims: shape,
      values: fc.array(value, { minLength: 1, maxLength: 5 }),
      pads: shape,
      strides: fc.tuple(odd, odd),
      dilations: fc.tuple(odd, odd),
      group: odd,
      same: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(layer, { minLength: 1, maxLength: 4 }), (layers) => {
        const tensors: Record<string, OnnxTensor> = {};
        const nodes = layers.map((it, i): OnnxNode => {
          const dims =
            it.op === "Conv" ? it.dims : it.op === "Gemm" ? it.dims.slice(0, 2) : it.dims.slice(0, 1);
          tensors[`w${i}`] = { dims, values: fill(dims, it.values) };
          const inputs = [
            i === 0 ? "x" : `v${i}`,
            ...Array<string>(it.op === "BatchNormalization" ? 4 : 1).fill(`w${i}`),
          ];
          const { dilations, group, pads, strides } = it;
          return {
            op: it.op,
            in: /Pool|Relu/.test(it.op) ? inputs.slice(0, 1) : inputs,
            out: i === layers.length - 1 ? "y" : `v${i + 1}`,
            with: {
              ...{ kernel_shape: it.dims.slice(0, 2), strides, dilations, group },
              ...(it.same ? { auto_pad: "SAME_LOWER" } : { pads }),
            },
          };
        });
        quantised(() => readOnnx(onnxModel(INPUT, nodes, tensors), FRAME));
      }),
      { numRuns: 400 },
    );
  });

  it("TFLite", () => {
    const layer = fc.record({
      code: fc.constantFrom(CONV, DEPTHWISE, 17, 1, 9, 0, 19),
      shape,
      values: fc.array(value, { minLength: 1, maxLength: 5 }),
      int8: fc.boolean(),
      scale: fc.array(value, { maxLength: 3 }),
      zero: fc.array(odd, { maxLength: 2 }),
      axis: odd,
      fields: fc.tuple(odd, odd, odd, odd, odd),
      padding: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(layer, { minLength: 1, maxLength: 4 }), (layers) => {
        const tensors: TfliteTensor[] = [{ name: "x", shape: [1, 28, 28, 1] }];
        const operators = layers.map((it, i): TfliteOperator => {
          const data = fill(it.shape, it.values);
          tensors.push(
            {
              ...{ name: `w${i}`, shape: it.shape, axis: it.axis, zero: it.zero },
              ...(it.scale.length > 0 && { scale: it.scale }),
              ...(it.int8 ? { type: TYPE.int8, data: Int8Array.from(data) } : { data }),
            },
            { name: `v${i}`, shape: [1, 28, 28, 1] },
          );
          const [a, b, c, d, e] = it.fields;
          const options = { 0: { byte: it.padding }, 1: a, 2: b, 3: c, 4: d, 5: e };
          return { code: it.code, inputs: [2 * i, 2 * i + 1], outputs: [2 * i + 2], options };
        });
        quantised(() => readTflite(tfliteModel(tensors, operators), FRAME));
      }),
      { numRuns: 400 },
    );
  });
});
