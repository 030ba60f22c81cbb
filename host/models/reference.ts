// What a float network computes, in 64 bits: the yardstick of the quantised one. Plain loops; nothing here is fast.
import type { AddNode, ConvNode, Graph, GraphNode, PoolNode, Shape } from "./graph.ts";

/** Outputs of all nodes for a frame in NHWC. */
export function runGraph(graph: Graph, frame: Float32Array): Float32Array[] {
  const outputs: Float32Array[] = [];
  const of = (i: number) => (i < 0 ? frame : outputs[i]!);
  const shapeOf = (i: number): Shape => (i < 0 ? graph.input : graph.nodes[i]!.shape);
  for (const node of graph.nodes) {
    const x = of(node.inputs[0]!);
    let y: Float32Array;
    if (node.op === "conv2d") y = convolve(node, x, shapeOf(node.inputs[0]!));
    else if (node.op === "add") y = sum(node, x, of(node.inputs[1]!));
    else y = pool(node, x, shapeOf(node.inputs[0]!));
    outputs.push(clamped(node, y));
  }
  return outputs;
}

function clamped({ lo, hi }: GraphNode, y: Float32Array): Float32Array {
  return lo === -Infinity && hi === Infinity ? y : y.map((value) => Math.min(Math.max(value, lo), hi));
}

const sum = (_node: AddNode, a: Float32Array, b: Float32Array) => a.map((value, i) => value + b[i]!);

/** Calls `body` with the offset of each input position under a window. */
function taps(
  { dilation, kernel, padding, stride }: PoolNode | ConvNode,
  [h, w, c]: Shape,
  oy: number,
  ox: number,
  body: (at: number, k: number) => void,
): void {
  for (let ky = 0; ky < kernel[0]; ky++) {
    const y = oy * stride[0] - padding[0] + ky * dilation[0];
    if (y < 0 || y >= h) continue;
    for (let kx = 0; kx < kernel[1]; kx++) {
      const x = ox * stride[1] - padding[1] + kx * dilation[1];
      if (x >= 0 && x < w) body((y * w + x) * c, ky * kernel[1] + kx);
    }
  }
}

function convolve(node: ConvNode, x: Float32Array, input: Shape): Float32Array {
  const { bias, groups, kernel, shape, weights } = node;
  const [h, w, filters] = shape;
  const per = input[2] / groups;
  const area = kernel[0] * kernel[1];
  const inGroup = filters / groups;
  const y = new Float32Array(h * w * filters);
  const sums = new Float64Array(filters);
  for (let oy = 0, at = 0; oy < h; oy++) {
    for (let ox = 0; ox < w; ox++, at += filters) {
      sums.set(bias);
      taps(node, input, oy, ox, (from, k) => {
        for (let o = 0; o < filters; o++) {
          const first = from + Math.floor(o / inGroup) * per;
          const row = (o * area + k) * per;
          let total = 0;
          for (let i = 0; i < per; i++) total += x[first + i]! * weights[row + i]!;
          sums[o]! += total;
        }
      });
      y.set(sums, at);
    }
  }
  return y;
}

function pool(node: PoolNode, x: Float32Array, input: Shape): Float32Array {
  const [h, w, c] = node.shape;
  const y = new Float32Array(h * w * c);
  const mean = node.op === "averagePool";
  for (let oy = 0, at = 0; oy < h; oy++) {
    for (let ox = 0; ox < w; ox++, at += c) {
      let count = 0;
      for (let i = 0; i < c; i++) y[at + i] = mean ? 0 : -Infinity;
      taps(node, input, oy, ox, (from) => {
        count++;
        for (let i = 0; i < c; i++) {
          const value = x[from + i]!;
          y[at + i] = mean ? y[at + i]! + value : Math.max(y[at + i]!, value);
        }
      });
      if (mean) for (let i = 0; i < c; i++) y[at + i]! /= Math.max(count, 1);
    }
  }
  return y;
}
