// Every integer operation of WebAssembly in the firmware's engine for Cortex-M4, whose hot operations are our own
// (boards/runtime/dispatch), against V8.
import { expect, it } from "vitest";
import { requires } from "../support/requirements.ts";
import { runGuest } from "./support/guest.ts";
import { compileModule } from "./support/modules.ts";
import { operationsModule } from "./support/operations.ts";

const MEMORY = ["--memoryBase", "8192", "--initialMemory", "1", "--maximumMemory", "1"];

/** What V8 makes of the calls: the result, or undefined where it traps. */
async function expected(module: Uint8Array, calls: number[]): Promise<(number | undefined)[]> {
  const instance = await WebAssembly.instantiate(await WebAssembly.compile(new Uint8Array(module)));
  const run = instance.exports.run as (call: number) => number;
  return calls.map((call) => {
    try {
      return run(call);
    } catch {
      return undefined;
    }
  });
}

function external(module: Uint8Array, calls: number[]): Uint8Array {
  return Buffer.concat([
    new Uint8Array(Uint32Array.of(calls.length, module.length, ...calls).buffer),
    module,
  ]);
}

requires("arm-none-eabi-gcc", "qemu-system-arm").describe("wasm3's operations on a Cortex-M4", () => {
  // Unoptimised, operands lie in locals; optimised, in what was just computed.
  it.each(["-O0", "-O3"])("give V8's results and V8's traps (asc %s)", async (level) => {
    const { source, calls } = operationsModule();
    const module = await compileModule(source, [...MEMORY, level]);
    const lines = await runGuest("operations.c", external(module, calls), calls.length);
    const results = lines.map(({ what, numbers }) => (what === "done" ? numbers[0] : undefined));
    const wanted = await expected(module, calls);
    const wrong = calls.flatMap((call, i) =>
      results[i] === wanted[i] ? [] : [`f${call >> 4}(${call & 15}): ${results[i]}, not ${wanted[i]}`],
    );
    expect(wrong).toEqual([]);
    expect(wanted.filter((value) => value === undefined).length).toBeGreaterThan(100);
  });
});
