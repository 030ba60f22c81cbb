// `npm run fuzz -- [target …] [--seconds N] [--merge]`: fuzzes targets one after the other, keeps what it finds in
// dist/tests/fuzz/<target>/ and tells how to see it again.
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { fuzz, merge } from "./support/libfuzzer.ts";
import { writeSeeds } from "./support/seeds.ts";
import { buildTarget, corpusOf, OUT, TARGET_NAMES, TARGETS, type TargetName } from "./support/targets.ts";

const USAGE = `npm run fuzz -- [target …] [--seconds N] [--merge]

  --seconds N  how long each target runs (60)
  --merge      then add small inputs that reach something new to tests/fuzz/corpus

targets: ${TARGET_NAMES.map((name) => `\n  ${name.padEnd(11)}${TARGETS[name].about}`).join("")}`;

/** Longest input that is kept in git, bytes. */
const KEPT = 256;

const isTarget = (name: string): name is TargetName => name in TARGETS;

function fail(message: string): never {
  console.error(`${message}\n\n${USAGE}`);
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { seconds: { type: "string", default: "60" }, merge: { type: "boolean", default: false } },
    });
  } catch (error) {
    return fail((error as Error).message);
  }
}

const { values, positionals } = readArguments();
const seconds = Number(values.seconds);
if (!Number.isInteger(seconds) || seconds < 1)
  fail(`--seconds ${values.seconds}: give a number of 1 or more`);
const unknown = positionals.find((name) => !isTarget(name));
if (unknown !== undefined) fail(`there is no target ${unknown}`);
const names = positionals.length > 0 ? positionals.filter(isTarget) : TARGET_NAMES;

async function fuzzTarget(name: TargetName): Promise<void> {
  const program = await buildTarget(name);
  const { longest } = TARGETS[name];
  const folder = join(OUT, name);
  const seeds = join(folder, "seeds");
  await writeSeeds(name, seeds);
  console.log(`${name}: ${TARGETS[name].about}, ${seconds} s`);
  const result = await fuzz(program, {
    found: join(folder, "found"),
    corpora: [corpusOf(name), seeds],
    findings: join(folder, "findings"),
    longest,
    seconds,
  });
  const { executions, coverage, features } = result;
  console.log(`${name}: ${executions} executions, ${coverage} edges, ${features} features`);
  if (result.code !== 0) {
    process.exitCode = 1;
    console.log(result.report);
    for (const path of result.findings) {
      console.log(
        `${name}: found ${relative(".", path)}; see it again:\n  ${relative(".", program)} ${relative(".", path)}`,
      );
      console.log(
        `  a mended finding goes to ${relative(".", corpusOf(name))}/ under a name that says what it was`,
      );
    }
  } else if (values.merge) {
    const found = join(folder, "found");
    await merge(program, { corpus: corpusOf(name), seeds, found, scratch: join(folder, "merged") }, KEPT);
    console.log(`${name}: merged into ${relative(".", corpusOf(name))}`);
  }
}

try {
  for (const name of names) await fuzzTarget(name);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
