// IDX, the file format of MNIST and its relatives: magic 00 00 08 (unsigned bytes) and the number of dimensions, each
// dimension as big-endian u32, then the bytes. Compressed files (.gz) are recognised by their content.

import { DataError, readUnpacked } from "./file.ts";

export interface Idx {
  dimensions: number[];
  data: Uint8Array;
}

/** @throws DataError if the content is not IDX with unsigned bytes and exactly as many as announced. */
export function parseIdx(bytes: Uint8Array, name: string): Idx {
  const rank = bytes[3] ?? 0;
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0 || bytes[2] !== 8 || rank === 0 || rank > 4) {
    throw new DataError(`${name}: not an IDX file of unsigned bytes`);
  }
  const start = 4 + 4 * rank;
  if (bytes.length < start) throw new DataError(`${name}: ends within its header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const dimensions = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const count = dimensions.reduce((product, n) => product * n, 1);
  if (bytes.length - start !== count) {
    const shape = dimensions.join("×");
    throw new DataError(`${name}: ${shape} needs ${count} bytes, but the file has ${bytes.length - start}`);
  }
  return { dimensions, data: bytes.subarray(start) };
}

/** Reads a file, compressed or not. */
export async function readIdx(path: string): Promise<Idx> {
  return parseIdx(await readUnpacked(path), path);
}
