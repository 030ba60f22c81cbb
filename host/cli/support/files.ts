// Files that a verb reads and writes whole.

import { randomUUID } from "node:crypto";
import { lstat, readFile, rename, rm, writeFile } from "node:fs/promises";
import { messageOf, OctomoteError } from "../../bridge/errors.ts";
import { LogFile } from "../../replay/log-file.ts";

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

/** Opens a session log. `ended` hears that the disk takes no more. @throws OctomoteError */
export function openLog(path: string, ended: (error: OctomoteError) => void): LogFile {
  const refused = (error: unknown, until = "") =>
    new OctomoteError(
      `${path} cannot be written${until}: ${messageOf(error)}`,
      "make room, or choose another place",
    );
  try {
    return new LogFile(path, {
      ended: (why) => ended(refused(why, " any more; what it holds can be replayed")),
    });
  } catch (error) {
    throw refused(error);
  }
}
