// Runs vitest for tests/run.ts and counts from its JSON report.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Counts, runProgram } from "./runner.ts";

/** What is read of vitest's JSON report. */
interface Report {
  success: boolean;
  testResults: { name: string; status: string; assertionResults: { status: string }[] }[];
}

/**
 * Counts the tests of a report. A file that failed before its first test (a syntax error, a failing hook) has no
 * failed test, and counts as one. So does an error outside of all tests, which only vitest's exit code tells.
 */
export function countReport(report: Report, exitCode: number): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const file of report.testResults) {
    const failedBefore = counts.failed;
    for (const { status } of file.assertionResults) {
      if (status === "passed") counts.passed++;
      else if (status === "failed") counts.failed++;
      else counts.skipped++;
    }
    if (file.status === "failed" && counts.failed === failedBefore) counts.failed++;
  }
  if (counts.failed === 0 && (exitCode !== 0 || !report.success)) counts.failed++;
  return counts;
}

/** Runs the suites whose path contains one of `patterns` (all without any), printing as vitest prints. */
export async function runVitest(root: string, scratch: string, patterns: string[]): Promise<Counts> {
  const file = join(scratch, "vitest.json");
  const { code } = await runProgram(
    process.execPath,
    [
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      "--passWithNoTests",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${file}`,
      ...patterns,
    ],
    { cwd: root, show: true },
  );
  if (!existsSync(file)) {
    console.log(`vitest ended with code ${code} and without a report`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  return countReport(JSON.parse(readFileSync(file, "utf8")) as Report, code);
}
