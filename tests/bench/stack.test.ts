// How deep the C stack of the emulated board goes: never so deep that the margin is used, also when a module goes as deep
// as it is let. docs/benchmarks.md shows what was measured here.
import { readFile } from "node:fs/promises";
import { beforeAll, expect, it } from "vitest";
import { ENTRY_POINTS, MARGIN, measureStack, type StackResult } from "../../bench/stack.ts";
import { requires } from "../support/requirements.ts";

const BOARD = new URL("../../boards/mps2-an386/", import.meta.url);

requires("arm-none-eabi-gcc", "qemu-system-arm").describe("the C stack of mps2-an386", () => {
  let result: StackResult;
  beforeAll(async () => {
    result = await measureStack();
  });

  it("is as large as the linker script says", async () => {
    const script = await readFile(new URL("board.ld", BOARD), "utf8");
    const [, bytes] = /STACK_BYTES = (\d+);/.exec(script) as unknown as [string, string];
    expect(result.reserved).toBe(Number(bytes));
  });

  it("is measured in every entry point that a module has: each of them starts and learns", () => {
    for (const { app, target, bytes } of result.depths) {
      const names = ENTRY_POINTS.filter((name) => name !== "message" || app === "deep");
      expect(Object.keys(bytes), `${app}, ${target}`).toEqual(names);
    }
  });

  it("keeps its margin in every entry point", () => {
    for (const { app, target, bytes } of result.depths) {
      for (const [name, depth] of Object.entries(bytes)) {
        expect(depth, `${name} of ${app}, ${target}`).toBeGreaterThan(256);
        expect(depth, `${name} of ${app}, ${target}`).toBeLessThanOrEqual(result.reserved - MARGIN);
      }
    }
  });

  it("is stopped by the bound, with host functions and intrinsics called at every depth", async () => {
    const main = await readFile(new URL("main.c", BOARD), "utf8");
    const [, reserve] = /STACK_RESERVE = (\d+)/.exec(main) as unknown as [string, string];
    const deep = result.depths.find(({ app }) => app === "deep")?.bytes.message as number;
    expect(deep).toBeGreaterThan(result.reserved - Number(reserve));
    // the measuring variant has the bounds of the one that is flashed
    const variant = await readFile(new URL("main_stack.c", BOARD), "utf8");
    const bounds = /MODULE_STACK = \d+, STACK_RESERVE = \d+/;
    expect(bounds.exec(variant)?.[0]).toBe(bounds.exec(main)?.[0]);
  });
});
