// Files that are whole on the disk, whatever moment the power fails at.

import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

export function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

/** Puts a file in the place of another: the old one is there until the new one is on the disk, and then that. */
export function replaceFile(path: string, write: (file: number) => void): void {
  const fresh = `${path}.new`;
  const file = openSync(fresh, "w");
  try {
    write(file);
    fsyncSync(file); // a new name for what is not on the disk yet would lose the old one as well
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
  syncFolder(dirname(path));
}

/** What was created, or got a name, in this folder is found there after a power cut. */
export function syncFolder(folder: string): void {
  if (process.platform === "win32") return; // folders cannot be opened there
  const file = openSync(folder, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
