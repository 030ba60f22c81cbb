/** The nets of `npm run bench:import`: trained in FP32, then written as model files of the ecosystem. */

import { OPERATORS } from "../../host/models/tflite/schema.ts";
import type { Fp32Trainer } from "../fp32/trainer.ts";
import { type LayerPlan, type LayerSpec, type NetSpec, planNet, REFERENCE_NET } from "../net.ts";
import { type OnnxNode, type OnnxTensor, onnxModel } from "./onnx.ts";
import { type TfliteOperator, type TfliteTensor, tfliteModel } from "./tflite.ts";

export type ImportNet = "plain" | "residual" | "depthwise";

const conv = (filters: number, kernel: number, stride = 1): LayerSpec[] => [
  { kind: "conv2d", filters, kernel, stride, padding: "same" },
  { kind: "relu" },
];
const pool: LayerSpec = { kind: "maxPool", size: 2 };
const classes: LayerSpec = { kind: "dense", units: 10 };

/** Two convolutions and the way around them; it stands on layer `from`, counted from 0. */
const block = (filters: number, from: number): LayerSpec[] => [
  ...conv(filters, 3),
  { kind: "conv2d", filters, kernel: 3, padding: "same" },
  { kind: "residual", from },
  { kind: "relu" },
];
/** A depthwise and a pointwise convolution. */
const separable = (filters: number, stride: number): LayerSpec[] => [
  { kind: "depthwise", kernel: 3, stride, padding: "same" },
  { kind: "relu" },
  ...conv(filters, 1),
];

export const IMPORT_NETS: Readonly<Record<ImportNet, { text: string; spec: NetSpec }>> = {
  plain: { text: "conv 5×5×8, pool, conv 5×5×16, pool, dense 10", spec: REFERENCE_NET },
  residual: {
    text: "conv 3×3×8 by 2, residual block of 8, pool, conv 3×3×16, residual block of 16, pool, dense 10",
    spec: {
      input: [28, 28, 1],
      layers: [...conv(8, 3, 2), ...block(8, 1), pool, ...conv(16, 3), ...block(16, 9), pool, classes],
    },
  },
  depthwise: {
    text: "conv 3×3×8 by 2, depthwise 3×3 and pointwise 16, the same by 2 to 32, pool, dense 10",
    spec: {
      input: [28, 28, 1],
      layers: [...conv(8, 3, 2), ...separable(16, 1), ...separable(32, 2), pool, classes],
    },
  },
};

interface Weighted {
  plan: LayerPlan;
  weights: Float32Array;
  bias: Float32Array;
}

const layersOf = (spec: NetSpec, { layers }: Fp32Trainer): Weighted[] =>
  planNet(spec).map((plan, i) => ({ plan, weights: layers[i]!.weights, bias: layers[i]!.bias }));

/** Nets here have TensorFlow's paddings, which both formats know. */
function isSame({ name, spec }: LayerPlan): boolean {
  const padding = "padding" in spec ? (spec.padding ?? "valid") : "valid";
  if (typeof padding === "number") throw new RangeError(`${name}: its padding is neither same nor valid`);
  return padding === "same";
}

/** As exporters of ONNX write it: NCHW, weights OIHW. */
export function asOnnx(spec: NetSpec, trainer: Fp32Trainer): Uint8Array<ArrayBuffer> {
  const tensors: Record<string, OnnxTensor> = {};
  const nodes: OnnxNode[] = [];
  const layers = layersOf(spec, trainer);
  const named = (i: number) => (i < 0 ? "x" : i === layers.length - 1 ? "y" : `v${i}`);
  for (const [i, { bias, plan, weights }] of layers.entries()) {
    const { input, output, spec: layer } = plan;
    const put = (op: string, more: string[] = [], attributes: OnnxNode["with"] = {}, from = named(i - 1)) =>
      nodes.push({ op, in: [from, ...more], out: named(i), with: attributes });
    if (layer.kind === "relu") put("Relu");
    else if (layer.kind === "maxPool")
      put("MaxPool", [], { kernel_shape: [layer.size, layer.size], strides: [layer.size, layer.size] });
    else if (layer.kind === "residual") put("Add", [named(layer.from)]);
    else {
      const [h, w, c] = layer.kind === "dense" ? input : [layer.kernel, layer.kernel, input[2]];
      const per = layer.kind === "depthwise" ? 1 : c;
      const filters = output[2];
      const values = new Float32Array(weights.length);
      for (let o = 0, at = 0; o < filters; o++) {
        for (let p = 0; p < h * w; p++) {
          for (let ch = 0; ch < per; ch++, at++) values[(o * per + ch) * h * w + p] = weights[at]!;
        }
      }
      const dims = layer.kind === "dense" ? [filters, h * w * c] : [filters, per, h, w];
      tensors[`w${i}`] = { dims, values };
      tensors[`b${i}`] = { dims: [filters], values: bias };
      if (layer.kind === "dense") {
        nodes.push({ op: "Flatten", in: [named(i - 1)], out: `f${i}` });
        put("Gemm", [`w${i}`, `b${i}`], { transB: 1 }, `f${i}`);
      } else {
        const { stride = 1 } = layer;
        const auto_pad = isSame(plan) ? "SAME_UPPER" : "VALID";
        const group = layer.kind === "depthwise" ? c : 1;
        put("Conv", [`w${i}`, `b${i}`], { auto_pad, strides: [stride, stride], group });
      }
    }
  }
  const [h, w, c] = spec.input;
  return onnxModel([1, c, h, w], nodes, tensors);
}

const codeOf = (name: string): number =>
  Number(Object.entries(OPERATORS).find(([, operator]) => operator === name)![0]);

/** As TensorFlow's converter writes it: NHWC, weights OHWI, those of a depthwise layer 1HWO. */
export function asTflite(spec: NetSpec, trainer: Fp32Trainer): Uint8Array {
  const [h, w, c] = spec.input;
  const tensors: TfliteTensor[] = [{ name: "x", shape: [1, h, w, c] }];
  const operators: TfliteOperator[] = [];
  const made: number[] = [];
  const add = (tensor: TfliteTensor) => tensors.push(tensor) - 1;
  const all = layersOf(spec, trainer);
  for (const [i, { bias, plan, weights }] of all.entries()) {
    const { input, output, spec: layer } = plan;
    const from = made[i - 1] ?? 0;
    const put = (name: string, inputs: number[], options: TfliteOperator["options"] = {}) => {
      made.push(add({ name: plan.name, shape: [1, ...output] }));
      operators.push({ code: codeOf(name), inputs, outputs: [made.at(-1)!], options });
    };
    if (layer.kind === "relu") put("RELU", [from]);
    else if (layer.kind === "residual") put("ADD", [from, made[layer.from]!]);
    else if (layer.kind === "maxPool") {
      const { size } = layer;
      put("MAX_POOL_2D", [from], { 0: { byte: 1 }, 1: size, 2: size, 3: size, 4: size });
    } else if (layer.kind === "dense") {
      const inputs = [
        add({ name: `w${i}`, shape: [output[2], weights.length / output[2]], data: weights }),
        add({ name: `b${i}`, shape: [output[2]], data: bias }),
      ];
      put("FULLY_CONNECTED", [from, ...inputs]);
    } else {
      const { kernel, stride = 1 } = layer;
      const depthwise = layer.kind === "depthwise";
      const window = { 0: { byte: isSame(plan) ? 0 : 1 }, 1: stride, 2: stride };
      const shape = depthwise ? [1, kernel, kernel, output[2]] : [output[2], kernel, kernel, input[2]];
      // depthwise weights are 1HWO there, and O by windows here
      const taps = kernel * kernel;
      const data = depthwise
        ? weights.map((_, k) => weights[(k % output[2]) * taps + Math.floor(k / output[2])]!)
        : weights;
      const inputs = [
        add({ name: `w${i}`, shape, data }),
        add({ name: `b${i}`, shape: [output[2]], data: bias }),
      ];
      if (depthwise) put("DEPTHWISE_CONV_2D", [from, ...inputs], { ...window, 3: 1 });
      else put("CONV_2D", [from, ...inputs], window);
    }
  }
  return tfliteModel(tensors, operators);
}
