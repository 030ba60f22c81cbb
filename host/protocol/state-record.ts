// The state record that a module publishes on channel 0 (docs/abi.md): pairs of i32, key and value.
// Key = id | format << 16; format 0 is an integer, 1 is Q16.16.

export interface StateRecord {
  /** The class that was inferred last. */
  class?: number;
  /** Running mean of the cross-entropy, in nats. */
  loss?: number;
  /** 0 … 1, over held-out samples. */
  accuracy?: number;
  /** Training steps since init. */
  steps?: number;
  learningRate?: number;
  /** Held-out samples behind `accuracy`. */
  evaluated?: number;
  /** Weights that a clamp has stopped. */
  saturated?: number;
  /** Bytes of all SGQ frames sent, and what the features were as int8; version of the codebook, 0: none. */
  featureBytes?: number;
  featureBytesRaw?: number;
  codebook?: number;
  /** Personalisation: 1 when training is due, 0 when not; mean doubt in nats; samples in the replay buffer; frames that a label still holds for. */
  due?: number;
  doubt?: number;
  kept?: number;
  labelsLeft?: number;
  /** PASS, of the last frame: share of patches that had changed, and of a dense frame's multiplications that were made. */
  dirty?: number;
  macs?: number;
  /** PASS: multiplications saved since init, in thousands; wraps like any i32. */
  macsSaved?: number;
  /** PASS: frames since the oldest patch was computed again. */
  refreshAge?: number;
  /** PASS: share of audited skips that would have mattered, 0 … 1. */
  harmful?: number;
  /** PASS: noise of the sensor, in grey levels. */
  noise?: number;
  /** PASS: frames that were computed whole. */
  denseFrames?: number;
  /** Cells in which a camera sees something. */
  occupied?: number;
  /** Values with an id that has no name here, by id. */
  other?: Record<number, number>;
}

type Name = Exclude<keyof StateRecord, "other">;

const IDS: readonly [Name, id: number, format: 0 | 1][] = [
  ["class", 1, 0],
  ["loss", 2, 1],
  ["accuracy", 3, 1],
  ["steps", 4, 0],
  ["learningRate", 5, 1],
  ["evaluated", 6, 0],
  ["saturated", 7, 0],
  ["featureBytes", 16, 0],
  ["featureBytesRaw", 17, 0],
  ["codebook", 18, 0],
  ["due", 24, 0],
  ["doubt", 25, 1],
  ["kept", 26, 0],
  ["labelsLeft", 27, 0],
  ["dirty", 32, 1],
  ["macs", 33, 1],
  ["macsSaved", 34, 0],
  ["refreshAge", 35, 0],
  ["harmful", 36, 1],
  ["noise", 37, 1],
  ["denseFrames", 38, 0],
  ["occupied", 39, 0],
];
const NAMES = new Map(IDS.map(([name, id]) => [id, name]));

/** Most pairs that are read; a record is a handful. */
const MAX_PAIRS = 64;

/**
 * Reads a record. Whole pairs only; a key with an unknown format is left out, since its value has no meaning here.
 * @returns null if the length is not that of a record.
 */
export function decodeStateRecord(bytes: Uint8Array): StateRecord | null {
  if (bytes.length % 8 !== 0 || bytes.length > MAX_PAIRS * 8) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const record: StateRecord = {};
  for (let at = 0; at < bytes.length; at += 8) {
    const key = view.getUint32(at, true);
    const raw = view.getInt32(at + 4, true);
    const format = key >>> 16;
    if (format > 1) continue;
    const value = format === 1 ? raw / 65536 : raw;
    const name = NAMES.get(key & 0xffff);
    if (name !== undefined) record[name] = value;
    else {
      record.other ??= {};
      record.other[key & 0xffff] = value;
    }
  }
  return record;
}

/** Writes the named values of a record; `other` is left out. */
export function encodeStateRecord(record: StateRecord): Uint8Array {
  const told = IDS.filter(([name]) => record[name] !== undefined);
  const view = new DataView(new ArrayBuffer(told.length * 8));
  told.forEach(([name, id, format], i) => {
    const value = record[name] as number;
    view.setUint32(i * 8, id | (format << 16), true);
    view.setInt32(i * 8 + 4, format === 1 ? Math.round(value * 65536) : value, true);
  });
  return new Uint8Array(view.buffer);
}
