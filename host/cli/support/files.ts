// Files that a verb reads and writes whole.

import { randomUUID } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { messageOf, OctomoteError } from "../../bridge/errors.ts";

/** The bytes of a file. @throws OctomoteError */
export async function readInput(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    throw new OctomoteError(`${path} cannot be read: ${messageOf(error)}`, "check the path");
  }
}

/** Writes a file that is there whole or not at all. @throws OctomoteError */
export async function writeWhole(path: string, content: Uint8Array | string): Promise<void> {
  const part = `${path}.${randomUUID().slice(0, 8)}.part`;
  try {
    await writeFile(part, content);
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw new OctomoteError(`${path} cannot be written: ${messageOf(error)}`, "choose another place");
  }
}

/** Opens a file that grows while things happen. @throws OctomoteError */
export function openLog(path: string): { write(bytes: Uint8Array): void; close(): void } {
  try {
    const file = openSync(path, "w");
    return { write: (bytes) => void writeSync(file, bytes), close: () => closeSync(file) };
  } catch (error) {
    throw new OctomoteError(`${path} cannot be written: ${messageOf(error)}`, "choose another place");
  }
}
