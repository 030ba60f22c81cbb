// Messages of the cloud to a split app (docs/sgq.md, "Messages"): what is larger than a link frame comes in parts.

import { MessageError } from "./message-error.ts";

export const PartKind = {
  /** A codebook frame. */
  codebook: 1,
  /** The learned state of the device half. */
  half: 2,
  /** One SGQ frame: a gradient, or a nack. */
  frame: 3,
} as const;
export type PartKind = (typeof PartKind)[keyof typeof PartKind];

export interface Part {
  readonly kind: PartKind;
  /** Nothing of the same kind follows: the app takes it into use. */
  readonly last: boolean;
  /** Where the bytes belong. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const HEADER_BYTES = 8;
/** Most bytes of a part's content: with its header it is what a request moves at most (docs/protocol.md). */
export const MAX_PART = 504;

/** Cuts bytes into messages for the app. */
export function* encodeParts(kind: PartKind, bytes: Uint8Array): Generator<Uint8Array> {
  let offset = 0;
  do {
    const content = bytes.subarray(offset, offset + MAX_PART);
    const message = new Uint8Array(HEADER_BYTES + content.length);
    message.set([kind, offset + content.length >= bytes.length ? 1 : 0]);
    new DataView(message.buffer).setUint32(4, offset, true);
    message.set(content, HEADER_BYTES);
    yield message;
    offset += content.length;
  } while (offset < bytes.length);
}

/** @throws MessageError for what `encodeParts` cannot have written */
export function decodePart(message: Uint8Array): Part {
  const [kind, last] = message;
  const known = kind === PartKind.codebook || kind === PartKind.half || kind === PartKind.frame;
  if (message.length < HEADER_BYTES || !known || (last ?? 2) > 1 || message[2] !== 0 || message[3] !== 0)
    throw new MessageError("a part: its header is not one");
  const offset = new DataView(message.buffer, message.byteOffset).getUint32(4, true);
  const bytes = message.subarray(HEADER_BYTES);
  if (bytes.length > MAX_PART)
    throw new MessageError(`a part: ${bytes.length} bytes, at most ${MAX_PART} fit`);
  return { kind, last: last === 1, offset, bytes };
}
