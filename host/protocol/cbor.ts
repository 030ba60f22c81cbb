// The part of CBOR that the link speaks: definite lengths, maps with unsigned integer keys, integers, booleans, text,
// bytes and arrays; no floats, no tags. Whatever a wire brings is checked against that before cbor-x decodes it, so
// that none of the library's extensions (dates, references, packed values, sets) can be reached from outside.

import { Decoder, Encoder } from "cbor-x";
import { MessageError } from "./message-error.ts";

export { MessageError };

const OPTIONS = {
  useRecords: false,
  mapsAsObjects: false,
  tagUint8Array: false,
  variableMapSize: true,
} as const;
const encoder = new Encoder(OPTIONS);
const decoder = new Decoder(OPTIONS);

export type CborValue = number | bigint | boolean | string | Uint8Array | CborValue[] | CborMap;
export type CborMap = Map<number, CborValue>;

/** Deepest nesting of a message: a map in an array in a map, and one to spare. */
const MAX_DEPTH = 4;

/** Encodes a map; values that are undefined are left out. */
export function encodeMap(
  entries: readonly (readonly [key: number, value: CborValue | undefined])[],
): Uint8Array {
  const map = new Map<number, CborValue>();
  for (const [key, value] of entries) if (value !== undefined) map.set(key, value);
  return new Uint8Array(encoder.encode(map));
}

/** An integer in the form that cbor-x writes as a CBOR integer: beyond 32 bits it would write a float. */
export function integer(value: number | bigint): number | bigint {
  if (typeof value === "number" && Number.isSafeInteger(value)) {
    return value >= -0x80000000 && value <= 0xffffffff ? value : BigInt(value);
  }
  if (typeof value === "bigint" && BigInt.asIntN(64, value) === value) {
    return value >= -0x80000000n && value <= 0xffffffffn ? Number(value) : value;
  }
  throw new MessageError(`${value} is not an integer of 64 bits`);
}

/**
 * Decodes one map that fills `bytes`.
 * @throws MessageError if it is anything else.
 */
export function decodeMap(bytes: Uint8Array, what: string): CborMap {
  const scan = new Scan(bytes, what);
  if (bytes.length === 0 || (bytes[0] as number) >> 5 !== 5) throw new MessageError(`${what}: not a map`);
  scan.item(0);
  if (scan.at !== bytes.length)
    throw new MessageError(`${what}: ${bytes.length - scan.at} bytes after the map`);
  try {
    return decoder.decode(bytes) as CborMap;
  } catch (error) {
    throw new MessageError(`${what}: ${(error as Error).message}`);
  }
}

/** Walks over the bytes of a message without building anything. */
class Scan {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #what: string;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true });

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  item(depth: number): void {
    if (depth > MAX_DEPTH) this.#fail("nested too deeply");
    const initial = this.#byte();
    const major = initial >> 5;
    if (major === 7) {
      if (initial !== 0xf4 && initial !== 0xf5)
        this.#fail("neither true nor false: floats and null are not allowed");
      return;
    }
    if (major === 6) this.#fail("tags are not allowed");
    const argument = this.#argument(initial & 31);
    if (major < 2) return;
    const left = this.#bytes.length - this.at;
    if (argument > BigInt(left)) this.#fail(`${argument} announced, but only ${left} bytes are left`);
    const count = Number(argument);
    if (major === 4) for (let i = 0; i < count; i++) this.item(depth + 1);
    else if (major === 5) this.#entries(count, depth);
    else {
      const start = this.at;
      this.at += count;
      if (major === 3) this.#text(start);
    }
  }

  #entries(count: number, depth: number): void {
    const keys = new Set<bigint>();
    for (let i = 0; i < count; i++) {
      const initial = this.#byte();
      if (initial >> 5 !== 0) this.#fail("a key is not an unsigned integer");
      const key = this.#argument(initial & 31);
      if (key > 0xffffn || keys.has(key)) this.#fail(`key ${key} is too large or appears twice`);
      keys.add(key);
      this.item(depth + 1);
    }
  }

  #text(start: number): void {
    try {
      this.#utf8.decode(this.#bytes.subarray(start, this.at));
    } catch {
      this.#fail("text is not UTF-8");
    }
  }

  #argument(info: number): bigint {
    if (info < 24) return BigInt(info);
    if (info > 27) this.#fail("indefinite lengths are not allowed");
    let value = 0n;
    for (let i = 0; i < 1 << (info - 24); i++) value = (value << 8n) | BigInt(this.#byte());
    return value;
  }

  #byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) this.#fail("ends early");
    return byte as number;
  }

  #fail(why: string): never {
    throw new MessageError(`${this.#what}: at byte ${this.at - 1}: ${why}`);
  }
}

/** Reads the fields of a decoded map; what is missing, of a wrong type or out of range is a MessageError. */
export class Fields {
  readonly #map: CborMap;
  readonly #what: string;

  constructor(map: CborMap, what: string) {
    this.#map = map;
    this.#what = what;
  }

  has(key: number): boolean {
    return this.#map.has(key);
  }

  /** The value of `read` if the key is present. */
  optional<T>(key: number, read: (key: number) => T): T | undefined {
    return this.has(key) ? read.call(this, key) : undefined;
  }

  /** An integer in [min, max], both safe integers. */
  integer(key: number, min: number, max: number): number {
    const value = this.#map.get(key);
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number !== "number" || !Number.isSafeInteger(number) || number < min || number > max) {
      this.fail(key, `an integer in ${min} … ${max}`);
    }
    return number as number;
  }

  uint32(key: number): number {
    return this.integer(key, 0, 0xffffffff);
  }

  /** A number of 32 bits, written with or without sign; the result has a sign. */
  word(key: number): number {
    return this.integer(key, -0x80000000, 0xffffffff) | 0;
  }

  /** A count that may pass 32 bits: up to 2^53 − 1. */
  count(key: number): number {
    return this.integer(key, 0, Number.MAX_SAFE_INTEGER);
  }

  boolean(key: number): boolean {
    const value = this.#map.get(key);
    if (typeof value !== "boolean") this.fail(key, "true or false");
    return value as boolean;
  }

  text(key: number): string {
    const value = this.#map.get(key);
    if (typeof value !== "string") this.fail(key, "text");
    return value as string;
  }

  /** A copy of a byte string. */
  bytes(key: number): Uint8Array {
    const value = this.#map.get(key);
    if (!(value instanceof Uint8Array)) this.fail(key, "bytes");
    return new Uint8Array(value as Uint8Array);
  }

  array(key: number): CborValue[] {
    const value = this.#map.get(key);
    if (!Array.isArray(value)) this.fail(key, "an array");
    return value as CborValue[];
  }

  fields(key: number): Fields {
    const value = this.#map.get(key);
    if (!(value instanceof Map)) this.fail(key, "a map");
    return new Fields(value as CborMap, `${this.#what} ${key}`);
  }

  fail(key: number, want: string): never {
    throw new MessageError(`${this.#what}: key ${key} is ${this.has(key) ? "not" : "missing:"} ${want}`);
  }
}
