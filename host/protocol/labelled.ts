// Features with what they are examples of (docs/sgq.md, "Labels"): a few bytes in front of an SGQ frame. A device that only wants to be
// understood sends the frame alone.

import { MessageError } from "./message-error.ts";

/** First byte; an SGQ frame starts with 0xA… or 0xB…. The low nibble is the version. */
export const LABELLED = 0xc1;
/** The label byte of a sample that nobody labelled. */
const UNLABELLED = 255;
const HELD_OUT = 1;
/** Thresholds of the self-contained frames of assembly/sgq/split.ts: a codebook that is made of them can have no others. */
export const SELF_CUTS = [3, 8, 24] as const;

export interface Label {
  /** −1: none. */
  readonly label: number;
  /** For evaluation only. */
  readonly heldOut: boolean;
}

export interface Labelled {
  /** One for each sample of the frame; empty for a frame without labels. */
  readonly labels: readonly Label[];
  /** A view into the bytes. */
  readonly frame: Uint8Array;
}

/** @throws RangeError when there are no labels, more than 255, or one that is no byte */
export function encodeLabelled(labels: readonly Label[], frame: Uint8Array): Uint8Array {
  if (labels.length < 1 || labels.length > 255)
    throw new RangeError(`${labels.length} labels: must be 1 … 255`);
  const bytes = new Uint8Array(2 + 2 * labels.length + frame.length);
  bytes.set([LABELLED, labels.length]);
  labels.forEach(({ label, heldOut }, i) => {
    if (!Number.isInteger(label) || label < -1 || label >= UNLABELLED)
      throw new RangeError(`label ${label}: must be −1 … 254`);
    bytes.set([label < 0 ? UNLABELLED : label, heldOut ? HELD_OUT : 0], 2 + 2 * i);
  });
  bytes.set(frame, 2 + 2 * labels.length);
  return bytes;
}

/** Takes labels and frame apart. @throws MessageError when the labels end early, or a flag is not known */
export function decodeLabelled(bytes: Uint8Array): Labelled {
  if (bytes[0] !== LABELLED) return { labels: [], frame: bytes };
  const count = bytes[1] ?? 0;
  const start = 2 + 2 * count;
  if (count === 0 || bytes.length <= start)
    throw new MessageError("labelled features: they end before the frame");
  const labels = Array.from({ length: count }, (_, i): Label => {
    const label = bytes[2 + 2 * i] as number;
    const flags = bytes[3 + 2 * i] as number;
    if (flags > HELD_OUT) throw new MessageError(`labelled features: unknown flags ${flags} of sample ${i}`);
    return { label: label === UNLABELLED ? -1 : label, heldOut: flags === HELD_OUT };
  });
  return { labels, frame: bytes.subarray(start) };
}
