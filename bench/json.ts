// Results of a bench as a file.
import { rename, writeFile } from "node:fs/promises";

/** Whole or not at all: a run may be stopped at any time. */
export async function writeJson(file: string, result: unknown): Promise<void> {
  await writeFile(`${file}.new`, `${JSON.stringify(result, null, 2)}\n`);
  await rename(`${file}.new`, file);
}
