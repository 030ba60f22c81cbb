/**
 * What one bit of a sample's code maps costs: its log-odds given all the others, which is by how much the ideal code length changes when
 * it flips. A logistic regression per plane on the eight neighbours in the plane and on the other planes at the same place, learned
 * while training goes on; the frames themselves are coded with a codebook's contexts.
 */
import type { Shape } from "../../host/cloud/layers.ts";

const NEIGHBOURS = 8;
/** Log-odds that a bit begins with: most are 0. */
const BIAS = -2;
const RATE = 0.003;
/** Errors that teach nothing more. */
const SURE = 0.002;

export class RateModel {
  readonly #h: number;
  readonly #w: number;
  /** Channels · planes of each; bit (y, x, channel · each + plane). */
  readonly #planes: number;
  readonly #each: number;
  readonly #beside: Float32Array;
  readonly #across: Float32Array;
  readonly #bias: Float32Array;
  /** Bits with a border of zeros, and what is said of them. */
  readonly #bits: Float32Array;
  readonly #odds: Float32Array;
  readonly #around: readonly number[];

  constructor([h, w, c]: Shape, each: number) {
    const planes = c * each;
    this.#h = h;
    this.#w = w;
    this.#planes = planes;
    this.#each = each;
    this.#beside = new Float32Array(planes * NEIGHBOURS);
    this.#across = new Float32Array(planes * planes);
    this.#bias = new Float32Array(planes).fill(BIAS);
    this.#bits = new Float32Array((h + 2) * (w + 2) * planes);
    this.#odds = new Float32Array(h * w * planes);
    const row = w + 2;
    this.#around = [-row - 1, -row, 1 - row, -1, 1, row - 1, row, row + 1].map((d) => d * planes);
  }

  /** log(P(1)/P(0)) of each bit in nats, [h, w, channel, plane], of a sample's levels (NHWC); 0 where another plane says what it is. */
  logOdds(levels: Uint8Array): Float32Array {
    this.#load(levels);
    this.#everyBit((at, bit, plane) => {
      if (this.#known(at, plane)) {
        this.#odds[bit] = 0;
        return;
      }
      let sum = this.#bias[plane] as number;
      for (let n = 0; n < NEIGHBOURS; n++)
        sum +=
          (this.#beside[plane * NEIGHBOURS + n] as number) *
          (this.#bits[at + plane + (this.#around[n] as number)] as number);
      const row = plane * this.#planes;
      for (let k = 0; k < this.#planes; k++)
        sum += (this.#across[row + k] as number) * (this.#bits[at + k] as number);
      this.#odds[bit] = sum;
    });
    return this.#odds;
  }

  /** One step of gradient descent on the sample that `logOdds` was asked about. */
  learn(): void {
    const [beside, across, bias] = [this.#beside, this.#across, this.#bias].map(
      ({ length }) => new Float32Array(length),
    ) as [Float32Array, Float32Array, Float32Array];
    this.#everyBit((at, bit, plane) => {
      if (this.#known(at, plane)) return;
      const error = (this.#bits[at + plane] as number) - 1 / (1 + Math.exp(-(this.#odds[bit] as number)));
      if (Math.abs(error) < SURE) return;
      bias[plane] = (bias[plane] as number) + error;
      for (let n = 0; n < NEIGHBOURS; n++)
        if (this.#bits[at + plane + (this.#around[n] as number)])
          beside[plane * NEIGHBOURS + n] = (beside[plane * NEIGHBOURS + n] as number) + error;
      const row = plane * this.#planes;
      for (let k = 0; k < this.#planes; k++)
        if (k !== plane && this.#bits[at + k]) across[row + k] = (across[row + k] as number) + error;
    });
    const add = (to: Float32Array, by: Float32Array): void => {
      for (let i = 0; i < to.length; i++) to[i] = (to[i] as number) + RATE * (by[i] as number);
    };
    add(this.#beside, beside);
    add(this.#across, across);
    add(this.#bias, bias);
  }

  #load(levels: Uint8Array): void {
    for (let y = 0, i = 0; y < this.#h; y++)
      for (let x = 0; x < this.#w; x++) {
        const at = ((y + 1) * (this.#w + 2) + x + 1) * this.#planes;
        for (let plane = 0; plane < this.#planes; plane += this.#each, i++)
          for (let j = 0; j < this.#each; j++) this.#bits[at + plane + j] = (levels[i] as number) > j ? 1 : 0;
      }
  }

  /** The bit below is 0, or the bit above is 1. */
  #known(at: number, plane: number): boolean {
    const j = plane % this.#each;
    return (
      (j > 0 && this.#bits[at + plane - 1] === 0) || (j < this.#each - 1 && this.#bits[at + plane + 1] === 1)
    );
  }

  #everyBit(visit: (at: number, bit: number, plane: number) => void): void {
    for (let y = 0, bit = 0; y < this.#h; y++)
      for (let x = 0; x < this.#w; x++) {
        const at = ((y + 1) * (this.#w + 2) + x + 1) * this.#planes;
        for (let plane = 0; plane < this.#planes; plane++, bit++) visit(at, bit, plane);
      }
  }
}
