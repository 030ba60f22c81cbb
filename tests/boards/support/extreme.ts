// A call of an intrinsic with the values that make its largest sums, and what has to come of it.
import type { BatchCall, BatchMemory } from "./batch.ts";
import type { Quant } from "./exact.ts";
import { Dice, Layout } from "./layout.ts";

/** Scratch lies behind the area, whose bytes are compared. */
export const MEMORY: BatchMemory = { bytes: 4 << 20, base: 16384, area: 3 << 19 };
export const SCRATCH = MEMORY.base + MEMORY.area;

type Values = Int8Array | Int16Array | Int32Array;

export interface Extreme extends BatchCall {
  what: string;
  /** What lies where afterwards. */
  left: { at: number; values: Values }[];
  result?: number;
  trap?: number[];
}

export const layout = (): Layout => new Layout(MEMORY.base, MEMORY.area, new Dice(1));

export const quantStruct = (m: Layout, quant: Quant): number =>
  m.struct(
    ...[quant.inputZero, quant.outputZero, quant.lo, quant.hi, m.int32([quant.multiplier])],
    ...[m.int32([quant.shift]), 1, Number(quant.key !== undefined), quant.key ?? 0],
  );
