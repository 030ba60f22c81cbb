// Files that a verb reads and writes whole.

import { randomUUID } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { lstat, readFile, rename, rm, writeFile } from "node:fs/promises";
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
  await writeTogether([[path, content]]);
}

/** Writes files of which all are there, whole, or none: the first takes its place when all are written. @throws OctomoteError */
export async function writeTogether(
  files: readonly (readonly [path: string, content: Uint8Array | string])[],
): Promise<void> {
  const parts = files.map(([path]) => `${path}.${randomUUID().slice(0, 8)}.part`);
  let path = "";
  try {
    for (const [i, part] of parts.entries()) {
      path = files[i]![0];
      const there = await lstat(path).catch(() => undefined);
      if (there?.isDirectory()) throw new Error("there is a folder of that name");
      await writeFile(part, files[i]![1]);
    }
    for (const [i, part] of parts.entries()) {
      path = files[i]![0];
      await rename(part, path);
    }
  } catch (error) {
    for (const part of parts) await rm(part, { force: true });
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
