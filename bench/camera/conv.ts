/** A convolution on the f32 kernels with SIMD (host/cloud), in the shape of the FP32 reference's layers. */
import { readFile } from "node:fs/promises";
import { buildCloudKernels } from "../../host/build/modules.ts";
import { type CloudKernels, loadKernels, Room } from "../../host/cloud/kernels.ts";
import type { Random } from "../../host/data/random.ts";
import type { Layer } from "../fp32/layers.ts";
import { elements, type LayerPlan, type Shape, windowOf } from "../net.ts";

/** Channels come in this many: SIMD registers. */
const LANES = 4;

/** Byte offsets of a layer's arrays. */
type Places = Record<"x" | "dx" | "y" | "e" | "w" | "dw" | "flipped" | "b" | "db" | "patches", number>;

export class FastConv implements Layer {
  readonly name: string;
  readonly outputShape: Shape;
  readonly output: Float32Array;
  readonly inputGradient: Float32Array;
  /** [fan-in, channels rounded up to 4]: `ohwi` has them in the usual order. */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  readonly weightGradient: Float32Array;
  readonly biasGradient: Float32Array;
  readonly #kernels: CloudKernels;
  readonly #plan: LayerPlan;
  readonly #at: Places;
  readonly #x: Float32Array;
  readonly #y: Float32Array;
  readonly #e: Float32Array;
  readonly #geometry: readonly [number, number, number, number, number, number, number, number];
  readonly #channels: number;

  private constructor(
    plan: LayerPlan,
    random: Random,
    at: Places,
    kernels: CloudKernels,
    memory: ArrayBuffer,
  ) {
    if (plan.spec.kind !== "conv2d") throw new TypeError(`${plan.name}: not a convolution`);
    const { kernel, stride = 1, padding = "valid" } = plan.spec;
    const [h, w, c] = plan.input;
    const [rows, columns, filters] = plan.output;
    const before = windowOf(h, kernel, stride, padding).before;
    const view = (from: number, count: number) => new Float32Array(memory, from, count);
    const n = Math.ceil(filters / LANES) * LANES;
    const fanIn = kernel * kernel * c;
    this.name = plan.name;
    this.outputShape = plan.output;
    this.#plan = plan;
    this.#kernels = kernels;
    this.#at = at;
    this.#channels = n;
    this.#geometry = [h, w, c, kernel, stride, before, rows, columns];
    this.#x = view(at.x, h * w * c);
    this.#y = view(at.y, rows * columns * n);
    this.#e = view(at.e, rows * columns * n);
    this.output = n === filters ? this.#y : new Float32Array(elements(plan.output));
    this.inputGradient = view(at.dx, h * w * c);
    this.weights = view(at.w, fanIn * n);
    this.weightGradient = view(at.dw, fanIn * n);
    this.bias = view(at.b, n);
    this.biasGradient = view(at.db, n);
    const limit = Math.sqrt(6 / fanIn);
    for (let i = 0; i < this.weights.length; i++) {
      if (i % n < filters) this.weights[i] = (random.next() / 2 ** 31 - 1) * limit;
    }
  }

  static async create(plan: LayerPlan, random: Random): Promise<FastConv> {
    const [h, w, c] = plan.input;
    const [rows, columns, filters] = plan.output;
    const kernel = plan.spec.kind === "conv2d" ? plan.spec.kernel : 1;
    const n = Math.ceil(filters / LANES) * LANES;
    const fanIn = kernel * kernel * c;
    const room = new Room();
    const at = {
      x: room.floats(h * w * c),
      dx: room.floats(h * w * c),
      y: room.floats(rows * columns * n),
      e: room.floats(rows * columns * n),
      w: room.floats(fanIn * n),
      dw: room.floats(fanIn * n),
      flipped: room.floats(fanIn * n),
      b: room.floats(n),
      db: room.floats(n),
      patches: room.floats(rows * columns * fanIn),
    };
    const { kernels, memory } = await loadKernels(await readFile(await buildCloudKernels()), room);
    return new FastConv(plan, random, at, kernels, memory);
  }

  forward(x: Float32Array): void {
    const [rows, columns, filters] = this.outputShape;
    const n = this.#channels;
    const { patches, w, y, b } = this.#at;
    const fanIn = this.weights.length / n;
    this.#x.set(x);
    this.#kernels.gather(1, ...this.#geometry, this.#at.x, patches);
    this.#kernels.gemm(rows * columns, n, fanIn, patches, 4 * fanIn, 4, w, y, 0);
    this.#kernels.addBias(rows * columns, n, b, y, 0);
    if (n === filters) return;
    for (let i = 0; i < this.output.length; i++) {
      this.output[i] = this.#y[Math.floor(i / filters) * n + (i % filters)]!;
    }
  }

  /** `x` must be what `forward` saw last: its patches are still there. */
  backward(_x: Float32Array, error: Float32Array, wantInputGradient: boolean): void {
    const [rows, columns, filters] = this.outputShape;
    const n = this.#channels;
    const { patches, e, w, dw, db, flipped, dx } = this.#at;
    const fanIn = this.weights.length / n;
    if (n === filters) this.#e.set(error);
    else {
      for (let i = 0; i < error.length; i++) this.#e[Math.floor(i / filters) * n + (i % filters)] = error[i]!;
    }
    this.#kernels.sumRows(rows * columns, n, e, db);
    this.#kernels.gemm(fanIn, n, rows * columns, patches, 4, 4 * fanIn, e, dw, 0);
    if (!wantInputGradient) return;
    this.#kernels.transpose(fanIn, n, w, flipped);
    this.#kernels.gemm(rows * columns, fanIn, n, e, 4 * n, 4, flipped, patches, 0);
    this.#kernels.scatter(1, ...this.#geometry, dx, patches);
  }

  /** Weights [filters, kernel, kernel, c], and biases. */
  ohwi(): { weights: Float32Array; bias: Float32Array } {
    const filters = this.#plan.output[2];
    const n = this.#channels;
    const fanIn = this.weights.length / n;
    return {
      weights: Float32Array.from({ length: filters * fanIn }, (_, i) => {
        const o = Math.floor(i / fanIn);
        return this.weights[(i % fanIn) * n + o]!;
      }),
      bias: this.bias.slice(0, filters),
    };
  }
}
