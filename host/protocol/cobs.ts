// Consistent Overhead Byte Stuffing: any bytes become bytes without a zero, at the cost of one byte per 254.
// The zero that delimits frames is added and removed by frame.ts.

/** Largest number of bytes that `length` bytes can take when encoded, without the delimiter. */
export function cobsMaxEncoded(length: number): number {
  return length + Math.floor(length / 254) + 1;
}

/** Encodes `source`; the result has no zero byte and at most `cobsMaxEncoded(source.length)` bytes. */
export function cobsEncode(source: Uint8Array): Uint8Array {
  const target = new Uint8Array(cobsMaxEncoded(source.length));
  let codeAt = 0;
  let end = 1;
  for (let i = 0; i < source.length; i++) {
    const byte = source[i] as number;
    if (byte !== 0) target[end++] = byte;
    const full = end - codeAt === 255;
    if (byte !== 0 && !(full && i + 1 < source.length)) continue;
    target[codeAt] = end - codeAt;
    codeAt = end++;
  }
  target[codeAt] = end - codeAt;
  return target.subarray(0, end);
}

/**
 * Decodes what lies between two delimiters.
 * @returns at most `encoded.length − 1` bytes, or null if `encoded` is empty, holds a zero, or ends early.
 */
export function cobsDecode(encoded: Uint8Array): Uint8Array | null {
  if (encoded.length === 0) return null;
  const target = new Uint8Array(encoded.length - 1);
  let end = 0;
  let at = 0;
  while (at < encoded.length) {
    const code = encoded[at++] as number;
    if (code === 0 || at + code - 1 > encoded.length) return null;
    for (let i = 1; i < code; i++) {
      const byte = encoded[at++] as number;
      if (byte === 0) return null;
      target[end++] = byte;
    }
    if (code < 255 && at < encoded.length) target[end++] = 0;
  }
  return target.subarray(0, end);
}
