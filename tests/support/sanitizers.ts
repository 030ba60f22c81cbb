// Reports of the address, leak and undefined-behaviour sanitizers fail the test that caused them, whoever started the
// process that wrote them and whatever became of its exit status: every process of a test writes its report into one
// folder, which is looked into after each test and at the end of each file.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "octomote-sanitizers-"));
const log = `log_path=${join(folder, "report")}`;
process.env.ASAN_OPTIONS = `${log}:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1`;
process.env.UBSAN_OPTIONS = `${log}:print_stacktrace=1`;
process.env.LSAN_OPTIONS = log;

/** Takes the reports that lie in the folder; throws them, when there are any. */
export function failOnReports(): void {
  const paths = readdirSync(folder).map((name) => join(folder, name));
  const reports = paths.map((path) => readFileSync(path, "utf8"));
  for (const path of paths) rmSync(path);
  if (reports.length > 0) throw new Error(`a sanitizer has reported:\n${reports.join("\n")}`);
}

// Hooks of the file run before these: what ends in them has ended.
afterEach(failOnReports);
afterAll(() => {
  try {
    failOnReports();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
