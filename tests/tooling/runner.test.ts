// How tests/run.ts counts, and that its list of requirements and tests/setup.sh agree.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { REQUIREMENTS } from "../support/requirements.ts";
import { countSummary, specsOf } from "../support/run-as-pect.ts";
import { countReport } from "../support/run-vitest.ts";
import { lastLine, runProgram, strict, sumOf } from "../support/runner.ts";
import { temporaryTree } from "../support/tree.ts";

describe("counts", () => {
  const file = (status: string, ...tests: string[]) => ({
    name: "a.test.ts",
    status,
    assertionResults: tests.map((one) => ({ status: one })),
  });

  it("come from vitest's report", () => {
    const testResults = [
      file("passed", "passed", "passed", "pending"),
      file("failed", "passed", "failed"),
      file("passed", "todo", "skipped"),
    ];
    expect(countReport({ success: false, testResults }, 1)).toEqual({ passed: 3, failed: 1, skipped: 3 });
  });

  it("include a file that failed before its first test", () => {
    expect(countReport({ success: false, testResults: [file("failed")] }, 1)).toEqual({
      passed: 0,
      failed: 1,
      skipped: 0,
    });
  });

  it("include an error outside of all tests", () => {
    const report = { success: true, testResults: [file("passed", "passed")] };
    expect(countReport(report, 1)).toEqual({ passed: 1, failed: 1, skipped: 0 });
    expect(countReport(report, 0)).toEqual({ passed: 1, failed: 0, skipped: 0 });
  });

  const summary = (passed: number, total: number) =>
    `\u001b[32m✔\u001b[39m\n  [Summary]\n    [Tests]: \u001b[32m${passed}\u001b[39m / ${total}\n`;

  it.each([
    ["all passed", summary(4, 4), 0, { passed: 4, failed: 0, skipped: 0 }],
    ["one failed", summary(3, 4), 1, { passed: 3, failed: 1, skipped: 0 }],
    ["a group failed outside of its tests", summary(4, 4), 1, { passed: 4, failed: 1, skipped: 0 }],
    ["a spec without tests", summary(0, 0), 0, { passed: 0, failed: 1, skipped: 0 }],
    ["a spec that does not compile", "ERROR TS2322: no\n", 1, { passed: 0, failed: 1, skipped: 0 }],
  ])("come from as-pect's summary: %s", (_, output, code, counts) => {
    expect(countSummary(output, code)).toEqual(counts);
  });

  it("are one line, and strict with CI=true", () => {
    const sum = sumOf([
      { passed: 1, failed: 0, skipped: 2 },
      { passed: 3, failed: 1, skipped: 0 },
    ]);
    expect(lastLine(strict(sum, false))).toBe("4 passed, 1 failed, 2 skipped");
    expect(lastLine(strict(sum, true))).toBe("4 passed, 3 failed, 0 skipped");
  });
});

describe("specs", () => {
  const root = () =>
    temporaryTree({
      "assembly/int8/__tests__/rng.spec.ts": "",
      "assembly/octo/__tests__/model.spec.ts": "",
      "assembly/octo/model.ts": "",
    });

  it("are found below assembly", () => {
    expect(specsOf(root(), [])).toEqual([
      "assembly/int8/__tests__/rng.spec.ts",
      "assembly/octo/__tests__/model.spec.ts",
    ]);
  });

  it("are chosen by a part of their path", () => {
    expect(specsOf(root(), ["int8", "nothing"])).toEqual(["assembly/int8/__tests__/rng.spec.ts"]);
  });
});

describe("runProgram", () => {
  it("tells exit code and output", async () => {
    const result = await runProgram("sh", ["-c", "echo out; echo err >&2; exit 3"], { cwd: "." });
    expect(result).toEqual({ code: 3, output: expect.stringMatching(/^(out\nerr|err\nout)\n$/) });
  });

  it("says which program could not be started", async () => {
    const result = await runProgram("no-such-program", [], { cwd: "." });
    expect(result.code).toBe(127);
    expect(result.output).toContain("no-such-program");
  });

  it("ends what hangs", async () => {
    const result = await runProgram("sleep", ["600"], { cwd: ".", limitMs: 50 });
    expect(result).toEqual({ code: 1, output: expect.stringContaining("without a result") });
  });
});

describe("tests/setup.sh", () => {
  const SETUP = resolve("tests/setup.sh");

  /** A PATH with nothing but the shell's own tools and the given scripts. */
  function bareMachine(scripts: Record<string, string>): string {
    const bin = join(temporaryTree(), "bin");
    mkdirSync(bin);
    for (const tool of ["sh", "id", "env", "true", "cat"]) symlinkSync(`/usr/bin/${tool}`, join(bin, tool));
    for (const [name, text] of Object.entries(scripts)) {
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(bin, name), 0o755);
    }
    return bin;
  }

  function setup(bin: string, ...args: string[]): { code: number | null; text: string } {
    const result = spawnSync("/bin/sh", [SETUP, ...args], { env: { PATH: bin }, encoding: "utf8" });
    return { code: result.status, text: result.stdout + result.stderr };
  }

  it("installs every package that a suite can ask for", () => {
    const words = readFileSync(SETUP, "utf8").split(/\s+/);
    for (const { packages } of Object.values(REQUIREMENTS)) {
      for (const name of packages) expect(words).toContain(name);
    }
  });

  it("lists what is missing", () => {
    const { code, text } = setup(bareMachine({}), "--list");
    expect(code).toBe(1);
    expect(text).toMatch(/missing:.*arm-none-eabi-gcc.*qemu-system-arm/);
    expect(text).toMatch(/apt-get install .*gcc-arm-none-eabi libnewlib-arm-none-eabi/);
  });

  it("says what to install where there is no apt", () => {
    const { code, text } = setup(bareMachine({}));
    expect(code).toBe(1);
    expect(text).toMatch(/not Debian.*by your system's own means:.*qemu-system-arm/);
  });

  it("says what to run by hand when the network is away", () => {
    const { code, text } = setup(bareMachine({ "apt-get": 'echo "no network" >&2; exit 100', id: "echo 0" }));
    expect(code).toBe(1);
    expect(text).toMatch(/apt-get update failed.*apt-get install .*qemu-system-arm/);
  });

  it("needs root, and says so", () => {
    const { code, text } = setup(bareMachine({ "apt-get": "exit 0", id: "echo 1000" }));
    expect(code).toBe(1);
    expect(text).toMatch(/needs root.*apt-get install /);
  });

  it("is not content with an installation that brought nothing", () => {
    const bin = bareMachine({ "apt-get": "exit 0", id: "echo 0" });
    const { code, text } = setup(bin);
    expect(code).toBe(1);
    expect(text).toContain("installed, but still missing");
  });
});
