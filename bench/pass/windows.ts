/**
 * An INT8 net in V8 whose layers can be computed whole or in parts of rows: the kernels are those of the device
 * (intrinsics.wasm), called directly. What baselines are made of that do not decide as PASS does.
 */
import { readFile } from "node:fs/promises";
import { buildIntrinsics } from "../../host/build/modules.ts";
import { HOST_MODULE } from "../../host/module/imports.ts";
import { type Conv2d, fixedPoint, type Net } from "../../host/pass/net.ts";

interface Kernels {
  limit: WebAssembly.Global;
  conv2d(...pointers: number[]): void;
}

export interface Stage {
  readonly h: number;
  readonly w: number;
  readonly c: number;
  /** The layer's output, in place. */
  readonly data: Int8Array;
  /** Multiply-accumulates of one output position. */
  readonly macs: number;
  readonly layer: Conv2d;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

interface Placed extends Stage {
  conv: number;
  quant: number;
  tensor: number;
  at: number;
  weights: number;
  bias: number;
}

const PAGE = 65_536;
const WINDOW = 48;

export class WindowNet {
  /** The frame, [h, w, c]: fill it before computing. */
  readonly input: Int8Array;
  readonly stages: readonly Stage[];
  readonly #placed: readonly Placed[];
  readonly #inputAt: number;
  readonly #inputTensor: number;
  readonly #scratch: number;
  readonly #kernels: Kernels;
  readonly #view: DataView;

  private constructor(net: Net, memory: WebAssembly.Memory, kernels: Kernels) {
    this.#kernels = kernels;
    this.#view = new DataView(memory.buffer);
    let next = 64;
    const room = (bytes: number): number => {
      const at = next;
      next += (bytes + 15) & ~15;
      return at;
    };
    const words = (values: readonly number[]): number => {
      const at = room(4 * values.length);
      values.forEach((value, i) => {
        this.#view.setInt32(at + 4 * i, value, true);
      });
      return at;
    };
    const tensor = (h: number, w: number, c: number) => words([20, h, w, c, w * c]);
    let [h, w, c] = net.input;
    this.#inputTensor = tensor(h, w, c);
    this.#inputAt = room(h * w * c);
    this.input = new Int8Array(memory.buffer, this.#inputAt, h * w * c);
    let scratchBytes = 0;
    this.#placed = net.layers.map((layer): Placed => {
      if (layer.kind !== "conv2d") throw new TypeError(`a ${layer.kind} layer is not computed here`);
      const [kernel, stride, padding] = [layer.kernel, layer.stride ?? 1, layer.padding ?? 0].map(Number) as [
        number,
        number,
        number,
      ];
      const groups = layer.groups ?? 1;
      const oh = Math.floor((h + 2 * padding - kernel) / stride) + 1;
      const ow = Math.floor((w + 2 * padding - kernel) / stride) + 1;
      const factors = typeof layer.multiplier === "number" ? [layer.multiplier] : layer.multiplier;
      const fixed = factors.map(fixedPoint);
      const multipliers = words(fixed.map(({ multiplier }) => multiplier));
      const shifts = words(fixed.map(({ shift }) => shift));
      const zeros = [layer.inputZero ?? 0, layer.outputZero ?? 0];
      const range = [layer.lo ?? -128, layer.hi ?? 127];
      const quant = words([40, ...zeros, ...range, multipliers, shifts, fixed.length, 0, 0]);
      const sides = [padding, padding, padding, padding];
      const conv = words([64, kernel, kernel, stride, stride, 1, 1, ...sides, groups, 0, oh, 0, ow]);
      const weights = room(layer.weights.length);
      new Int8Array(memory.buffer).set(layer.weights, weights);
      const at = room(oh * ow * layer.filters);
      const products = (kernel * kernel * c) / groups;
      // docs/abi.md, "Scratch for 1–3"
      scratchBytes = Math.max(scratchBytes, 11 * products + 48);
      const placed: Placed = {
        ...{ h: oh, w: ow, c: layer.filters, layer, kernel, stride, padding, conv, quant, weights, at },
        tensor: tensor(oh, ow, layer.filters),
        bias: layer.bias ? words([...layer.bias]) : 0,
        macs: products * layer.filters,
        data: new Int8Array(memory.buffer, at, oh * ow * layer.filters),
      };
      [h, w, c] = [oh, ow, layer.filters];
      return placed;
    });
    this.stages = this.#placed;
    this.#scratch = words([12, room(scratchBytes), scratchBytes]);
    if (next > memory.buffer.byteLength) throw new RangeError(`the net needs ${next} bytes`);
  }

  static async create(net: Net): Promise<WindowNet> {
    const largest = net.input[0] * net.input[1] * 64 + 4 * PAGE;
    const pages = Math.ceil((largest + net.layers.length * PAGE) / PAGE);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const wasm = await readFile(await buildIntrinsics());
    const fail = (code: number, where: number, got: number, want: number): never => {
      throw new RangeError(`intrinsic ${where}: error ${code}, got ${got}, want ${want}`);
    };
    const { instance } = await WebAssembly.instantiate(wasm, { env: { memory }, [HOST_MODULE]: { fail } });
    const kernels = instance.exports as unknown as Kernels;
    kernels.limit.value = memory.buffer.byteLength;
    return new WindowNet(net, memory, kernels);
  }

  /** Multiply-accumulates of a dense frame. */
  get denseMacs(): number {
    return this.stages.reduce((sum, { h, w, macs }) => sum + h * w * macs, 0);
  }

  /** Computes positions x0 … x1 − 1 of rows y0 … y1 − 1 of a layer; returns the multiply-accumulates. */
  compute(index: number, y0: number, y1: number, x0: number, x1: number): number {
    const stage = this.#placed[index]!;
    [y0, y1, x0, x1].forEach((value, i) => {
      this.#view.setInt32(stage.conv + WINDOW + 4 * i, value, true);
    });
    const before = this.#placed[index - 1];
    this.#kernels.conv2d(
      this.#scratch,
      stage.conv,
      stage.quant,
      before?.tensor ?? this.#inputTensor,
      before?.at ?? this.#inputAt,
      stage.weights,
      stage.bias,
      stage.tensor,
      stage.at,
    );
    return (y1 - y0) * (x1 - x0) * stage.macs;
  }

  /** The positions that are set, one run of a row after the other; returns the multiply-accumulates. */
  computeSet(index: number, set: Uint8Array): number {
    const { h, w } = this.stages[index]!;
    let macs = 0;
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        if (!set[y * w + x]) continue;
        const from = x;
        while (x < w && set[y * w + x]) x++;
        macs += this.compute(index, y, y + 1, from, x);
      }
    }
    return macs;
  }

  /** Every layer whole; returns the last one's output, in place. */
  dense(frame: Int8Array): Int8Array {
    this.input.set(frame);
    this.#placed.forEach((stage, i) => {
      this.compute(i, 0, stage.h, 0, stage.w);
    });
    return this.#placed.at(-1)!.data;
  }
}
