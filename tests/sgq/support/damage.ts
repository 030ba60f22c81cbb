// Frames that somebody damaged, and put the check value right again: what a CRC would hide from the reader behind it.
import { crc32c } from "../../../host/protocol/crc32c.ts";

/** "CRC-16" of docs/sgq.md, bit by bit. */
export function crc16(bytes: Uint8Array, start = 0xffff): number {
  let crc = start;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; i++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

/** A frame without its CRC, with it. */
export function sealed(body: Uint8Array, start?: number): Uint8Array {
  const crc = crc16(body, start);
  return Uint8Array.from([...body, crc & 255, crc >> 8]);
}

export const bodyOf = (frame: Uint8Array): Uint8Array => frame.slice(0, -2);

export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  return copy;
}

/** A codebook whose CRC-32C fits its bytes. */
export function sealedBook(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  if (copy.length < 4) return copy;
  new DataView(copy.buffer).setUint32(copy.length - 4, crc32c(copy.subarray(0, copy.length - 4)), true);
  return copy;
}
