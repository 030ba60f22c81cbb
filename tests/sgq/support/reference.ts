// A second decoder, written from docs/sgq.md alone and bit by bit: slow, and with nothing in common with the codec's.
import type { Codebook } from "../../../host/sgq/types.ts";

/** "Coder": the reader of binary decisions. */
class Reader {
  readonly #payload: Uint8Array;
  #at = 0;
  #range = 2 ** 32 - 1;
  /** The code minus the writer's low. */
  #code = 0;

  constructor(payload: Uint8Array) {
    this.#payload = payload;
    for (let i = 0; i < 4; i++) this.#code = this.#code * 256 + this.#next();
  }

  #next(): number {
    return this.#payload[this.#at++] ?? 0;
  }

  bit(v: number): 0 | 1 {
    const bound = Math.floor(this.#range / 512) * (2 * v + 1);
    const one = this.#code < bound;
    if (one) this.#range = bound;
    else {
      this.#code -= bound;
      this.#range -= bound;
    }
    while (this.#range < 2 ** 24) {
      this.#range *= 256;
      this.#code = this.#code * 256 + this.#next();
    }
    return one ? 1 : 0;
  }
}

/** Levels of one sample from an entropy-coded payload. */
export function decodeByThePage(book: Codebook, payload: Uint8Array): Uint8Array {
  const reader = new Reader(payload);
  return book.form === "stripes" ? codesOfStripes(book, reader) : levelsOfPlanes(book, reader);
}

/** "Contexts (forms 0 and 1)". */
function levelsOfPlanes({ shape, group, planes, contexts, tables }: Codebook, reader: Reader): Uint8Array {
  const [h, w, c] = shape;
  const channels = c / group;
  const starts = contexts.map((_, k) =>
    contexts.slice(0, k).reduce((sum, taps) => sum + 2 ** taps.length, 0),
  );
  const maps = planes.map(() => new Uint8Array(h * w));
  const at = (plane: number, y: number, x: number): number =>
    plane < 0 || y < 0 || x < 0 || y >= h || x >= w ? 0 : (maps[plane]?.[y * w + x] ?? 0);
  const levels = new Uint8Array(h * w * channels);
  planes.forEach(({ channel, context }, index) => {
    let before = index - 1;
    while (before >= 0 && planes[before]?.channel !== channel) before--;
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        if (before >= 0 && at(before, y, x) === 0) continue;
        let cell = 0;
        contexts[context]?.forEach(({ back, dx, dy }, tap) => {
          cell += at(index - back, y + dy, x + dx) * 2 ** tap;
        });
        const bit = reader.bit(tables[(starts[context] as number) + cell] as number);
        (maps[index] as Uint8Array)[y * w + x] = bit;
        levels[(y * w + x) * channels + channel] = (levels[(y * w + x) * channels + channel] as number) + bit;
      }
    }
  });
  return levels;
}

/** "Codes of stripes (form 2)". */
function codesOfStripes(
  { shape, group, stripe, bits, neighbourBits: t, tables }: Codebook,
  reader: Reader,
): Uint8Array {
  const [rows, columns, channels] = [shape[0] / stripe, shape[1] / stripe, shape[2] / group];
  const codes = new Uint8Array(rows * columns * channels);
  const top = (y: number, x: number, k: number): number =>
    y < 0 || x < 0 ? 0 : Math.floor((codes[(y * columns + x) * channels + k] as number) / 2 ** (bits - t));
  for (let k = 0; k < channels; k++) {
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        const context = top(y, x - 1, k) * 2 ** t + top(y - 1, x, k);
        const tree = (k * 4 ** t + context) * 2 ** bits;
        let node = 1;
        while (node < 2 ** bits) node = 2 * node + reader.bit(tables[tree + node] as number);
        codes[(y * columns + x) * channels + k] = node - 2 ** bits;
      }
    }
  }
  return codes;
}
