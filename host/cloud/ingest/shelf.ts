// The codebooks that frames may refer to: several versions are in use while devices move from one to the next.

import type { FrameHeader, OpenCodebook, Sgq } from "../../sgq/types.ts";

/** Older ones are forgotten: nobody sends with them any more. */
const MOST = 16;

export class CodebookShelf {
  readonly #codec: Sgq;
  /** By version, the newest last. */
  readonly #books = new Map<number, OpenCodebook>();

  constructor(codec: Sgq) {
    this.#codec = codec;
  }

  /** Checks a codebook and keeps it. @throws SgqError */
  add(bytes: Uint8Array): OpenCodebook {
    return this.keep(this.#codec.open(bytes));
  }

  keep(open: OpenCodebook): OpenCodebook {
    const { version } = open.book;
    this.#books.delete(version);
    this.#books.set(version, open);
    for (const old of this.#books.keys()) {
      if (this.#books.size <= MOST) break;
      this.#books.delete(old);
    }
    return open;
  }

  get latest(): OpenCodebook | undefined {
    return [...this.#books.values()].at(-1);
  }

  get versions(): number[] {
    return [...this.#books.keys()];
  }

  /** The one that a frame needs; of a short frame the newest whose version ends in the same byte. */
  find({ short, codebook, model }: FrameHeader): OpenCodebook | undefined {
    if (short)
      return [...this.#books.values()].reverse().find(({ book }) => (book.version & 255) === codebook);
    const open = this.#books.get(codebook);
    return open?.book.model === model ? open : undefined;
  }
}
