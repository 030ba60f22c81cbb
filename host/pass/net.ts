// Describes an INT8 network for PASS: the block of bytes that `new Network(pointer)` of assembly/pass reads in place
// (docs/pass.md, "Describing a network").

/** One number for both axes, or [height, width]. */
export type Pair = number | readonly [number, number];

/** Padding on all sides, or [top, left, bottom, right]. */
export type Padding = number | readonly [number, number, number, number];

interface Window {
  kernel: Pair;
  /** Default 1; of a pool, its kernel. */
  stride?: Pair;
  dilation?: Pair;
  padding?: Padding;
}

interface Stored {
  /** Typical change of an output that is let pass under the policy `fast`, in its units; default: that of the options. */
  tau?: number;
  /** Whether the output is cached or recomputed where it is needed; default: the planner decides. */
  store?: "cache" | "recompute";
  /** Position of the layer whose output this one takes; −1: the frame. Default: the layer before. Not for PASS. */
  from?: number;
}

export interface Conv2d extends Window, Stored {
  kind: "conv2d";
  /** Output channels. */
  filters: number;
  groups?: number;
  /** OHWI, [filters, kernelH, kernelW, c / groups], in [−127, 127]. */
  weights: Int8Array;
  /** Per output channel, in accumulator units. */
  bias?: Int32Array;
  /** Accumulator to output: one factor below 1, or one per output channel. */
  multiplier: number | readonly number[];
  /** Zero point of the input, which is the padding too; default 0. */
  inputZero?: number;
  outputZero?: number;
  /** Range of the output; default −128 … 127. */
  lo?: number;
  hi?: number;
}

export interface MaxPool extends Window, Stored {
  kind: "maxPool";
}

/** The mean under a window, padding aside. Not for PASS: see averagePool(). */
export interface AveragePool extends Window, Stored {
  kind: "averagePool";
  inputZero?: number;
  outputZero?: number;
  /** Scale of the input by that of the output. */
  multiplier: number;
  lo?: number;
  hi?: number;
}

/** The sum of two outputs of the same shape. Not for PASS. */
export interface Add extends Stored {
  kind: "add";
  /** Position of the second summand; −1: the frame. */
  other: number;
  inputZeros: readonly [number, number];
  outputZero?: number;
  /** Scale of each summand by that of the sum. */
  multipliers: readonly [number, number];
  lo?: number;
  hi?: number;
}

/** max(x, zero); zero defaults to 0. */
export interface Relu {
  kind: "relu";
  zero?: number;
}

export type NetLayer = Conv2d | MaxPool | AveragePool | Add | Relu;

export interface Net {
  /** Shape of a frame, [h, w, c]; int8, NHWC. */
  input: readonly [number, number, number];
  layers: readonly NetLayer[];
}

/** A description that is not that of a network. */
export class NetError extends Error {
  override name = "NetError";
}

/** Kinds as assembly/octo/layer.ts numbers them. */
const KIND = { conv2d: 1, maxPool: 3, relu: 4, averagePool: 6, add: 7 } as const;
const STORE = { cache: 1, recompute: 2 } as const;

/** "OPNT". */
export const NET_MAGIC = 0x544e504f;
export const NET_HEADER_BYTES = 32;
export const NET_LAYER_BYTES = 96;

/** The fixed-point form of a factor: m in [2^30, 2^31) and 1 ≤ s ≤ 62 with m · 2^−s nearest to it. */
export function fixedPoint(factor: number): { multiplier: number; shift: number } {
  let shift = 30 - Math.floor(Math.log2(factor));
  let multiplier = Math.round(factor * 2 ** shift);
  if (multiplier === 2 ** 31) {
    multiplier /= 2;
    shift--;
  }
  if (!(factor > 0) || shift < 1 || shift > 62)
    throw new NetError(`it has a multiplier of ${factor}, and they are in [2^−32, 2^30)`);
  return { multiplier, shift };
}

const pair = (value: Pair | undefined, otherwise: Pair): readonly [number, number] => {
  const it = value ?? otherwise;
  return typeof it === "number" ? [it, it] : it;
};

const sides = (padding: Padding = 0): readonly number[] =>
  typeof padding === "number" ? [padding, padding, padding, padding] : padding;

/** Average pooling over h×w of c channels: a depthwise convolution of ones. */
export function averagePool(channels: number, kernel: Pair, stride: Pair = kernel): Conv2d {
  const [h, w] = pair(kernel, 1);
  const weights = new Int8Array(channels * h * w).fill(1);
  return {
    kind: "conv2d",
    filters: channels,
    groups: channels,
    kernel,
    stride,
    weights,
    multiplier: 1 / (h * w),
  };
}

/** Collects arrays behind the records. */
class Pool {
  readonly #parts: Uint8Array[] = [];
  #next: number;

  constructor(start: number) {
    this.#next = start;
  }

  /** Where the array will lie, 4-aligned. */
  add(array: Int8Array | Int32Array): number {
    const at = this.#next;
    const bytes = new Uint8Array((array.byteLength + 3) & ~3);
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    this.#parts.push(bytes);
    this.#next += bytes.length;
    return at;
  }

  get bytes(): Uint8Array {
    const all = new Uint8Array(this.#parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

function convWords(layer: Conv2d, index: number, channels: number, pool: Pool): number[] {
  const [kernelH, kernelW] = pair(layer.kernel, 1);
  const groups = layer.groups ?? 1;
  const expected = (layer.filters * kernelH * kernelW * channels) / groups;
  if (layer.weights.length !== expected)
    throw new NetError(`layer ${index}: ${layer.weights.length} weights; its shape asks for ${expected}`);
  if (layer.bias && layer.bias.length !== layer.filters)
    throw new NetError(`layer ${index}: ${layer.bias.length} biases for ${layer.filters} filters`);
  const factors = typeof layer.multiplier === "number" ? [layer.multiplier] : layer.multiplier;
  if (factors.length !== 1 && factors.length !== layer.filters)
    throw new NetError(`layer ${index}: ${factors.length} multipliers for ${layer.filters} filters`);
  const fixed = factors.map(fixedPoint);
  return [
    layer.inputZero ?? 0,
    layer.outputZero ?? 0,
    layer.lo ?? -128,
    layer.hi ?? 127,
    pool.add(Int32Array.from(fixed, ({ multiplier }) => multiplier)),
    pool.add(Int32Array.from(fixed, ({ shift }) => shift)),
    fixed.length,
    pool.add(layer.weights),
    layer.bias ? pool.add(layer.bias) : 0,
  ];
}

function quantWords(layer: Exclude<NetLayer, Relu>, index: number, channels: number, pool: Pool): number[] {
  if (layer.kind === "conv2d") return convWords(layer, index, channels, pool);
  if (layer.kind === "maxPool") return [0, 0, -128, 127, 0, 0, 0, 0, 0];
  const factors = layer.kind === "add" ? layer.multipliers : [layer.multiplier];
  const [first, second] = layer.kind === "add" ? layer.inputZeros : [layer.inputZero ?? 0, 0];
  const fixed = factors.map(fixedPoint);
  return [
    first,
    layer.outputZero ?? 0,
    layer.lo ?? -128,
    layer.hi ?? 127,
    pool.add(Int32Array.from(fixed, ({ multiplier }) => multiplier)),
    pool.add(Int32Array.from(fixed, ({ shift }) => shift)),
    fixed.length,
    second,
    0,
  ];
}

function channelsOf(outputs: readonly number[], net: Net, from: number | undefined, index: number): number {
  const layer = from ?? index - 1;
  const channels = layer < 0 ? net.input[2] : outputs[layer];
  if (channels === undefined)
    throw new NetError(`layer ${index}: takes layer ${layer}, which is not before it`);
  return channels;
}

/** Where a layer's inputs come from, as bytes 1 and 2 of its last word: 0 the layer before, 255 the frame, else 1 + position. */
function sourceWord(layer: Exclude<NetLayer, Relu>, index: number): number {
  const byte = (from: number | undefined) => {
    if (from === undefined || from === index - 1) return index > 0 || from === undefined ? 0 : 255;
    return from < 0 ? 255 : from + 1;
  };
  return (byte(layer.from) << 8) | ((layer.kind === "add" ? byte(layer.other) : 0) << 16);
}

/**
 * The network as bytes.
 * @throws NetError when arrays do not have the lengths that the shapes ask for; whether layers fit each other is for the
 * device to say, which knows it to the position
 */
export function encodeNet(net: Net): Uint8Array<ArrayBuffer> {
  const start = NET_HEADER_BYTES + net.layers.length * NET_LAYER_BYTES;
  const pool = new Pool(start);
  /** Channels of each layer's output. */
  const outputs: number[] = [];
  const records = net.layers.map((layer, index): number[] => {
    if (layer.kind === "relu") {
      const zero = layer.zero ?? 0;
      const channels = channelsOf(outputs, net, undefined, index);
      outputs.push(channels);
      return [KIND.relu, channels, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, -1, 0, zero, zero, 127, 0, 0, 0, 0, 0, 0];
    }
    const groups = layer.kind === "conv2d" ? (layer.groups ?? 1) : 1;
    const before = channelsOf(outputs, net, layer.from, index);
    const after = layer.kind === "conv2d" ? layer.filters : before;
    outputs.push(after);
    const window: Window = layer.kind === "add" ? { kernel: 1 } : layer;
    return [
      KIND[layer.kind],
      after,
      ...pair(window.kernel, 1),
      ...pair(window.stride, layer.kind === "conv2d" ? 1 : window.kernel),
      ...pair(window.dilation, 1),
      ...sides(window.padding),
      groups,
      layer.tau === undefined ? -1 : Math.round(layer.tau * 256),
      ...quantWords(layer, index, before, pool),
      (layer.store ? STORE[layer.store] : 0) | sourceWord(layer, index),
    ];
  });
  const arrays = pool.bytes;
  const bytes = new Uint8Array(start + arrays.length);
  const view = new DataView(bytes.buffer);
  const words = [NET_MAGIC, 1, bytes.length, ...net.input, net.layers.length, 0, ...records.flat()];
  words.forEach((word, i) => {
    view.setInt32(4 * i, word, true);
  });
  bytes.set(arrays, start);
  return bytes;
}

/** The network as an AssemblyScript file that an app imports: `import { NET } from "./net"`. */
export function netSource(net: Net): string {
  const bytes = encodeNet(net);
  const words = new Uint32Array(bytes.buffer);
  const lines: string[] = [];
  for (let i = 0; i < words.length; i += 8) lines.push(`    ${[...words.subarray(i, i + 8)].join(", ")},`);
  return [
    "// An INT8 network for PASS (docs/pass.md). Written by netSource() of host/pass/net.ts.",
    "export const NET: usize = memory.data<u32>(",
    "  [",
    ...lines,
    "  ],",
    "  4,",
    ");",
    "",
  ].join("\n");
}
