// What has been taken in, on disk: records that were written before their sender heard that they had arrived. A process that is killed at any
// moment leaves whole records and at most one torn one, which nobody was told of; a machine that loses power keeps what was synced, and
// whatever lies behind it (half a record, zeros, other bytes) is cut off.

import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  openSync,
  readFileSync,
  truncateSync,
} from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { crc32c } from "../../protocol/crc32c.ts";
import { replaceFile, syncFolder, writeAll } from "../durable.ts";

/** Length and CRC-32C of the record that follows, u32 both. */
const HEADER_BYTES = 8;
const LONGEST = 1 << 20;
const syncData = promisify(fdatasync);

export class Journal {
  readonly #path: string;
  #file: number;
  #records = 0;
  /** Resolves when no sync is under way that needs the file open. */
  #syncing: Promise<unknown> = Promise.resolve();
  /** A write or sync failed: what the disk has of the last records is not known. */
  #broken: Error | undefined;

  /** Opens a journal, or begins one. A torn record at its end is cut off. `onRecord` gets what is in it, oldest first. */
  constructor(path: string, onRecord: (record: Uint8Array) => void = () => {}) {
    this.#path = path;
    const old = existsSync(path);
    if (old) {
      const bytes = new Uint8Array(readFileSync(path));
      const whole = readRecords(bytes, (record) => {
        this.#records++;
        onRecord(record);
      });
      if (whole < bytes.length) truncateSync(path, whole);
    }
    this.#file = openSync(path, "a");
    if (!old) syncFolder(dirname(path));
  }

  /** Records in the file. */
  get records(): number {
    return this.#records;
  }

  /** Returns when the operating system has it: it outlives this process. @throws RangeError when it is empty or too long */
  append(record: Uint8Array): void {
    const bytes = frame(record);
    this.#try(() => writeAll(this.#file, bytes));
    this.#records++;
  }

  /**
   * Resolves when everything that was appended before is on the disk: it outlives the machine's power. After an error nobody knows what
   * of it is, and asking again would not tell: the journal takes nothing more, and has to be opened anew.
   */
  async sync(): Promise<void> {
    if (this.#broken) throw this.#broken;
    const syncing = syncData(this.#file);
    this.#syncing = Promise.allSettled([this.#syncing, syncing]);
    await syncing.catch((error) => this.#break(error));
  }

  /** The same, and returns only then. */
  syncNow(): void {
    this.#try(() => fdatasyncSync(this.#file));
  }

  /** Everything in the file, oldest first. */
  read(): Uint8Array[] {
    const records: Uint8Array[] = [];
    readRecords(new Uint8Array(readFileSync(this.#path)), (record) => records.push(record));
    return records;
  }

  /** Leaves only these records in the file; whatever moment this is interrupted at, the old ones or the new ones are there. */
  rewrite(records: Iterable<Uint8Array>): void {
    let count = 0;
    replaceFile(this.#path, (file) => {
      for (const record of records) {
        writeAll(file, frame(record));
        count++;
      }
    });
    this.close();
    this.#file = openSync(this.#path, "a");
    this.#records = count;
  }

  close(): void {
    const file = this.#file;
    void this.#syncing.then(() => closeSync(file));
  }

  #try(work: () => void): void {
    if (this.#broken) throw this.#broken;
    try {
      work();
    } catch (error) {
      this.#break(error as Error);
    }
  }

  #break(error: Error): never {
    this.#broken = error;
    throw error;
  }
}

function frame(record: Uint8Array): Uint8Array {
  if (record.length < 1 || record.length > LONGEST)
    throw new RangeError(`a record of ${record.length} bytes: must be 1 … ${LONGEST}`);
  const bytes = new Uint8Array(HEADER_BYTES + record.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, record.length, true);
  view.setUint32(4, crc32c(record), true);
  bytes.set(record, HEADER_BYTES);
  return bytes;
}

/** Reads records up to the first that is not whole, or empty as in a file that the disk has filled with zeros; returns where that begins. */
function readRecords(bytes: Uint8Array, onRecord: (record: Uint8Array) => void): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const length = view.getUint32(at, true);
    const end = at + HEADER_BYTES + length;
    if (length < 1 || length > LONGEST || end > bytes.length) break;
    const record = bytes.slice(at + HEADER_BYTES, end);
    if (crc32c(record) !== view.getUint32(at + 4, true)) break;
    onRecord(record);
    at = end;
  }
  return at;
}
