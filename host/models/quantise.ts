// A float network as INT8: weights symmetric for each filter, activations in the range that calibration saw, rectifiers folded into the
// clamp of the layer before. The last dense layer stays apart: it is the head that learns on the device.
import { type Conv2d, fixedPoint, type Net, NetError, type NetLayer } from "../pass/net.ts";
import { type ConvNode, type Graph, type GraphNode, ModelError } from "./graph.ts";
import { BIAS_MAX, checkLayers, MAX_LAYERS } from "./limits.ts";
import { runGraph } from "./reference.ts";

/** Outputs that are less than this of a unit are none. */
const LEAST_MULTIPLIER = 2 ** -31;

/** Of the values of a tensor so large a share lies in its range; the rest saturates. */
const KEPT = 0.9999;

/** value = (q − zero)·scale. */
export interface Scaling {
  scale: number;
  zero: number;
}

/** INT8 weights of each filter, symmetric with their largest at ±127. */
export interface Filters {
  weights: Int8Array;
  /** In accumulator units. */
  bias: Int32Array;
  /** Accumulator to output. */
  multiplier: number[];
}

/** @param weights [filters, fan-in] */
export function quantiseFilters(
  weights: Float32Array,
  bias: Float32Array,
  inputScale: number,
  outputScale: number,
): Filters {
  const filters = bias.length;
  const fanIn = weights.length / filters;
  const integers = new Int8Array(weights.length);
  const biases = new Int32Array(filters);
  const multiplier: number[] = [];
  for (let o = 0; o < filters; o++) {
    const own = weights.subarray(o * fanIn, (o + 1) * fanIn);
    const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    // a filter of next to nothing has wider steps, so that its bias and its multiplier fit
    const forBias = Math.abs(bias[o]!) / (inputScale * BIAS_MAX);
    const scale = Math.max(largest / 127, forBias, (LEAST_MULTIPLIER * outputScale) / inputScale);
    for (const [k, value] of own.entries()) integers[o * fanIn + k] = Math.round(value / scale);
    biases[o] = Math.round(bias[o]! / (inputScale * scale));
    multiplier.push((inputScale * scale) / outputScale);
  }
  return { weights: integers, bias: biases, multiplier };
}

/** The bounds between which `KEPT` of the values lie, 0 among them. */
function boundsOf(values: Float32Array): readonly [lo: number, hi: number] {
  values.sort();
  const beyond = Math.floor(((1 - KEPT) / 2) * values.length);
  return [Math.min(values[beyond]!, 0), Math.max(values[values.length - 1 - beyond]!, 0)];
}

/** @param zeroIsZero the output goes to layers that learn, which know no zero point */
function scalingOf([lo, hi]: readonly [number, number], zeroIsZero: boolean): Scaling {
  if (zeroIsZero) return { scale: Math.max(-lo, hi, 1e-6) / 127, zero: 0 };
  const scale = Math.max(hi - lo, 1e-6) / 255;
  return { scale, zero: Math.round(-128 - lo / scale) };
}

export interface Quantised {
  /** What is fixed; null if the model is its head alone. */
  net: Net | null;
  /** The last dense layer, and what it takes; null if the model does not end in one. */
  head: { node: ConvNode; input: Scaling } | null;
  /** What the outputs of the network are worth, if there is no head. */
  output: Scaling;
}

/** Splits the head off: a dense last layer, without a clamp. */
function headOf({ nodes }: Graph): ConvNode | null {
  const last = nodes.at(-1);
  return last?.op === "conv2d" && last.dense && last.lo === -Infinity && last.hi === Infinity ? last : null;
}

/**
 * @param frames of calibration, as the model takes them
 * @param input what a unit of a frame on the device is worth
 * @throws ModelError
 */
export function quantise(graph: Graph, frames: readonly Float32Array[], input: Scaling): Quantised {
  const head = headOf(graph);
  const nodes = head ? graph.nodes.slice(0, -1) : graph.nodes;
  if (head && nodes.length !== head.inputs[0]! + 1) {
    throw new ModelError(`${head.name}: the last layer takes ${head.inputs[0]}, not the layer before it`);
  }
  checkLayers(nodes.at(-1)?.name ?? "", nodes.length - 1, MAX_LAYERS - 1);
  const bounds = calibrate(graph, nodes, frames);
  // what reaches the head through pools that keep the scale has zero point 0 as well
  const zeroIsZero = new Set([nodes.length - 1]);
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (zeroIsZero.has(i) && nodes[i]!.op === "maxPool") zeroIsZero.add(nodes[i]!.inputs[0]!);
  }
  if (zeroIsZero.has(-1) && nodes.length > 0 && input.zero !== 0) {
    throw new ModelError(
      `${nodes[0]!.name}: a model of pools alone needs frames with zero point 0 (--input-zero)`,
    );
  }
  const scalings: Scaling[] = [];
  const of = (i: number): Scaling => (i < 0 ? input : scalings[i]!);
  const layers = nodes.map((node, i): NetLayer => {
    const output = node.op === "maxPool" ? of(node.inputs[0]!) : scalingOf(bounds[i]!, zeroIsZero.has(i));
    scalings.push(output);
    try {
      const layer = layerOf(node, node.inputs.map(of), output);
      for (const factor of factorsOf(layer)) fixedPoint(factor);
      return layer;
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      throw new ModelError(`${node.name}: ${error.message}; scale its weights or check the calibration data`);
    }
  });
  const output = of(nodes.length - 1);
  return {
    net: layers.length > 0 ? { input: graph.input, layers } : null,
    head: head && { node: head, input: output },
    output,
  };
}

function calibrate(graph: Graph, nodes: readonly GraphNode[], frames: readonly Float32Array[]) {
  const seen = nodes.map(({ shape: [h, w, c] }) => new Float32Array(h * w * c * frames.length));
  for (const [k, frame] of frames.entries()) {
    const outputs = runGraph({ ...graph, nodes: [...nodes] }, frame);
    for (const [i, output] of outputs.entries()) seen[i]!.set(output, k * output.length);
  }
  return seen.map((values, i) => {
    if (values.some((value) => !Number.isFinite(value))) {
      throw new ModelError(
        `${nodes[i]!.name}: its output overflows on the calibration data: check --input-scale`,
      );
    }
    return boundsOf(values);
  });
}

function factorsOf(layer: NetLayer): readonly number[] {
  if (layer.kind === "add") return layer.multipliers;
  if (!("multiplier" in layer)) return [];
  return typeof layer.multiplier === "number" ? [layer.multiplier] : layer.multiplier;
}

function layerOf(node: GraphNode, inputs: readonly Scaling[], output: Scaling): NetLayer {
  const quantised = (value: number) => Math.round(value / output.scale) + output.zero;
  const lowest = output.zero === 0 ? -127 : -128;
  const range = {
    lo: Math.min(Math.max(quantised(node.lo), lowest), 127),
    hi: Math.min(Math.max(quantised(node.hi), lowest), 127),
  };
  const first = inputs[0]!;
  const from = node.inputs[0]!;
  if (node.op === "add") {
    const second = inputs[1]!;
    return {
      kind: "add",
      from,
      other: node.inputs[1]!,
      inputZeros: [first.zero, second.zero],
      outputZero: output.zero,
      multipliers: [first.scale / output.scale, second.scale / output.scale],
      ...range,
    };
  }
  const { dilation, kernel, padding, stride } = node;
  const window = { from, dilation, kernel, padding, stride };
  if (node.op === "averagePool") {
    const multiplier = first.scale / output.scale;
    return {
      kind: "averagePool",
      ...window,
      inputZero: first.zero,
      outputZero: output.zero,
      multiplier,
      ...range,
    };
  }
  if (node.op !== "conv2d") return { kind: "maxPool", ...window };
  const conv: Conv2d = {
    kind: "conv2d",
    ...window,
    filters: node.bias.length,
    groups: node.groups,
    ...quantiseFilters(node.weights, node.bias, first.scale, output.scale),
    inputZero: first.zero,
    outputZero: output.zero,
    ...range,
  };
  return conv;
}
