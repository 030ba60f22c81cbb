// What a trainer has learned, as one file that is old or new and never in between.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeMap, encodeMap, Fields, integer } from "../protocol/cbor.ts";
import { replaceFile, writeAll } from "./durable.ts";

export interface Checkpoint {
  /** State of the network. */
  readonly network: Uint8Array;
  /** Samples that were learned from, counted each time. */
  readonly learned: number;
  /** Counts that go on, as JSON. */
  readonly meter: string;
  /** Records of the journal that these counts include. */
  readonly records: number;
}

/** The file in a trainer's folder. */
export const CHECKPOINT = "checkpoint.cbor";

export function writeCheckpoint(folder: string, { network, learned, meter, records }: Checkpoint): void {
  mkdirSync(folder, { recursive: true });
  const bytes = encodeMap([
    [0, network],
    [1, integer(learned)],
    [2, meter],
    [3, integer(records)],
  ]);
  replaceFile(join(folder, CHECKPOINT), (file) => writeAll(file, bytes));
}

/** Undefined where there is none yet; makes the folder. @throws MessageError when the file is damaged */
export function readCheckpoint(folder: string): Checkpoint | undefined {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, CHECKPOINT);
  if (!existsSync(path)) return undefined;
  const fields = new Fields(decodeMap(new Uint8Array(readFileSync(path)), path), path);
  return {
    network: fields.bytes(0),
    learned: fields.count(1),
    meter: fields.text(2),
    records: fields.count(3),
  };
}
