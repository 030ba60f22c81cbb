// Every target, over its corpus and a bounded number of changes to it: the same inputs in every run. `npm run fuzz` goes
// on for as long as it is told.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { requires } from "../support/requirements.ts";
import { fuzz, reproduce } from "./support/libfuzzer.ts";
import { writeSeeds } from "./support/seeds.ts";
import { buildTarget, buildTripwire, corpusOf, OUT, TARGET_NAMES, TARGETS } from "./support/targets.ts";

const clang = requires("clang");

clang.describe("fuzzing", () => {
  let folder: string;
  beforeAll(async () => {
    await buildTripwire();
    folder = await mkdtemp(join(OUT, "test-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(TARGET_NAMES)("%s", async (name) => {
    const program = await buildTarget(name);
    const seeds = join(folder, name, "seeds");
    await writeSeeds(name, seeds);
    const inputs = await Promise.all([seeds, corpusOf(name)].map((corpus) => readdir(corpus)));
    const result = await fuzz(program, {
      found: join(folder, name, "found"),
      corpora: [seeds, corpusOf(name)],
      findings: join(folder, name, "findings"),
      longest: TARGETS[name].longest,
      runs: TARGETS[name].runs,
      seed: 1,
    });
    expect(result.code, result.report).toBe(0);
    expect(result.executions).toBeGreaterThanOrEqual(Math.max(TARGETS[name].runs, inputs.flat().length));
    expect(result.coverage).toBeGreaterThanOrEqual(TARGETS[name].edges);
  });

  it("keeps an input that breaks something, and shows it again", async () => {
    const program = await buildTripwire();
    const places = {
      found: join(folder, "tripwire"),
      corpora: [],
      findings: join(folder, "tripwire-findings"),
    };
    const result = await fuzz(program, { ...places, longest: 8, runs: 1_000_000, seed: 1 });
    expect(result.code).not.toBe(0);
    expect(result.findings).toHaveLength(1);
    const again = await reproduce(program, result.findings);
    expect(again.code).not.toBe(0);
    expect(again.output).toContain("heap-buffer-overflow");
  });
});
