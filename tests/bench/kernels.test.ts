// The cost benchmark in its short form, held against the golden figures, and the tables that are made of a measurement.
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { PAGE, readResults, render } from "../../bench/docs.ts";
import { compare, figuresOf, type Golden } from "../../bench/kernels/golden.ts";
import { type KernelsResult, measureKernels } from "../../bench/kernels/measure.ts";
import { BENCH_APPS } from "../../bench/kernels/parts.ts";
import { bytesByPart } from "../../bench/kernels/sections.ts";
import { readGolden, SHORT } from "../../bench/kernels.ts";
import { markdownTable } from "../../bench/tables.ts";
import { requires } from "../support/requirements.ts";

/** A measurement that can be counted on fingers. */
const measurement = (instructions: number, bytes: number): KernelsResult => ({
  tools: { gcc: "gcc 12", qemu: "QEMU 7.2", engine: "wasm3-0.5.0" },
  apps: [
    {
      app: "app",
      title: "An app",
      targets: {
        device: {
          bytes,
          ram: 1,
          parts: [{ name: "part", macs: 10, instructions, cycles: 2 * instructions }],
        },
      },
    },
  ],
  trainer: {
    bytes: { portable: 3 * bytes, device: bytes },
    code: { portable: [], device: [{ part: "octo/model", bytes }] },
  },
  features: [{ feature: "f", bytes: { portable: 9, device: 8 }, added: { portable: 9, device: 8 } }],
  memory: {},
  failures: [],
});

const golden = (result: KernelsResult): Golden => ({ tools: result.tools, figures: figuresOf(result) });

describe("golden figures", () => {
  const before = golden(measurement(10_000, 100));

  it("accept what is the same, or within 2 %", () => {
    expect(compare(before, measurement(10_000, 100))).toMatchObject({
      regressions: [],
      improvements: [],
      compared: 7,
    });
    expect(compare(before, measurement(10_200, 102)).regressions).toEqual([]);
  });

  it("name what got worse or better by more", () => {
    expect(compare(before, measurement(10_201, 100)).regressions).toEqual([
      "app (device): part: instructions: 10000 → 10201 (2.0 %)",
    ]);
    expect(compare(before, measurement(10_000, 103)).regressions).toHaveLength(3);
    expect(compare(before, measurement(9_000, 100)).improvements).toEqual([
      "app (device): part: instructions: 10000 → 9000 (-10.0 %)",
    ]);
  });

  it("let a region of a few hundred instructions move by a hundred", () => {
    const small = golden(measurement(500, 100));
    expect(compare(small, measurement(600, 100)).regressions).toEqual([]);
    expect(compare(small, measurement(601, 100)).regressions).toHaveLength(1);
  });

  it("do not take what they have not seen", () => {
    const other = measurement(10_000, 100);
    other.apps[0]!.app = "new";
    expect(compare(before, other).regressions[0]).toContain("no golden figure");
  });

  it("do not pass over an app that the board refuses", () => {
    const other = measurement(10_000, 100);
    other.failures.push({ app: "app", target: "portable", why: "out of arena" });
    expect(compare(before, other).regressions).toEqual(["app (portable) does not run: out of arena"]);
  });

  it("compare bytes alone when a tool is another one, and say so", () => {
    const other = measurement(50_000, 103);
    other.tools.gcc = "gcc 14";
    const verdict = compare(before, other);
    expect(verdict.skipped).toContain("gcc 14");
    expect(verdict.regressions).toHaveLength(3);
  });
});

describe("bytes by source file", () => {
  it("adds up to the module, names left out", () => {
    const body = [4, 0, 0x41, 7, 0x0b]; // length, no locals, i32.const 7, end
    const name = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];
    const first = name("~lib/octomote/assembly/octo/model/Model#build");
    const second = name("bench/apps/x/step");
    const names = [...name("name"), 1, 1 + 2 + first.length + second.length, 2, 0, ...first, 1, ...second];
    const module = [
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...[1, 5, 1, 0x60, 0, 1, 0x7f], // type () → i32
      ...[3, 3, 2, 0, 0], // two functions
      ...[10, 1 + 2 * body.length, 2, ...body, ...body],
      ...[0, names.length, ...names],
    ];
    const wasm = new Uint8Array(module);
    expect(WebAssembly.validate(wasm)).toBe(true);
    const parts = bytesByPart(wasm);
    expect(Object.fromEntries(parts.map(({ part, bytes }) => [part, bytes]))).toEqual({
      "octo/model": 5,
      app: 5,
      data: 0,
      "types, imports, exports": 8 + 7 + 5 + 3,
    });
    expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(wasm.length - names.length - 2);
  });
});

describe("tables", () => {
  it("are Markdown with numbers to the right", () => {
    expect(
      markdownTable(
        ["what", "n"],
        [
          ["a", 12345],
          ["b", "–"],
        ],
      ),
    ).toBe(["| what |      n |", "| ---- | -----: |", "| a    | 12,345 |", "| b    |      – |"].join("\n"));
  });

  it("of docs/benchmarks.md are those of bench/results (npm run bench:docs)", async () => {
    const page = await readFile(PAGE, "utf8");
    const results = await readResults();
    expect(page).toBe(render(page, results));
    expect(() => render("<!-- table nonsense -->\n<!-- /table -->", results)).toThrow("nonsense");
  });

  it("show every app's parts", async () => {
    const { kernels } = await readResults();
    for (const { app, parts } of BENCH_APPS) {
      const counted = kernels.apps.find((one) => one.app === app)!;
      for (const one of Object.values(counted.targets)) {
        expect(one.parts.map(({ name, macs }) => ({ name, macs }))).toEqual(parts.slice(1));
      }
    }
  });
});

const needs = requires("gcc", "glib", "arm-none-eabi-gcc", "qemu-system-arm");
needs.describe("the short measurement", () => {
  it("is no worse than the golden figures", async () => {
    const result = await measureKernels(SHORT);
    const verdict = compare(await readGolden(), result);
    expect(verdict.regressions).toEqual([]);
    expect(verdict.compared).toBeGreaterThan(15);
  });
});
