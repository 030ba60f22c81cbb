// How whoever keeps labelled features says which ones it has (docs/mqtt.md, `cloud/kept`): for each publication 8 bytes that are made of the
// device's id, a zero byte and the payload: CRC-32C and FNV-1a of 32 bits, big-endian both.

import { crc32c } from "./crc32c.ts";
import { MessageError } from "./message-error.ts";

const BYTES = 8;
/** Most receipts in one message. */
export const RECEIPTS = 4096;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const text = new TextEncoder();

/** What names a publication: 16 hexadecimal digits. Two of a device that wait at once are mixed up once in 2^64. */
export function receiptOf(device: string, payload: Uint8Array): string {
  const id = text.encode(`${device}\0`);
  const bytes = new Uint8Array(id.length + payload.length);
  bytes.set(id);
  bytes.set(payload, id.length);
  let fnv = FNV_OFFSET;
  for (const byte of bytes) fnv = Math.imul(fnv ^ byte, FNV_PRIME);
  return hex(crc32c(bytes)) + hex(fnv >>> 0);
}

/** @throws RangeError when there are none, or more than RECEIPTS */
export function encodeReceipts(receipts: readonly string[]): Uint8Array {
  if (receipts.length < 1 || receipts.length > RECEIPTS)
    throw new RangeError(`${receipts.length} receipts: must be 1 … ${RECEIPTS}`);
  const view = new DataView(new ArrayBuffer(BYTES * receipts.length));
  receipts.forEach((receipt, i) => {
    view.setUint32(BYTES * i, Number.parseInt(receipt.slice(0, 8), 16));
    view.setUint32(BYTES * i + 4, Number.parseInt(receipt.slice(8), 16));
  });
  return new Uint8Array(view.buffer);
}

/** @throws MessageError when the length is none that receipts have */
export function decodeReceipts(bytes: Uint8Array): string[] {
  const count = bytes.length / BYTES;
  if (!Number.isInteger(count) || count < 1 || count > RECEIPTS)
    throw new MessageError(`receipts: ${bytes.length} bytes are not 1 … ${RECEIPTS} times ${BYTES}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from(
    { length: count },
    (_, i) => hex(view.getUint32(BYTES * i)) + hex(view.getUint32(BYTES * i + 4)),
  );
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
