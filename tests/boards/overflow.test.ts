// No sum wraps: every intrinsic of training at the largest shape that its limits allow, with the values that make the largest sums,
// against whole numbers without a bound: in AssemblyScript, in C on this machine, where the sanitizer ends a sum that leaves its type,
// and on a Cortex-M4.
import { beforeAll, describe, expect, it } from "vitest";
import { requires } from "../support/requirements.ts";
import { type BatchMemory, hashOf, type Left, runBatch, runBatchHere } from "./support/batch.ts";
import { type Extreme, MEMORY } from "./support/extreme.ts";
import { EXTREMES, spilled } from "./support/extremes.ts";
import { Twins } from "./support/twins.ts";

const NAMES = [...new Set(EXTREMES.map(({ name }) => name))];
/** What an emulated board's external RAM holds besides the memory that calls work on. */
const ROOM = 11 << 20;

const of = (name: string): Extreme[] => EXTREMES.filter((extreme) => extreme.name === name);

let twins: Twins;

beforeAll(async () => {
  twins = await Twins.load(MEMORY);
});

/** Memory of a batch, and what it tells of calls that left what they have to. */
function expected(calls: readonly Extreme[]): { memory: BatchMemory; left: Left[] } {
  const area = Math.max(...calls.map(({ memory }) => memory.length));
  const left = calls.map((call) => {
    const { trap, result, memory } = twins.run(call);
    return trap ? { trap } : { result: result ?? 0, hash: hashOf((memory as Uint8Array).subarray(0, area)) };
  });
  return { memory: { ...MEMORY, area }, left };
}

describe("the largest sums, in AssemblyScript", () => {
  it.each(EXTREMES.map(({ name, what }) => [name, what] as const))("%s: %s", (name, what) => {
    const call = EXTREMES.find((one) => one.name === name && one.what === what) as Extreme;
    const outcome = twins.run(call);
    expect(outcome.trap).toEqual(call.trap);
    if (call.result !== undefined) expect(outcome.result).toBe(call.result);
    for (const { at, values } of call.left) {
      const bytes = (outcome.memory as Uint8Array).slice(
        at - MEMORY.base,
        at - MEMORY.base + values.byteLength,
      );
      const Kind = values.constructor as Int32ArrayConstructor;
      const got = new Kind(bytes.buffer);
      const differs = values.findIndex((value, i) => value !== got[i]);
      expect({ differs, got: got[differs] }).toEqual({ differs, got: values[differs] });
      expect(differs).toBe(-1);
    }
  });
});

requires("gcc").describe("the largest sums, in C that may not wrap", () => {
  it.each(NAMES)("%s", async (name) => {
    const { memory, left } = expected(of(name));
    expect(await runBatchHere(of(name), memory)).toEqual(left);
  });

  it("would be seen", async () => {
    await expect(runBatchHere([spilled()], MEMORY)).rejects.toThrow("signed integer overflow");
  });
});

requires("arm-none-eabi-gcc", "qemu-system-arm").describe("the largest sums, on a Cortex-M4", () => {
  it.each(NAMES)("%s", async (name) => {
    const calls = of(name);
    const fit = calls.reduce((bytes, { memory }) => bytes + memory.length + 128, 0);
    expect(fit).toBeLessThan(ROOM);
    const { memory, left } = expected(calls);
    expect(await runBatch(calls, memory)).toEqual(left);
  });
});
