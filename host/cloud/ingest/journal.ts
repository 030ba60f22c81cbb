// What has been taken in, on disk: records that were written before their sender heard that they had arrived. A process that is killed at any
// moment leaves whole records and at most one torn one, which nobody was told of.

import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { crc32c } from "../../protocol/crc32c.ts";

/** Length and CRC-32C of the record that follows, u32 both. */
const HEADER_BYTES = 8;
const LONGEST = 1 << 20;

export class Journal {
  readonly #path: string;
  #file: number;
  #records = 0;

  /** Opens a journal, or begins one. A torn record at its end is cut off. `onRecord` gets what is in it, oldest first. */
  constructor(path: string, onRecord: (record: Uint8Array) => void = () => {}) {
    this.#path = path;
    if (existsSync(path)) {
      const bytes = new Uint8Array(readFileSync(path));
      const whole = readRecords(bytes, (record) => {
        this.#records++;
        onRecord(record);
      });
      if (whole < bytes.length) truncateSync(path, whole);
    }
    this.#file = openSync(path, "a");
  }

  /** Records in the file. */
  get records(): number {
    return this.#records;
  }

  /** Returns when the operating system has it: it outlives this process. */
  append(record: Uint8Array): void {
    writeAll(this.#file, frame(record));
    this.#records++;
  }

  /** Everything in the file, oldest first. */
  read(): Uint8Array[] {
    const records: Uint8Array[] = [];
    readRecords(new Uint8Array(readFileSync(this.#path)), (record) => records.push(record));
    return records;
  }

  /** Leaves only these records in the file; whatever moment this is interrupted at, the old ones or the new ones are there. */
  rewrite(records: Iterable<Uint8Array>): void {
    const fresh = `${this.#path}.new`;
    const file = openSync(fresh, "w");
    let count = 0;
    for (const record of records) {
      writeAll(file, frame(record));
      count++;
    }
    fsyncSync(file); // a new name for what is not on the disk yet would lose the old records as well if the power fails
    closeSync(file);
    renameSync(fresh, this.#path);
    closeSync(this.#file);
    this.#file = openSync(this.#path, "a");
    this.#records = count;
  }

  close(): void {
    closeSync(this.#file);
  }
}

function frame(record: Uint8Array): Uint8Array {
  if (record.length > LONGEST)
    throw new RangeError(`a record of ${record.length} bytes, at most ${LONGEST} are kept`);
  const bytes = new Uint8Array(HEADER_BYTES + record.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, record.length, true);
  view.setUint32(4, crc32c(record), true);
  bytes.set(record, HEADER_BYTES);
  return bytes;
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

/** Reads records up to the first that is not whole; returns where that begins. */
function readRecords(bytes: Uint8Array, onRecord: (record: Uint8Array) => void): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const length = view.getUint32(at, true);
    const end = at + HEADER_BYTES + length;
    if (length > LONGEST || end > bytes.length) break;
    const record = bytes.slice(at + HEADER_BYTES, end);
    if (crc32c(record) !== view.getUint32(at + 4, true)) break;
    onRecord(record);
    at = end;
  }
  return at;
}
