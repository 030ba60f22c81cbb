// Puts a sample file into a log as far as the sensor has shown it.

import { encodeEntry } from "./log.ts";

const HEADER_BYTES = 32;
/** Most bytes of samples in an entry. */
const PIECE = 1 << 16;

export class SampleWriter {
  readonly #file: Uint8Array;
  readonly #write: (bytes: Uint8Array) => void;
  #told = 0;

  /** @param file a sample file (docs/protocol.md) */
  constructor(file: Uint8Array, write: (bytes: Uint8Array) => void) {
    this.#file = file;
    this.#write = write;
  }

  /** The sensor has shown `seen` samples; the log gets them, and a piece more, so that one that is cut off can be replayed up to there. */
  shown(seen: number): void {
    const stride = new DataView(this.#file.buffer, this.#file.byteOffset, this.#file.length).getUint32(
      20,
      true,
    );
    const end = Math.min(this.#file.length, HEADER_BYTES + (seen + 1) * stride);
    while (this.#told < end) {
      const bytes = this.#file.slice(this.#told, this.#told + PIECE);
      this.#write(encodeEntry({ kind: "samples", offset: this.#told, bytes }));
      this.#told += bytes.length;
    }
  }
}
