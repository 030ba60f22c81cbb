// Files of data: read whole, unpacked where they are compressed.

import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

/** A file that is not what it should be: which, and why. */
export class DataError extends Error {
  override readonly name = "DataError";
}

/** Largest content that is unpacked: far more than any data set of this kind. */
const MAX_BYTES = 1 << 28;
const unzip = promisify(gunzip);

/**
 * The bytes of a file; gzip is recognised by its content.
 * @throws DataError if an archive is damaged or too large
 */
export async function readUnpacked(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array = await readFile(path);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = await unzip(bytes, { maxOutputLength: MAX_BYTES });
    } catch (error) {
      throw new DataError(`${path}: cannot be unpacked: ${(error as Error).message}`);
    }
  }
  // A plain array: `slice` of a Buffer would not copy.
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
