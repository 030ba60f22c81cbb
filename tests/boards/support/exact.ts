// Requantisation and draws as docs/abi.md defines them, in whole numbers without a bound: what the integers of kernels are held against.
import { fin } from "../../../host/module/mix.ts";

/** What a quant struct says; `multiplier` and `shift` of one channel. */
export interface Quant {
  inputZero: number;
  outputZero: number;
  lo: number;
  hi: number;
  multiplier: number;
  shift: number;
  /** Draws of this key; to nearest without. */
  key?: number;
}

/** Draw i of a key, 16 bits. */
export const draw = (key: number, i: number): number => fin((key + Math.imul(i, 0x9e3779b1)) | 0) >>> 16;

/** r of docs/abi.md, "Requantisation". */
export function rounding({ shift, key }: Pick<Quant, "shift" | "key">, element: number): bigint {
  const s = BigInt(shift);
  if (key === undefined) return 1n << (s - 1n);
  const drawn = BigInt(draw(key, element));
  return s < 16n ? drawn >> (16n - s) : drawn << (s - 16n);
}

export const clamp = (value: bigint, lo: number | bigint, hi: number | bigint): number =>
  Number(value < BigInt(lo) ? BigInt(lo) : value > BigInt(hi) ? BigInt(hi) : value);

/** ⌊(acc·m + r) / 2^s⌋, neither moved nor clamped. */
export const scaled = (acc: number, quant: Quant, element: number): bigint =>
  (BigInt(acc) * BigInt(quant.multiplier) + rounding(quant, element)) >> BigInt(quant.shift);

export const requantised = (acc: number, quant: Quant, element: number): number =>
  clamp(scaled(acc, quant, element) + BigInt(quant.outputZero), quant.lo, quant.hi);
