// What a model looks like from outside while its deployed module is replayed: each layer's shapes, weights, range and saturation, found by
// the intrinsics that the module calls. Nothing has to be built in for it. A portable module keeps its kernels, and so its layers, to itself.

import type { LayerPlace } from "./layout.ts";

/** Bins of a histogram of INT8 weights: −127 … 127 in 17 steps of 15. */
export const BINS = 17;
const BIN_WIDTH = 15;
const EDGE = 127;

export interface LayerSnapshot {
  /** `conv2d 5×5, 1 → 8`. */
  name: string;
  /** [h, w, c] */
  output: [number, number, number];
  weights: {
    count: number;
    histogram: number[];
    /** Shares of weights that are 0, and that lie at ±127. */
    zero: number;
    edge: number;
    /** What an INT8 weight of 1 is worth. */
    unit: number;
  };
  /** Clipping range of the output; null of a layer that gives logits. */
  range: number | null;
  /** Share of the outputs of the last step that lie at the end of the range; null of logits. */
  saturated: number | null;
  /** Since the start: outputs at the end of the range, and masters that were stopped at theirs. */
  totals: { outputs: number; saturated: number; clamped: number };
}

interface Layer {
  name: string;
  output: [number, number, number];
  /** Of the weights: OHWI. */
  shape: LayerPlace["shape"];
  masters: number;
  weights: number;
  count: number;
  /** Address of int8 outputs; 0: logits. */
  data: number;
  ran: boolean;
  totals: LayerSnapshot["totals"];
}

/** Layers before their masters have range (u64, Q32.32), exponent (i32) and a word of zero (docs/abi.md, "Learned state"). */
const RANGE = -16;
const EXPONENT = -8;
const TWO_32 = 2 ** 32;
/** Layers that are looked at. */
const MAX_LAYERS = 256;

export class Inspector {
  /** By the address of their INT8 weights, in the order in which they run. */
  readonly #layers = new Map<number, Layer>();
  /** Masters and number of weights by the address of INT8 weights. */
  readonly #masters = new Map<number, { masters: number; count: number }>();
  #memory: WebAssembly.Memory | undefined;
  #loss: number | undefined;

  /** The module's memory, once it is loaded. */
  set memory(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  /** Cross-entropy that was computed last, in nats: that of the step's own sample. */
  get loss(): number | undefined {
    return this.#loss;
  }

  /** Goes to `ModuleHostOptions.observe`. */
  readonly observe = (name: string, args: readonly number[], result: number | undefined): void => {
    if (name === "weightsOf") {
      const [masters, count, , weights] = args as [number, number, number, number];
      if (this.#masters.size < MAX_LAYERS) this.#masters.set(weights, { masters, count });
    } else if (name === "conv2d") this.#forward(args);
    else if (name === "conv2dLearn") this.#clamped((args[10] as number) ?? 0, result ?? 0);
    else if (name === "sgdUpdate") this.#clamped((args[4] as number) ?? 0, result ?? 0);
    else if (name === "softmaxCrossEntropy") this.#loss = (result ?? 0) / 65536;
  };

  /** After each step: counts what has saturated in it. */
  stepped(): void {
    for (const layer of this.#layers.values()) {
      if (!layer.ran) continue;
      layer.ran = false;
      if (layer.data === 0) continue;
      layer.totals.outputs += size(layer);
      layer.totals.saturated += this.#atEdge(layer);
    }
  }

  snapshot(): LayerSnapshot[] {
    return [...this.#layers.values()].map((layer) => {
      const { masters, count, weights } = layer;
      const view = this.#view;
      const histogram = new Array<number>(BINS).fill(0);
      let zero = 0;
      let edge = 0;
      for (const weight of new Int8Array(view.buffer, weights, count)) {
        const bin = Math.floor((weight + EDGE) / BIN_WIDTH);
        histogram[Math.max(0, Math.min(bin, BINS - 1))]!++;
        if (weight === 0) zero++;
        if (Math.abs(weight) >= EDGE) edge++;
      }
      return {
        name: layer.name,
        output: layer.output,
        weights: {
          count,
          histogram,
          zero: zero / count,
          edge: edge / count,
          unit: 2 ** view.getInt32(masters + EXPONENT, true),
        },
        range: layer.data === 0 ? null : Number(view.getBigUint64(masters + RANGE, true)) / TWO_32,
        saturated: layer.data === 0 ? null : this.#atEdge(layer) / size(layer),
        totals: { ...layer.totals },
      };
    });
  }

  /** Where the layers that have run keep what they learn, in the learned state at `state`. */
  places(state: number): LayerPlace[] {
    return [...this.#layers.values()].map(({ name, masters, shape }) => ({
      name,
      masters: masters - state,
      shape,
    }));
  }

  get #view(): DataView<ArrayBuffer> {
    return new DataView((this.#memory as WebAssembly.Memory).buffer as ArrayBuffer);
  }

  #forward(args: readonly number[]): void {
    const [, conv, quant, xT, , weights, , yT, y] = args as number[];
    const known = this.#layers.get(weights as number);
    if (known) {
      known.ran = true;
      return;
    }
    const place = this.#masters.get(weights as number);
    if (!place || !this.#memory) return;
    const word = (at: number | undefined, i: number) => this.#view.getInt32((at as number) + 4 * i, true);
    const input = [word(xT, 1), word(xT, 2), word(xT, 3)];
    const output: [number, number, number] = [word(yT, 1), word(yT, 2), word(yT, 3)];
    const [height, width, groups] = [word(conv, 1), word(conv, 2), word(conv, 11)];
    const inputs = input[2]!;
    this.#layers.set(weights as number, {
      name: nameOf(input, output, `${height}×${width}`, groups),
      output,
      shape: [output[2], height, width, Math.max(1, Math.floor(inputs / Math.max(1, groups)))],
      ...place,
      weights: weights as number,
      data: word(quant, 5) === 0 ? 0 : (y as number),
      ran: true,
      totals: { outputs: 0, saturated: 0, clamped: 0 },
    });
  }

  #clamped(masters: number, count: number): void {
    if (count === 0) return;
    for (const layer of this.#layers.values()) {
      // a layer may learn in parts
      if (masters < layer.masters || masters >= layer.masters + 2 * layer.count) continue;
      layer.totals.clamped += count;
    }
  }

  #atEdge(layer: Layer): number {
    let n = 0;
    for (const x of new Int8Array(this.#view.buffer, layer.data, size(layer))) if (Math.abs(x) >= EDGE) n++;
    return n;
  }
}

function nameOf(
  [h, w, inputs]: readonly number[],
  [, , outputs]: readonly number[],
  kernel: string,
  groups: number,
): string {
  if (h === 1 && w === 1) return `dense ${inputs} → ${outputs}`;
  if (groups > 1 && groups === inputs && groups === outputs) return `depthwise ${kernel}, ${inputs}`;
  return `conv2d ${kernel}, ${inputs} → ${outputs}`;
}

const size = ({ output: [h, w, c] }: Layer): number => h * w * c;
