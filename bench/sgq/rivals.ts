/** What others send: uniform quantisation with a general compressor, product quantisation, the largest values, JPEG of tiles. */
import { type Coder, type Samples, sampleOf } from "./accuracy.ts";
import { SHAPE } from "./halves.ts";
import type { Jpeg } from "./jpeg.ts";
import { kMeans, nearest } from "./k-means.ts";

/** A frame's header and check value: the rivals get the short form's as well. */
export const FRAME_BYTES = 5;

/** Levels of features by thresholds per channel, packed; `compress` makes fewer bytes of them. */
export function packed(
  thresholds: readonly (readonly number[])[],
  values: Int8Array,
  bits: number,
  compress: (bytes: Uint8Array) => Uint8Array,
): Coder {
  const c = SHAPE[2];
  const levels = new Uint8Array(c * 256);
  for (let at = 0; at < levels.length; at++) {
    const own = thresholds[at >> 8] as readonly number[];
    levels[at] = own.filter((threshold) => (at << 24) >> 24 > threshold).length;
  }
  const levelOf = (x: number, i: number): number => levels[((i % c) << 8) | (x & 255)] as number;
  return {
    decoded(x) {
      const y = new Float32Array(x.length);
      for (let i = 0; i < x.length; i++)
        y[i] = values[((i % c) << bits) + levelOf(x[i] as number, i)] as number;
      return y;
    },
    bytes(x) {
      // channel after channel: what is alike lies together
      const codes: number[] = [];
      for (let k = 0; k < c; k++)
        for (let i = k; i < x.length; i += c) codes.push(levelOf(x[i] as number, i));
      const bytes = new Uint8Array((codes.length * bits) / 8);
      codes.forEach((code, i) => {
        const at = i * bits;
        bytes[at >> 3] = (bytes[at >> 3] as number) | (code << (at & 7));
      });
      return FRAME_BYTES + Math.min(bytes.length, compress(bytes).length);
    },
  };
}

/** INT8 features as they are. */
export const plain = (compress?: (bytes: Uint8Array) => Uint8Array): Coder => ({
  decoded: (x) => x,
  bytes: (x) =>
    FRAME_BYTES + (compress ? compress(new Uint8Array(x.buffer, x.byteOffset, x.length)).length : x.length),
});

/** One codebook for vectors of `length` neighbouring channels, of any pixel: codes of fixed length, as in FedLite. */
export function product(training: Samples, length: number, bits: number): Coder {
  const vectors: Int8Array[] = [];
  for (let s = 0; s < Math.min(400, training.count); s++) {
    const x = sampleOf(training, s) as Int8Array;
    for (let at = 0; at < x.length; at += length) vectors.push(x.subarray(at, at + length));
  }
  const entries = kMeans(vectors, 2 ** bits);
  const centres = Array.from({ length: 2 ** bits }, (_, n) => entries.subarray(n * length, (n + 1) * length));
  return {
    decoded(x) {
      const y = new Float32Array(x.length);
      for (let at = 0; at < x.length; at += length)
        y.set(centres[nearest(centres, x.subarray(at, at + length))] as Int8Array, at);
      return y;
    },
    bytes: (x) => FRAME_BYTES + Math.ceil(((x.length / length) * bits) / 8),
  };
}

/** The largest share of the values: a byte for how far it is from the one before, and one for the value; compressed if that helps. */
export function topK(share: number, compress: (bytes: Uint8Array) => Uint8Array): Coder {
  /** Places of the largest values, ascending: of equals the first. */
  const keep = (x: Int8Array | Uint8Array): number[] => {
    const counts = new Uint32Array(128);
    for (const value of x) counts[value] = (counts[value] as number) + 1;
    let left = Math.round(share * x.length);
    let least = 127;
    while (least > 0 && (counts[least] as number) < left) left -= counts[least--] as number;
    const places: number[] = [];
    for (let i = 0; i < x.length; i++) {
      const value = x[i] as number;
      if (value > least || (value === least && left-- > 0)) places.push(i);
    }
    return places;
  };
  return {
    decoded(x) {
      const y = new Float32Array(x.length);
      for (const i of keep(x)) y[i] = x[i] as number;
      return y;
    },
    bytes(x) {
      const gaps: number[] = [];
      const values: number[] = [];
      let last = -1;
      for (const i of keep(x)) {
        for (let gap = i - last - 1; ; gap -= 255) {
          gaps.push(Math.min(255, gap));
          if (gap < 255) break;
        }
        values.push(x[i] as number);
        last = i;
      }
      const bytes = Uint8Array.from([...gaps, ...values]);
      return FRAME_BYTES + Math.min(bytes.length, compress(bytes).length);
    },
  };
}

/** Channels side by side as one grey picture of 56 × 56. */
export function jpegTiles(jpeg: Jpeg, quality: number): Coder {
  const [h, w, c] = SHAPE;
  const across = Math.sqrt(c);
  const place = Array.from({ length: h * w * c }, (_, i) => {
    const [k, x, y] = [i % c, Math.floor(i / c) % w, Math.floor(i / c / w)];
    return (Math.floor(k / across) * h + y) * across * w + (k % across) * w + x;
  });
  const code = (x: Int8Array | Uint8Array): ReturnType<Jpeg> => {
    const picture = new Uint8Array(x.length);
    x.forEach((value, i) => {
      picture[place[i] as number] = 2 * value;
    });
    return jpeg(picture, across * w, across * h, quality);
  };
  return {
    decoded(x) {
      const { pixels } = code(x);
      return Float32Array.from(x, (_, i) => (pixels[place[i] as number] as number) / 2);
    },
    bytes: (x) => FRAME_BYTES + code(x).bytes,
  };
}
