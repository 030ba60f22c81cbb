// Frames of the link (docs/protocol.md): `00 COBS(header · payload · crc) 00`, with log text allowed in between.
// This file knows bytes, not meanings; messages.ts knows the payloads.

import { cobsDecode, cobsEncode, cobsMaxEncoded } from "./cobs.ts";
import { crc32c } from "./crc32c.ts";

export const PROTOCOL_VERSION = 1;
/** Largest payload of a frame, in bytes. */
export const MAX_PAYLOAD = 1024;
export const HEADER_BYTES = 5;
const CRC_BYTES = 4;
/** Largest frame on the wire without its two delimiters. */
export const MAX_ENCODED_FRAME = cobsMaxEncoded(HEADER_BYTES + MAX_PAYLOAD + CRC_BYTES);

/** Frame types by name. */
export const FrameType = {
  ack: 0x01,
  helloRequest: 0x02,
  hello: 0x03,
  welcome: 0x04,
  state: 0x10,
  log: 0x11,
  features: 0x12,
  request: 0x20,
  response: 0x21,
} as const;

export interface Frame {
  /** One of FrameType, or a type that a newer peer knows: 0 … 255. */
  type: number;
  /** Numbered, acknowledged and resent. */
  reliable: boolean;
  /** The link epoch modulo 16. */
  epoch: number;
  /** 0 … 65535. */
  sequence: number;
  payload: Uint8Array;
}

/**
 * The bytes of a frame, delimiters included.
 * @throws RangeError if a field does not fit: a mistake of the caller's, never of the wire's.
 */
export function encodeFrame(frame: Frame): Uint8Array {
  const { type, epoch, sequence, payload } = frame;
  if (payload.length > MAX_PAYLOAD) {
    throw new RangeError(`frame payload of ${payload.length} bytes: at most ${MAX_PAYLOAD} fit one frame`);
  }
  if (!fits(type, 0xff) || !fits(epoch, 0xf) || !fits(sequence, 0xffff)) {
    throw new RangeError(`frame header out of range: type ${type}, epoch ${epoch}, sequence ${sequence}`);
  }
  const raw = new Uint8Array(HEADER_BYTES + payload.length + CRC_BYTES);
  const view = new DataView(raw.buffer);
  raw[0] = PROTOCOL_VERSION;
  raw[1] = type;
  raw[2] = (frame.reliable ? 1 : 0) | (epoch << 4);
  view.setUint16(3, sequence, true);
  raw.set(payload, HEADER_BYTES);
  const end = HEADER_BYTES + payload.length;
  view.setUint32(end, crc32c(raw.subarray(0, end)), true);
  const body = cobsEncode(raw);
  const wire = new Uint8Array(body.length + 2);
  wire.set(body, 1);
  return wire;
}

function fits(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

/** Why a chunk between two zeros is no frame. */
export type NoiseReason = "stuffing" | "length" | "crc" | "version";

/** A frame, or why these bytes (between two delimiters) are none. */
export function decodeFrame(encoded: Uint8Array): Frame | NoiseReason {
  const raw = cobsDecode(encoded);
  if (raw === null) return "stuffing";
  if (raw.length < HEADER_BYTES + CRC_BYTES || raw.length > HEADER_BYTES + MAX_PAYLOAD + CRC_BYTES)
    return "length";
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  const end = raw.length - CRC_BYTES;
  if (view.getUint32(end, true) !== crc32c(raw.subarray(0, end))) return "crc";
  if (raw[0] !== PROTOCOL_VERSION) return "version";
  const flags = raw[2] as number;
  return {
    type: raw[1] as number,
    reliable: (flags & 1) !== 0,
    epoch: flags >> 4,
    sequence: view.getUint16(3, true),
    payload: raw.subarray(HEADER_BYTES, end),
  };
}

export interface FrameSink {
  frame(frame: Frame): void;
  /** Log text that stood between frames: whole lines where the sender ends them, UTF-8 decoded. */
  text?(text: string): void;
  /** `bytes` bytes were neither frame nor text. */
  noise?(bytes: number, reason: NoiseReason): void;
}

const NEWLINE = 0x0a;

/**
 * Takes a byte stream apart, however it is cut into pieces. Holds at most MAX_ENCODED_FRAME bytes, whatever comes;
 * finds its way back at the next zero after noise or half a frame.
 */
export class FrameDecoder {
  readonly #sink: FrameSink;
  readonly #held = new Uint8Array(MAX_ENCODED_FRAME);
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true });
  #length = 0;
  /** What is held continues a chunk that is known to be no frame. */
  #continued = false;
  /** What came before on the same line was noise; so is the rest of it. */
  #noisy = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Bytes held back until the next zero: 0 … MAX_ENCODED_FRAME. */
  get held(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (byte === 0) {
        this.#endOfChunk();
        continue;
      }
      if (this.#length === MAX_ENCODED_FRAME) this.#overflow();
      this.#held[this.#length++] = byte;
      if (byte === NEWLINE && this.#cannotBeFrame()) {
        this.#flush("stuffing");
        this.#continued = true;
        this.#noisy = false;
      }
    }
  }

  /** Forgets what is held: the stream starts anew. */
  reset(): void {
    this.#length = 0;
    this.#continued = false;
    this.#noisy = false;
  }

  /** The first byte of a frame's content is the version, which is not zero and therefore stands at index 1. */
  #cannotBeFrame(): boolean {
    return this.#continued || (this.#length > 1 && this.#held[1] !== PROTOCOL_VERSION);
  }

  #endOfChunk(): void {
    if (this.#length > 0) {
      const frame = this.#continued ? "length" : decodeFrame(this.#held.subarray(0, this.#length));
      if (typeof frame === "string") this.#flush(frame);
      else {
        this.#length = 0;
        this.#sink.frame(frame);
      }
    }
    this.reset();
  }

  /** A chunk longer than any frame: tell what is held, up to the last whole character, and go on. */
  #overflow(): void {
    let end = this.#length;
    while (end > this.#length - 4 && ((this.#held[end - 1] as number) & 0xc0) === 0x80) end--;
    if (((this.#held[end - 1] as number) & 0xc0) === 0xc0) end--;
    else end = this.#length;
    const rest = this.#held.slice(end, this.#length);
    this.#length = end;
    this.#flush("length");
    this.#held.set(rest);
    this.#length = rest.length;
    this.#continued = true;
  }

  #flush(reason: NoiseReason): void {
    const bytes = this.#held.subarray(0, this.#length);
    const text = this.#noisy ? null : this.#printable(bytes);
    this.#length = 0;
    this.#noisy = text === null;
    if (text === null) this.#sink.noise?.(bytes.length, reason);
    else this.#sink.text?.(text);
  }

  /** The text if it is UTF-8 without control characters, except tab, line ends and escape (colours). */
  #printable(bytes: Uint8Array): string | null {
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      if (byte === 0x7f || (byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13 && byte !== 27))
        return null;
    }
    try {
      return this.#utf8.decode(bytes);
    } catch {
      return null;
    }
  }
}
