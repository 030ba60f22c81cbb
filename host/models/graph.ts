// A float network as every reader of model files leaves it: convolutions, pools and sums over NHWC maps, each with the clamp behind it.
// Dense layers are convolutions whose kernel is the whole map.

import { checkGroups, checkLayers, checkMap, checkWeights, checkWindow, MAX_LAYERS } from "./limits.ts";
import { ModelError } from "./model-error.ts";

export { ModelError };

export type Shape = readonly [h: number, w: number, c: number];
export type Pair = readonly [number, number];

interface Common {
  /** The model's own name of it. */
  name: string;
  /** Positions of the nodes whose outputs come in; −1: the frame. */
  inputs: readonly number[];
  /** Output. */
  shape: Shape;
  /** Values of the output are clamped to lo … hi: a rectifier has 0 and infinity. */
  lo: number;
  hi: number;
}

export interface Window {
  kernel: Pair;
  stride: Pair;
  dilation: Pair;
  /** Top, left, bottom, right. */
  padding: readonly [number, number, number, number];
}

export interface ConvNode extends Common, Window {
  op: "conv2d";
  groups: number;
  /** OHWI, [filters, kernelH, kernelW, c / groups]. */
  weights: Float32Array;
  /** Per filter. */
  bias: Float32Array;
  /** A fully connected layer of the model. */
  dense: boolean;
}

export interface PoolNode extends Common, Window {
  op: "maxPool" | "averagePool";
}

export interface AddNode extends Common {
  op: "add";
}

export type GraphNode = ConvNode | PoolNode | AddNode;

export interface Graph {
  input: Shape;
  nodes: GraphNode[];
}

export const sizeOf = ([h, w, c]: Shape): number => h * w * c;

/** Checks weights: a number that is none would spoil every output. @throws ModelError */
export function finite(name: string, values: Float32Array): Float32Array {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return values;
  throw new ModelError(
    `tensor ${name} holds ${values[at]} at element ${at}: export a model whose training has not diverged`,
  );
}

const WHOLE: Pick<Window, "stride" | "dilation" | "padding"> = {
  stride: [1, 1],
  dilation: [1, 1],
  padding: [0, 0, 0, 0],
};

/** Builds a graph node by node; shapes follow. Every method returns the node's position. */
export class GraphBuilder {
  readonly graph: Graph;

  constructor(input: Shape) {
    checkMap("the model's input", input);
    this.graph = { input, nodes: [] };
  }

  shape(of: number): Shape {
    return of < 0 ? this.graph.input : this.graph.nodes[of]!.shape;
  }

  conv(
    name: string,
    input: number,
    window: Window,
    groups: number,
    weights: Float32Array,
    bias: Float32Array,
    dense = false,
  ): number {
    const c = this.shape(input)[2];
    const filters = bias.length;
    checkWindow(name, window);
    checkGroups(name, groups, c, filters);
    const want = (filters * window.kernel[0] * window.kernel[1] * c) / groups;
    if (weights.length !== want) {
      throw new ModelError(
        `${name}: ${weights.length} weights for ${filters} filters over ${c} channels in ${groups} groups, which takes ${want}`,
      );
    }
    checkWeights(name, want / filters, filters);
    const [h, w] = this.#slide(name, input, window);
    finite(name, weights);
    finite(name, bias);
    const shape: Shape = [h, w, filters];
    return this.#push({
      op: "conv2d",
      name,
      inputs: [input],
      shape,
      ...FREE,
      ...window,
      groups,
      weights,
      bias,
      dense,
    });
  }

  /** A layer over the whole map; weights are out × in, in NHWC. */
  dense(name: string, input: number, weights: Float32Array, bias: Float32Array): number {
    const [h, w] = this.shape(input);
    return this.conv(name, input, { kernel: [h, w], ...WHOLE }, 1, weights, bias, true);
  }

  pool(op: PoolNode["op"], name: string, input: number, window: Window): number {
    checkWindow(name, window);
    const [h, w] = this.#slide(name, input, window);
    const shape: Shape = [h, w, this.shape(input)[2]];
    return this.#push({ op, name, inputs: [input], shape, ...FREE, ...window });
  }

  globalAverage(name: string, input: number): number {
    const [h, w] = this.shape(input);
    return this.pool("averagePool", name, input, { kernel: [h, w], ...WHOLE });
  }

  add(name: string, a: number, b: number): number {
    const shape = this.shape(a);
    if (this.shape(b).some((n, i) => n !== shape[i])) {
      throw new ModelError(
        `${name}: adds maps of ${shape.join("×")} and ${this.shape(b).join("×")}; sums of one shape only`,
      );
    }
    return this.#push({ op: "add", name, inputs: [a, b], shape, ...FREE });
  }

  /** Each channel by a factor and a term of its own. @param shared whether others take the input as it is */
  scale(name: string, input: number, factor: Float32Array, term: Float32Array, shared: boolean): number {
    finite(name, factor);
    finite(name, term);
    const channels = this.shape(input)[2];
    if (factor.length !== channels || term.length !== channels) {
      throw new ModelError(
        `${name}: ${factor.length} factors and ${term.length} terms for ${channels} channels: the file is damaged`,
      );
    }
    const node = this.graph.nodes[input];
    if (node?.op === "conv2d" && !shared && node.lo === -Infinity && node.hi === Infinity) {
      const fanIn = node.weights.length / node.bias.length;
      node.weights = finite(
        name,
        node.weights.map((w, i) => w * factor[Math.floor(i / fanIn)]!),
      );
      node.bias = finite(
        name,
        node.bias.map((b, o) => b * factor[o]! + term[o]!),
      );
      return input;
    }
    return this.conv(name, input, { kernel: [1, 1], ...WHOLE }, factor.length, factor, term);
  }

  clamp(name: string, input: number, lo: number, hi: number, shared: boolean): number {
    if (!(lo <= hi)) throw new ModelError(`${name}: clamps to ${lo} … ${hi}, which holds no number`);
    const node = this.graph.nodes[input];
    // a maximum keeps the scale of what comes in, and has no clamp of its own
    if (node && !shared && node.op !== "maxPool") {
      // one clamp behind another: bounds are clamped as values are
      node.lo = Math.min(Math.max(node.lo, lo), hi);
      node.hi = Math.min(Math.max(node.hi, lo), hi);
      return input;
    }
    const c = this.shape(input)[2];
    const same = this.conv(
      name,
      input,
      { kernel: [1, 1], ...WHOLE },
      c,
      new Float32Array(c).fill(1),
      new Float32Array(c),
    );
    return this.clamp(name, same, lo, hi, false);
  }

  #slide(name: string, input: number, { kernel, stride, dilation, padding }: Window): Pair {
    const [h, w] = this.shape(input);
    const [top, left, bottom, right] = padding;
    const along = (length: number, axis: 0 | 1) => {
      const reach = (kernel[axis] - 1) * dilation[axis] + 1;
      if (reach > length) {
        throw new ModelError(
          `${name}: a window of ${reach} over ${length} positions: the map is too small for it`,
        );
      }
      return Math.floor((length - reach) / stride[axis]) + 1;
    };
    return [along(h + top + bottom, 0), along(w + left + right, 1)];
  }

  #push(node: GraphNode): number {
    checkMap(node.name, node.shape);
    // one more may be the head
    checkLayers(node.name, this.graph.nodes.length, MAX_LAYERS);
    return this.graph.nodes.push(node) - 1;
  }
}

const FREE = { lo: -Infinity, hi: Infinity } as const;
