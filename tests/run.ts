// `npm test`: installs what the tests need where it may, runs the checks, the as-pect specs and the vitest suites, and
// ends with what did not run and one line of counts. `npm test -- PATTERN …` runs the specs and suites whose path
// contains a pattern ("check" stands for the checks).
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runChecks } from "./check.ts";
import type { Unmet } from "./support/requirements.ts";
import { runAsPect } from "./support/run-as-pect.ts";
import { runVitest } from "./support/run-vitest.ts";
import { type Counts, lastLine, runProgram, strict, sumOf } from "./support/runner.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const CI = process.env.CI === "true";

function title(text: string): void {
  console.log(`\n── ${text} ${"─".repeat(Math.max(0, 76 - text.length))}`);
}

/** Installs what is missing, where that can be done without asking anybody; the list at the end tells what could not. */
async function setUp(): Promise<void> {
  if (process.getuid?.() !== 0 && !CI) return;
  title("setup");
  await runProgram("sh", [join(ROOT, "tests/setup.sh")], { cwd: ROOT, show: true });
}

async function runCheckParts(): Promise<{ counts: Counts; unmet: Unmet[] }> {
  title("check");
  const results = await runChecks();
  const failed = results.filter((result) => result.problems.length > 0).length;
  const skipped = results.filter((result) => result.problems.length === 0 && result.skipped !== undefined);
  const unmet = skipped.map((result) => ({
    suite: `check: ${result.name}`,
    missing: [result.skipped ?? ""],
    packages: result.packages ?? [],
  }));
  const counts = { passed: results.length - failed - skipped.length, failed, skipped: skipped.length };
  return { counts, unmet };
}

/** The lines that vitest's workers wrote (requirements.ts), one for each suite that could not run. */
function readUnmet(list: string): Unmet[] {
  if (!existsSync(list)) return [];
  const lines = readFileSync(list, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Unmet);
}

function printUnmet(unmet: Unmet[]): void {
  if (unmet.length === 0) return;
  title("did not run");
  for (const { suite, missing } of unmet) console.log(`${suite}: ${missing.join(", ")}`);
  const packages = [...new Set(unmet.flatMap((one) => one.packages))].sort();
  if (packages.length > 0) {
    console.log(`\nTo install what they need: npm run setup`);
    console.log(`                        or: apt-get install ${packages.join(" ")}`);
  }
}

const patterns = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const scratch = mkdtempSync(join(tmpdir(), "octomote-test-"));
const list = join(scratch, "unmet.jsonl");
process.env.OCTOMOTE_UNMET = list;
try {
  await setUp();
  const parts: Counts[] = [];
  const unmet: Unmet[] = [];
  if (patterns.length === 0 || patterns.includes("check")) {
    const checks = await runCheckParts();
    parts.push(checks.counts);
    unmet.push(...checks.unmet);
  }
  const paths = patterns.filter((pattern) => pattern !== "check");
  if (patterns.length === 0 || paths.length > 0) {
    title("as-pect");
    parts.push(await runAsPect(ROOT, paths));
    title("vitest");
    parts.push(await runVitest(ROOT, scratch, paths));
  }
  unmet.push(...readUnmet(list));
  printUnmet(unmet);

  const sum = sumOf(parts);
  const ran = sum.passed + sum.failed + sum.skipped > 0;
  if (!ran) {
    console.log(`\nNo spec and no suite matches: ${patterns.join(" ")}`);
    sum.failed = 1;
  }
  // A suite that said what it lacks and yet has no skipped test still did not run.
  if (CI && unmet.length > 0 && sum.skipped === 0) sum.skipped = unmet.length;
  if (CI && sum.skipped > 0) console.log("\nCI=true: what did not run counts as failed.");
  const counts = strict(sum, CI);
  process.exitCode = counts.failed > 0 ? 1 : 0;
  console.log(`\n${lastLine(counts)}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
