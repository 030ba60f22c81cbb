// Codebooks as plain data and as bytes (docs/sgq.md, "Codebook"). Whether bytes are a codebook is decided by the codec's module,
// once; what it let through is read here without looking again.
import { crc32c } from "../protocol/crc32c.ts";
import type { Codebook, Plane, SgqForm, Tap } from "./types.ts";

const HEADER_BYTES = 28;
const CRC_BYTES = 4;
const FORMS: readonly SgqForm[] = ["contexts", "shared", "stripes"];

/** Code channels of a codebook. */
export const codeChannels = ({ shape, group }: Codebook): number => shape[2] / group;

/** Bytes of a codebook's tables. */
export function tableBytes(book: Codebook): number {
  if (book.form === "stripes") return codeChannels(book) * 2 ** (book.bits + 2 * book.neighbourBits);
  return book.contexts.reduce((sum, taps) => sum + 2 ** taps.length, 0);
}

/** What `values` must have. */
export function valueCount({ shape, bits, stripe, form }: Codebook): number {
  return shape[2] * 2 ** bits * (form === "stripes" ? stripe ** 2 : 1);
}

/** Bytes of a codebook. @throws RangeError where arrays do not fit each other or a number its field */
export function serialize(book: Codebook): Uint8Array<ArrayBuffer> {
  const { form, shape, planes, contexts, weights, values, tables } = book;
  const want = {
    weights: form === "shared" ? shape[2] : 0,
    values: valueCount(book),
    tables: tableBytes(book),
  };
  for (const [name, count] of Object.entries(want)) {
    const has = book[name as keyof typeof want].length;
    if (has !== count) throw new RangeError(`a codebook's ${name}: ${count} bytes, got ${has}`);
  }
  const lists = contexts.flatMap((taps) => [taps.length, ...taps.flatMap(tapBytes)]);
  const before =
    HEADER_BYTES + 4 * planes.length + weights.length + values.length + lists.length + tables.length;
  const length = ((before + 3) & ~3) + CRC_BYTES;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  const put = (offset: number, width: 1 | 2, value: number): void => {
    if (!Number.isInteger(value) || value < 0 || value >= 256 ** width) {
      throw new RangeError(
        `a codebook's field at byte ${offset} takes 0 … ${256 ** width - 1}, got ${value}`,
      );
    }
    if (width === 1) view.setUint8(offset, value);
    else view.setUint16(offset, value, true);
  };
  bytes.set([0xa1, 1]);
  put(2, 2, book.model);
  put(4, 2, book.version);
  put(6, 1, FORMS.indexOf(form));
  put(7, 1, book.bits);
  view.setUint32(8, length, true);
  shape.forEach((side, i) => {
    put(12 + 2 * i, 2, side);
  });
  put(18, 1, book.patch[0]);
  put(19, 1, book.patch[1]);
  put(20, 1, book.group);
  put(21, 1, book.stripe);
  put(22, 2, planes.length);
  put(24, 1, book.neighbourBits);
  put(25, 1, contexts.length);
  let at = HEADER_BYTES;
  for (const { channel, threshold, context } of planes) {
    if (!(threshold >= -128 && threshold <= 127))
      throw new RangeError(`a threshold is int8, got ${threshold}`);
    put(at, 1, channel);
    view.setInt8(at + 1, threshold);
    put(at + 2, 1, context);
    at += 4;
  }
  for (const part of [weights, values, Uint8Array.from(lists), tables]) {
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.length), at);
    at += part.length;
  }
  view.setUint32(length - CRC_BYTES, crc32c(bytes.subarray(0, length - CRC_BYTES)), true);
  return bytes;
}

function tapBytes({ back, dx, dy }: Tap): [number, number] {
  const fits = back >= 0 && back <= 255 && dx >= -3 && dx <= 3 && dy >= -2 && dy <= 1;
  if (!fits)
    throw new RangeError(`a tap reads up to 255 planes back, dx −3 … 3, dy −2 … 1: ${back}, ${dx}, ${dy}`);
  return [back, ((dy + 2) << 3) | (dx + 3)];
}

/** A codebook that the module found good. */
export function parse(bytes: Uint8Array): Codebook {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const u16 = (offset: number): number => view.getUint16(offset, true);
  const u8 = (offset: number): number => view.getUint8(offset);
  const form = FORMS[u8(6)] as SgqForm;
  const head = {
    model: u16(2),
    version: u16(4),
    form,
    bits: u8(7),
    shape: [u16(12), u16(14), u16(16)] as const,
    patch: [u8(18), u8(19)] as const,
    group: u8(20),
    stripe: u8(21),
    neighbourBits: u8(24),
  };
  let at = HEADER_BYTES;
  const int8 = (count: number): Int8Array => {
    at += count;
    return Int8Array.from(bytes.subarray(at - count, at), (byte) => (byte << 24) >> 24);
  };
  const planes: Plane[] = [];
  for (let left = u16(22); left > 0; left--, at += 4) {
    planes.push({ channel: u8(at), threshold: view.getInt8(at + 1), context: u8(at + 2) });
  }
  const weights = int8(form === "shared" ? head.shape[2] : 0);
  const values = int8(valueCount({ ...head, planes, weights } as unknown as Codebook));
  const contexts: Tap[][] = [];
  for (let left = u8(25); left > 0; left--) {
    const taps: Tap[] = [];
    for (let count = u8(at++); count > 0; count--, at += 2) {
      const place = u8(at + 1);
      taps.push({ back: u8(at), dx: (place & 7) - 3, dy: (place >> 3) - 2 });
    }
    contexts.push(taps);
  }
  const book: Codebook = { ...head, planes, weights, values, contexts, tables: new Uint8Array() };
  return { ...book, tables: bytes.slice(at, at + tableBytes(book)) };
}
