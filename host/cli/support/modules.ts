// Modules that were built here: which of them is the one that a device runs.

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { buildInThread, findApp, outputOf } from "./apps.ts";
import { packageRoot } from "./version.ts";

/**
 * Paths of modules that may be that of a device, device modules first: those of the app if one is named, else one with the
 * digest `sha256` in the build folders, and the other module of the same app beside it.
 * @throws UsageError, OctomoteError when the app does not compile
 */
export async function modulesOf(app: string | undefined, sha256: string): Promise<string[]> {
  if (app !== undefined) {
    const found = findApp(app);
    if (found.module) return withSibling(found.module);
    const { modules } = await buildInThread({ modules: outputOf(found) }, () => {});
    return modules.sort((a, b) => a.target.localeCompare(b.target)).map(({ path }) => path);
  }
  for (const folder of new Set([resolve("build"), join(packageRoot, "build")])) {
    for (const target of ["device", "portable"]) {
      const names = await readdir(join(folder, target)).catch(() => []);
      for (const name of names.filter((it) => it.endsWith(".wasm"))) {
        const path = join(folder, target, name);
        const digest = createHash("sha256")
          .update(await readFile(path))
          .digest("hex");
        if (digest === sha256) return withSibling(path);
      }
    }
  }
  return [];
}

/** A module, and the device module of the same app where builds lay it. */
async function withSibling(path: string): Promise<string[]> {
  const sibling = join(dirname(path), "../device", basename(path));
  const there = await readFile(sibling).then(
    () => true,
    () => false,
  );
  return there && resolve(sibling) !== resolve(path) ? [sibling, path] : [path];
}
