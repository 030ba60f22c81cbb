// A weights file: the learned state of a model, and where in it the tensors of each layer lie, so that the file speaks for itself
// (docs/training.md, "Keep what was learned"). assembly/octo/weights.ts writes and reads the same bytes on a device.
//
// Little-endian. Header, 32 bytes: u32 magic "OMWT", u16 version, u16 entries, u32 bytes in all, u32 structure digest, u32 offset
// of the state, u32 bytes of the state, u32 CRC-32C of everything with this word zero, u32 zero. Then 48 bytes for each
// layer with weights, then the state (docs/abi.md, "Learned state").
import { isState, STATE_HEADER_BYTES, STATE_VERSION, type StateHeader, stateHeader } from "./checkpoint.ts";
import { crc32c } from "./crc32c.ts";

/** "OMWT". */
export const WEIGHTS_MAGIC = 0x54574d4f;
export const WEIGHTS_VERSION = 1;
export const WEIGHTS_HEADER_BYTES = 32;
export const WEIGHTS_ENTRY_BYTES = 48;
/** Largest file that is believed. */
const MAX_BYTES = 1 << 24;
const CRC_AT = 24;
/** Bytes of a layer's part before its masters: range, exponent, zero. */
const LAYER_HEADER = 16;

/** Where a layer's tensors lie; offsets count from the start of the state. */
export interface WeightsEntry {
  /** Position in the model, from 0. */
  index: number;
  /** As errors name layers: 1 conv2d, 2 dense. */
  kind: number;
  /** OHWI: output channels, kernel, input channels of a group. */
  shape: readonly [number, number, number, number];
  groups: number;
  /** Of the masters, int16 in the order of the shape; range and exponent lie in the 16 bytes before them. */
  masters: number;
  /** Of the biases, int32 Q20. */
  biases: number;
  /** Bits of a weight on a grid; 0: eight without a grid. */
  bits: number;
  /** Of the grid's step size; 0: none. */
  grid: number;
  /** Of what compensates; 0: nothing. */
  compensation: number;
}

export interface WeightsFile {
  header: StateHeader;
  entries: WeightsEntry[];
  /** A checkpoint. */
  state: Uint8Array;
}

/** Not a weights file that can be used: what is wrong, and what to do. */
export class WeightsError extends Error {
  override readonly name = "WeightsError";
}

const words = ({ index, kind, shape, groups, masters, biases, bits, grid, compensation }: WeightsEntry) => [
  kind | (index << 8),
  ...shape,
  groups,
  masters,
  biases,
  bits,
  grid,
  compensation,
  0,
];

/** CRC-32C of a file whose check value counts as zero. */
export const weightsCrc = (file: Uint8Array): number => {
  const head = new Uint8Array(file.subarray(0, WEIGHTS_HEADER_BYTES));
  head.fill(0, CRC_AT, CRC_AT + 4);
  return crc32c(file.subarray(WEIGHTS_HEADER_BYTES), crc32c(head));
};

/** The file of a state as it lies in a module. */
export function encodeWeights(state: Uint8Array, entries: readonly WeightsEntry[]): Uint8Array<ArrayBuffer> {
  const at = WEIGHTS_HEADER_BYTES + entries.length * WEIGHTS_ENTRY_BYTES;
  const file = new Uint8Array(at + state.length);
  const view = new DataView(file.buffer);
  const head = [
    WEIGHTS_MAGIC,
    WEIGHTS_VERSION | (entries.length << 16),
    file.length,
    stateHeader(state).structure,
    at,
    state.length,
  ];
  for (const [i, word] of [...head, 0, 0, ...entries.flatMap(words)].entries()) {
    view.setUint32(4 * i, word, true);
  }
  file.set(state, at);
  view.setUint32(CRC_AT, weightsCrc(file), true);
  return file;
}

/**
 * Reads a weights file; nothing of it is used before all of it is known to be whole.
 * @throws WeightsError
 */
export function decodeWeights(file: Uint8Array): WeightsFile {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const word = (at: number) => view.getUint32(at, true);
  const damaged = (what: string) =>
    new WeightsError(`${what}: the file is damaged; take a copy that is whole`);
  if (file.length < WEIGHTS_HEADER_BYTES || word(0) !== WEIGHTS_MAGIC) {
    throw new WeightsError("not a weights file: give one that `octomote weights get` wrote");
  }
  const version = view.getUint16(4, true);
  if (version !== WEIGHTS_VERSION) {
    throw new WeightsError(
      `a weights file of version ${version}, and this release reads ${WEIGHTS_VERSION}: use the release that wrote it`,
    );
  }
  if (word(8) !== file.length || file.length > MAX_BYTES) {
    throw damaged(`${file.length} bytes, where the header says ${word(8)}`);
  }
  if (word(CRC_AT) !== weightsCrc(file)) throw damaged("the check value is not that of the content");
  const count = view.getUint16(6, true);
  const at = WEIGHTS_HEADER_BYTES + count * WEIGHTS_ENTRY_BYTES;
  const bytes = word(20);
  if (word(16) !== at || at + bytes !== file.length) throw damaged("its parts do not fit its length");
  const state = new Uint8Array(file.subarray(at));
  const header = isState(state) ? stateHeader(state) : undefined;
  if (header?.bytes !== bytes || header.structure !== word(12) || state[4] !== STATE_VERSION) {
    throw damaged("what it holds is no learned state");
  }
  const entries = weightsTable(file);
  const wrong = entries.findIndex((entry) => !fits(entry, bytes));
  if (wrong >= 0) throw damaged(`entry ${wrong} leaves the state`);
  return { header, entries, state };
}

/** The table of a file, which need not hold a state yet: that of a module that keeps one. */
export function weightsTable(file: Uint8Array): WeightsEntry[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  return Array.from({ length: view.getUint16(6, true) }, (_, i) =>
    entryAt(view, WEIGHTS_HEADER_BYTES + i * WEIGHTS_ENTRY_BYTES),
  );
}

function entryAt(view: DataView, at: number): WeightsEntry {
  const word = (i: number) => view.getUint32(at + 4 * i, true);
  return {
    index: word(0) >>> 8,
    kind: word(0) & 255,
    shape: [word(1), word(2), word(3), word(4)],
    groups: word(5),
    masters: word(6),
    biases: word(7),
    bits: word(8),
    grid: word(9),
    compensation: word(10),
  };
}

/** Weights of a layer. */
export function countOf({ shape }: WeightsEntry): number {
  return shape.reduce((product, n) => product * n, 1);
}

function fits(entry: WeightsEntry, bytes: number): boolean {
  const { shape, groups, masters, biases, bits, grid, compensation } = entry;
  const inside = (offset: number, length: number, unit: number) =>
    offset >= STATE_HEADER_BYTES && offset % unit === 0 && offset + length <= bytes;
  return (
    shape.every((n) => n > 0) &&
    groups > 0 &&
    bits <= 8 &&
    masters >= STATE_HEADER_BYTES + LAYER_HEADER &&
    inside(masters, 2 * countOf(entry), 8) &&
    inside(biases, 4 * shape[0], 4) &&
    (grid === 0 ? bits === 0 : bits >= 2 && inside(grid, 8, 8)) &&
    (compensation === 0 || inside(compensation, 8 * shape[0] + 2 * shape[3] * groups, 8))
  );
}

/** What a layer has learned, as numbers. */
export interface LayerWeights {
  /** Largest output that is not clipped. */
  range: number;
  /** What one INT8 weight is worth. */
  scale: number;
  /** int16, OHWI; one unit is `masterScale`. */
  masters: Int16Array;
  masterScale: number;
  /** What inference multiplies by, in −127 … 127. */
  weights: Int8Array;
  /** int32, Q20. */
  biases: Int32Array;
  /** Of a layer with LAC: α and γ of each output channel. */
  compensation?: { alphas: Float32Array; gains: Float32Array };
}

/** The tensors of an entry. Everything is exact: scales are powers of two, or 32 bits of a grid. */
export function layerWeights({ state }: WeightsFile, entry: WeightsEntry): LayerWeights {
  const copy = (offset: number, length: number) =>
    new Uint8Array(state.subarray(offset, offset + length)).buffer;
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
  const masters = new Int16Array(copy(entry.masters, 2 * countOf(entry)));
  const masterScale = 2 ** (view.getInt32(entry.masters - LAYER_HEADER + 8, true) - 8);
  // a grid's step size is Q8, in units of the masters
  const step = entry.grid === 0 ? 0 : view.getUint32(entry.grid, true);
  const levels = 2 ** (entry.bits - 1) - 1;
  const half = Math.floor((step * (2 * levels + 1)) / 2);
  const out = entry.shape[0];
  const fixed = (at: number, bits: number) =>
    Float32Array.from(new Int32Array(copy(entry.compensation + at, 4 * out)), (v) => v * 2 ** -bits);
  const level = (w: number) =>
    Math.max(-levels, Math.min(levels, Math.floor((w * 256 + half) / step) - levels));
  return {
    range: Number(view.getBigUint64(entry.masters - LAYER_HEADER, true)) / 2 ** 32,
    scale: masterScale * (step === 0 ? 256 : step / 256),
    masters,
    masterScale,
    weights: Int8Array.from(masters, (w) => (step === 0 ? (w + 128) >> 8 : level(w))),
    biases: new Int32Array(copy(entry.biases, 4 * out)),
    ...(entry.compensation && { compensation: { alphas: fixed(0, 16), gains: fixed(4 * out, 24) } }),
  };
}
