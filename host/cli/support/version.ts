// Version and place of this installation.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The directory with package.json. */
export const packageRoot = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** Version of Octomote. */
export const version: string = (
  JSON.parse(readFileSync(resolve(packageRoot, "package.json"), "utf8")) as { version: string }
).version;
