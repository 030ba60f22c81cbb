// `npm run check`: form, lint, types, direction of imports. `npm run format` (--fix) rewrites what can be rewritten.
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { assembly } from "./check/assembly.ts";
import { cIncludes, clangFormat } from "./check/c.ts";
import { fileLength, foreignNames, lockFile } from "./check/hygiene.ts";
import { imports } from "./check/imports.ts";
import type { Check, Finding } from "./check/part.ts";
import { biome, types } from "./check/typescript.ts";

const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));

export const CHECKS: Check[] = [
  biome,
  assembly,
  types,
  imports,
  clangFormat,
  cIncludes,
  fileLength,
  foreignNames,
  lockFile,
];

export interface CheckResult extends Finding {
  name: string;
}

/** Runs every check on the tree at `root` (this project by default), one after the other, and prints each result. */
export async function runChecks(options: { root?: string; fix?: boolean } = {}): Promise<CheckResult[]> {
  const root = options.root ?? PROJECT;
  const context = { root, bin: join(PROJECT, "node_modules/.bin"), fix: options.fix ?? false };
  const results: CheckResult[] = [];
  for (const check of CHECKS) {
    const finding = await check.run(context);
    results.push({ name: check.name, ...finding });
    const sign = finding.problems.length > 0 ? "✗" : finding.skipped !== undefined ? "-" : "✓";
    console.log(`${sign} ${check.name}${finding.skipped === undefined ? "" : `: ${finding.skipped}`}`);
    for (const problem of finding.problems) console.log(problem.replace(/^/gm, "    "));
  }
  return results;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const fix = process.argv.includes("--fix");
  const failed = (await runChecks({ fix })).filter((result) => result.problems.length > 0);
  if (failed.length > 0) {
    console.log(
      `\n${failed.length} of ${CHECKS.length} checks failed.${fix ? "" : " npm run format repairs formatting."}`,
    );
    process.exitCode = 1;
  }
}
