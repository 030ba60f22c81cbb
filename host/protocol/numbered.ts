// Which sample a publication of labelled features is, where its frame says only how its number ends (docs/sgq.md, "Short form"). A reader
// completes such a number to the nearest at what it expects; of what is sent again, or far behind, that would be another one's.
// The bridge sees all frames of a device in their order, so it knows, and puts the whole number in front.

import { LABELLED } from "./labelled.ts";

/** First byte: a u32 sequence number follows, then what is published without it. */
const NUMBERED = 0xc2;
const NUMBERED_BYTES = 5;

const FULL = 0xa;
const SHORT = 0xb;
/** Offsets in a full frame (the number is a varint) and in a short one. */
const FULL_NUMBER = 6;
const SHORT_NUMBER = 2;

/** A payload that tells the number of its first sample, u32. */
export function encodeNumbered(number: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(NUMBERED_BYTES + payload.length);
  bytes[0] = NUMBERED;
  new DataView(bytes.buffer).setUint32(1, number, true);
  bytes.set(payload, NUMBERED_BYTES);
  return bytes;
}

/** What was published, and the number that is in front of it, if one is. The payload is a view. */
export function decodeNumbered(bytes: Uint8Array): { number?: number; payload: Uint8Array } {
  if (bytes[0] !== NUMBERED || bytes.length <= NUMBERED_BYTES) return { payload: bytes };
  const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1, true);
  return { number, payload: bytes.subarray(NUMBERED_BYTES) };
}

/** Follows the numbers of one device's labelled features, all of which come by, in their order. */
export class FrameNumbers {
  #last: number | undefined;

  /** The number of this one's first sample; undefined if it says only how that ends, and none before it said more; or if it is none. */
  see(payload: Uint8Array): { number?: number; short: boolean } {
    const at = 2 + 2 * (payload[1] ?? 0);
    if (payload[0] !== LABELLED) return { short: false };
    const form = (payload[at] ?? 0) >> 4;
    if (form === SHORT) {
      if (this.#last === undefined || payload.length <= at + SHORT_NUMBER) return { short: true };
      const distance = (((payload[at + SHORT_NUMBER] as number) - this.#last + 128) & 255) - 128;
      this.#last = Math.max(this.#last + distance, 0);
      return { number: this.#last, short: true };
    }
    const number = form === FULL ? varint(payload, at + FULL_NUMBER) : undefined;
    if (number === undefined) return { short: false };
    this.#last = number;
    return { number, short: false };
  }
}

/** A u32 in LEB128; undefined when it does not end. */
function varint(bytes: Uint8Array, at: number): number | undefined {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return value < 2 ** 32 ? value : undefined;
  }
  return undefined;
}
