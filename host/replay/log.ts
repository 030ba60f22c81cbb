// A session log: what a device saw and was told, so that its training can be repeated (docs/replay.md). A sequence of CBOR items (RFC
// 8742), in pairs: a byte string with an entry (a map with integer keys, as on the link), then the CRC-32C of these bytes. Entries are
// appended as things happen: a log that ends early is good up to there.

import { type CborValue, decodeMap, encodeMap, Fields, integer, MessageError } from "../protocol/cbor.ts";
import { crc32c } from "../protocol/crc32c.ts";
import type { Param } from "../protocol/params.ts";

export const LOG_VERSION = 1;
/** Largest entry that is read: a module of a megabyte. */
const MAX_ENTRY = 1 << 20;
/** Heads of a byte string and of an unsigned integer with 32 bits that follow. */
const BYTES_HEAD = 0x5a;
const UINT_HEAD = 0x1a;
const FRAME_BYTES = 10;

/** What is known of the device. */
export interface SessionInfo {
  device: string;
  board: string;
  engine: string;
  firmware: string;
  module: Uint8Array;
  /** For people: the data set that the samples come from. */
  source: string;
}

/** `steps`: since the start of the run. */
export type Entry =
  | ({ kind: "session" } & SessionInfo)
  /** A piece of the sample file (docs/protocol.md), from byte `offset`. */
  | { kind: "samples"; offset: number; bytes: Uint8Array }
  | { kind: "start"; seed: number; params: readonly Param[] }
  | { kind: "message"; steps: number; bytes: Uint8Array }
  /** The learned state was overwritten. */
  | { kind: "restore"; steps: number; state: Uint8Array }
  | { kind: "digest"; steps: number; sha256: Uint8Array }
  /** A state record that the device told, and samples that it had seen. */
  | { kind: "state"; steps: number; record: Uint8Array; samples: number }
  | { kind: "fault"; steps: number; code: number; where: number; got: number; want: number }
  /** A piece of the learned state, from byte `offset`, as the device had it. */
  | { kind: "block"; steps: number; offset: number; bytes: Uint8Array }
  /** The recording was ended, not cut off. */
  | { kind: "end" };

type Kind = Entry["kind"];
type Of<K extends Kind> = Extract<Entry, { kind: K }>;
type Fill = [number, CborValue][];

const NUMBERS: Readonly<Record<Kind, number>> = {
  session: 0,
  samples: 1,
  start: 2,
  message: 3,
  restore: 4,
  digest: 5,
  state: 6,
  fault: 7,
  end: 8,
  block: 9,
};
const KINDS = new Map(Object.entries(NUMBERS).map(([kind, number]) => [number, kind as Kind]));

const write: { [K in Kind]: (entry: Of<K>) => Fill } = {
  session: ({ device, board, engine, firmware, module, source }) => [
    [1, LOG_VERSION],
    [2, device],
    [3, board],
    [4, engine],
    [5, firmware],
    [6, module],
    [7, source],
  ],
  samples: ({ offset, bytes }) => [
    [1, integer(offset)],
    [2, bytes],
  ],
  start: ({ seed, params }) => [
    [1, seed],
    [2, params.map(([hash, value]) => [hash, integer(value)])],
  ],
  message: ({ steps, bytes }) => [
    [1, steps],
    [2, bytes],
  ],
  restore: ({ steps, state }) => [
    [1, steps],
    [2, state],
  ],
  digest: ({ steps, sha256 }) => [
    [1, steps],
    [2, sha256],
  ],
  state: ({ steps, record, samples }) => [
    [1, steps],
    [2, record],
    [3, samples],
  ],
  fault: ({ steps, code, where, got, want }) => [
    [1, steps],
    [2, code],
    [3, where],
    [4, got],
    [5, want],
  ],
  end: () => [],
  block: ({ steps, offset, bytes }) => [
    [1, steps],
    [2, offset],
    [3, bytes],
  ],
};

const read: { [K in Kind]: (fields: Fields) => Omit<Of<K>, "kind"> } = {
  session: (fields) => {
    const version = fields.uint32(1);
    if (version !== LOG_VERSION) fields.fail(1, `version ${LOG_VERSION}: this log is of version ${version}`);
    return {
      device: fields.text(2),
      board: fields.text(3),
      engine: fields.text(4),
      firmware: fields.text(5),
      module: fields.bytes(6),
      source: fields.text(7),
    };
  },
  samples: (fields) => ({ offset: fields.count(1), bytes: fields.bytes(2) }),
  start: (fields) => ({ seed: fields.uint32(1), params: readParams(fields) }),
  message: (fields) => ({ steps: fields.uint32(1), bytes: fields.bytes(2) }),
  restore: (fields) => ({ steps: fields.uint32(1), state: fields.bytes(2) }),
  digest: (fields) => ({ steps: fields.uint32(1), sha256: fields.bytes(2) }),
  state: (fields) => ({ steps: fields.uint32(1), record: fields.bytes(2), samples: fields.uint32(3) }),
  fault: (fields) => ({
    steps: fields.uint32(1),
    code: fields.word(2),
    where: fields.word(3),
    got: fields.word(4),
    want: fields.word(5),
  }),
  end: () => ({}),
  block: (fields) => ({ steps: fields.uint32(1), offset: fields.uint32(2), bytes: fields.bytes(3) }),
};

/** Most parameters: more than any module takes. */
const MAX_PARAMS = 64;

function readParams(fields: Fields): Param[] {
  const pairs = fields.array(2);
  if (pairs.length > MAX_PARAMS) fields.fail(2, `at most ${MAX_PARAMS} parameters`);
  return pairs.map((pair) => {
    const [hash, value] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    const whole = typeof value === "number" ? BigInt(value) : value;
    if (typeof hash !== "number" || typeof whole !== "bigint" || BigInt.asIntN(64, whole) !== whole) {
      return fields.fail(2, "an array of pairs: hash, value in Q32.32");
    }
    return [hash >>> 0, whole] as const;
  });
}

/** The bytes of an entry as they are appended to a log. */
export function encodeEntry(entry: Entry): Uint8Array {
  const fill = (write[entry.kind] as (entry: Entry) => Fill)(entry);
  const payload = encodeMap([[0, NUMBERS[entry.kind]], ...fill]);
  if (payload.length > MAX_ENTRY)
    throw new RangeError(`an entry of ${payload.length} bytes; a log takes ${MAX_ENTRY}`);
  const bytes = new Uint8Array(payload.length + FRAME_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, BYTES_HEAD);
  view.setUint32(1, payload.length);
  bytes.set(payload, 5);
  view.setUint8(5 + payload.length, UINT_HEAD);
  view.setUint32(6 + payload.length, crc32c(payload));
  return bytes;
}

export interface LogContent {
  entries: Entry[];
  /** Why it was not read to its end; absent when it was. */
  damage?: { offset: number; reason: string };
}

/** Reads entries up to the end, or to the first that is not whole: what stands before is good. */
export function decodeLog(bytes: Uint8Array): LogContent {
  const entries: Entry[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const damaged = (reason: string): LogContent => ({ entries, damage: { offset: at, reason } });
  while (at < bytes.length) {
    const left = bytes.length - at;
    if (bytes[at] !== BYTES_HEAD) return damaged("no entry begins here");
    if (left < FRAME_BYTES) return damaged("the log was cut off");
    const length = view.getUint32(at + 1);
    if (length > MAX_ENTRY) return damaged(`an entry of ${length} bytes; none is larger than ${MAX_ENTRY}`);
    if (left < length + FRAME_BYTES) return damaged("the log was cut off");
    const payload = bytes.subarray(at + 5, at + 5 + length);
    const told = view.getUint32(at + 6 + length);
    if (bytes[at + 5 + length] !== UINT_HEAD || crc32c(payload) !== told) {
      return damaged("the check value does not fit: bytes were changed");
    }
    try {
      entries.push(decodeEntry(payload));
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      return damaged(error.message);
    }
    at += length + FRAME_BYTES;
  }
  return { entries };
}

function decodeEntry(payload: Uint8Array): Entry {
  const fields = new Fields(decodeMap(payload, "entry"), "entry");
  const kind = KINDS.get(fields.uint32(0));
  if (kind === undefined) return fields.fail(0, "a kind of entry that this release knows");
  return { kind, ...read[kind](fields) } as Entry;
}
