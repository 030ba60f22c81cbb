// The counting plugin against guests whose instructions can be counted by hand.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CountError, countRegions, parseRegions } from "../../bench/count/plugin.ts";
import { requires } from "../support/requirements.ts";

const needs = requires("gcc", "glib", "arm-none-eabi-gcc", "qemu-system-arm");

const BEGIN = ".short 0x46d2";
const END = ".short 0x46db";
/** Semihosting SYS_EXIT, ApplicationExit. */
const EXIT = "movs r0, #0x18\n ldr r1, =0x20026\n bkpt 0xab";

let folder: string;

/** Assembles a bare Cortex-M4 program of these lines and runs it under the plugin. */
async function count(lines: string[], hot = 0, timeout?: number): ReturnType<typeof countRegions> {
  const source = join(folder, "guest.s");
  const kernel = join(folder, "guest.elf");
  writeFileSync(
    source,
    [
      ".syntax unified\n.cpu cortex-m4\n.thumb\n.word 0x20001000\n.word start + 1",
      // a page apart, so that a test can put instructions at its end
      ".balign 1024\n.global start\n.thumb_func\nstart:",
      ...lines,
      `${EXIT}\n.ltorg\n`,
    ].join("\n"),
  );
  execFileSync("arm-none-eabi-gcc", [
    "-mcpu=cortex-m4",
    "-mthumb",
    "-nostdlib",
    "-Ttext=0",
    "-o",
    kernel,
    source,
  ]);
  return countRegions({
    arguments: [
      "-M",
      "mps2-an386",
      "-display",
      "none",
      "-serial",
      "null",
      "-monitor",
      "none",
      "-kernel",
      kernel,
    ],
    hot,
    timeout,
  });
}

needs.describe("counting plugin", () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "octomote-count-test-"));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it("counts a loop exactly, markers left out, what lies outside left out", async () => {
    const { regions } = await count([
      "movs r0, #7",
      BEGIN,
      "movs r1, #100", // 1
      "loop: subs r1, #1\n bne loop", // 200, 99 of them taken
      END,
      "nop",
    ]);
    expect(regions).toEqual([{ instructions: 201, cycles: 201 + 99 * 2, loads: 0, stores: 0, taken: 99 }]);
  });

  it("tells regions apart by order and knows kinds and cycles", async () => {
    const { regions } = await count([
      "ldr r4, =0x20000100",
      BEGIN,
      END,
      BEGIN,
      "ldr r0, [r4]", // load, 2
      "ldr r1, [r4, #4]", // a load behind a load, 1
      "str r1, [r4, #8]", // store, 1
      "udiv r2, r1, r0", // 6
      "push {r0, r2-r3}", // store, 1 + 3
      "pop {r0, r2-r3}", // load, 1 + 3
      "mla r3, r0, r1, r2", // 1
      END,
    ]);
    expect(regions).toEqual([
      { instructions: 0, cycles: 0, loads: 0, stores: 0, taken: 0 },
      { instructions: 7, cycles: 2 + 1 + 1 + 6 + 4 + 4 + 1, loads: 3, stores: 2, taken: 0 },
    ]);
  });

  it("is not misled by the end of a page, where QEMU reports a wrong size", async () => {
    const { regions } = await count([BEGIN, ".rept 511\n nop\n .endr", "nop\n nop", END]);
    expect(regions).toEqual([{ instructions: 513, cycles: 513, loads: 0, stores: 0, taken: 0 }]);
  });

  it("lists the hottest instructions of a region, and only what that region executed", async () => {
    const body = ["movs r1, #50", "again%: subs r1, #1\n nop\n bne again%"];
    const numbered = (n: number): string[] => body.map((line) => line.replaceAll("%", String(n)));
    const { regions } = await count([BEGIN, ...numbered(1), END, BEGIN, ...numbered(2), END], 3);
    const [first, second] = regions.map((region) => region.hot!);
    expect(first!.map(([, executions]) => executions)).toEqual([50, 50, 50]);
    expect(second!.map(([, executions]) => executions)).toEqual([50, 50, 50]);
    expect(second![0]![0]).toBeGreaterThan(first![2]![0]);
  });

  it("fails when a guest ends within a region or does not end", async () => {
    await expect(count([BEGIN, "nop"])).rejects.toThrow("ended within a region");
    await expect(count(["hang: b hang"], 0, 2)).rejects.toThrow(CountError);
  });
});

describe("the plugin's report", () => {
  it("is read line by line", () => {
    const region = { instructions: 1, cycles: 2, loads: 3, stores: 4, taken: 5 };
    expect(parseRegions(`${JSON.stringify(region)}\n{"hot": [[4096, 7]]}\n`)).toEqual([
      { ...region, hot: [[4096, 7]] },
    ]);
    expect(() => parseRegions('{"error": "no"}\n')).toThrow("no");
  });
});
