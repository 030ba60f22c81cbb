// A session log on the disk. Each write is an entry: what the disk refuses, or what is beyond a limit, ends the log at an entry that is whole.

import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";

export interface LogFileOptions {
  /** Most bytes; without it the disk is the limit. */
  limit?: number;
  /** Never an existing file: then the constructor throws EEXIST. */
  fresh?: boolean;
  /** Told once: no more is taken, because of the limit or of what the disk says. */
  ended?(why: "limit" | Error): void;
}

export class LogFile {
  readonly path: string;
  readonly #options: LogFileOptions;
  #file: number | undefined;
  #bytes = 0;

  /** @throws what the file system says */
  constructor(path: string, options: LogFileOptions = {}) {
    this.path = path;
    this.#options = options;
    this.#file = openSync(path, options.fresh ? "wx" : "w");
  }

  /** Bytes of whole entries. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether it takes more. */
  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  /** Appends an entry; false if it is not in the log, and none after it will be. */
  write(entry: Uint8Array): boolean {
    const file = this.#file;
    if (file === undefined) return false;
    if (this.#bytes + entry.length > (this.#options.limit ?? Number.POSITIVE_INFINITY)) {
      this.close();
      this.#options.ended?.("limit");
      return false;
    }
    try {
      for (let done = 0; done < entry.length; ) done += writeSync(file, entry, done);
    } catch (error) {
      this.#cut(file);
      this.close();
      this.#options.ended?.(error as Error);
      return false;
    }
    this.#bytes += entry.length;
    return true;
  }

  close(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    try {
      closeSync(file);
    } catch {
      // what is whole is there; a disk that refuses was told of already
    }
  }

  /** Takes back the part of an entry that was written. */
  #cut(file: number): void {
    try {
      ftruncateSync(file, this.#bytes);
    } catch {
      // a log whose last entry is not whole is replayed up to it
    }
  }
}
