// Runs the as-pect specs for tests/run.ts: one process each, so that a spec that does not compile hides no other.

import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { filesBelow } from "../check/part.ts";
import { type Counts, runProgram } from "./runner.ts";

const LIMIT_MS = 600_000;

/**
 * Counts from the summary that as-pect prints. Without a summary (the spec did not compile, or as-pect ended early),
 * or when a group failed although each of its tests passed, one failure is counted.
 */
export function countSummary(output: string, exitCode: number): Counts {
  const text = stripVTControlCharacters(output);
  const [, passed, total] = /\[Tests\]:\s*(\d+)\s*\/\s*(\d+)/.exec(text) ?? [];
  if (passed === undefined || total === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const counts = { passed: Number(passed), failed: Number(total) - Number(passed), skipped: 0 };
  if (counts.failed === 0 && (exitCode !== 0 || Number(total) === 0)) counts.failed = 1;
  return counts;
}

/** Specs below assembly/ whose path contains one of `patterns` (all without any). */
export function specsOf(root: string, patterns: string[]): string[] {
  const specs = filesBelow(root, "assembly", [".spec.ts"]).filter((path) => path.includes("/__tests__/"));
  return patterns.length === 0 ? specs : specs.filter((path) => patterns.some((part) => path.includes(part)));
}

/** Runs the specs, two at a time, one line for each; what as-pect printed follows where something failed. */
export async function runAsPect(root: string, patterns: string[]): Promise<Counts> {
  const waiting = specsOf(root, patterns);
  const sum: Counts = { passed: 0, failed: 0, skipped: 0 };
  const work = async (): Promise<void> => {
    for (let spec = waiting.shift(); spec !== undefined; spec = waiting.shift()) {
      const { code, output } = await runProgram(
        process.execPath,
        ["--enable-source-maps", join(root, "node_modules/@as-pect/cli/lib/test.js"), "--no-logo"],
        { cwd: root, env: { OCTOMOTE_SPEC: spec }, limitMs: LIMIT_MS },
      );
      const counts = countSummary(output, code);
      console.log(
        `${counts.failed > 0 ? "✗" : "✓"} ${spec} (${counts.passed}/${counts.passed + counts.failed})`,
      );
      if (counts.failed > 0) console.log(output.trimEnd());
      sum.passed += counts.passed;
      sum.failed += counts.failed;
    }
  };
  await Promise.all([work(), work()]);
  return sum;
}
