// A record of the journal: what a device published, or a codebook (device: empty text).

import { decodeMap, encodeMap, Fields } from "../../protocol/cbor.ts";

export interface JournalRecord {
  readonly device: string;
  readonly payload: Uint8Array;
  /** A worker has decoded it. */
  readonly byWorker?: boolean;
}

export const encodeRecord = ({ device, payload, byWorker }: JournalRecord): Uint8Array =>
  encodeMap([[0, device], [1, payload], ...(byWorker ? [[2, true] as const] : [])]);

/** @throws MessageError when it is no record */
export function decodeRecord(bytes: Uint8Array): JournalRecord {
  const fields = new Fields(decodeMap(bytes, "record"), "record");
  const byWorker = fields.optional(2, fields.boolean);
  return { device: fields.text(0), payload: fields.bytes(1), ...(byWorker && { byWorker }) };
}
