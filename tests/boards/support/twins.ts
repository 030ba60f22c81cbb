// The AssemblyScript twins of the intrinsics in this process, on a memory of the test's.
import { readFile } from "node:fs/promises";
import { buildIntrinsics } from "../../../host/build/modules.ts";
import type { BatchCall, BatchMemory } from "./batch.ts";

class Trap extends Error {
  readonly numbers: number[];
  constructor(numbers: number[]) {
    super(`trap ${numbers.join(" ")}`);
    this.numbers = numbers;
  }
}

/** What a call leaves: its trap, or its result; and the memory's area if it did not trap. */
export interface Outcome {
  trap?: number[];
  result?: number;
  memory?: Uint8Array;
}

export class Twins {
  readonly #memory: WebAssembly.Memory;
  readonly #exports: WebAssembly.Exports;
  readonly #layout: BatchMemory;

  private constructor(memory: WebAssembly.Memory, exports: WebAssembly.Exports, layout: BatchMemory) {
    this.#memory = memory;
    this.#exports = exports;
    this.#layout = layout;
  }

  static async load(layout: BatchMemory): Promise<Twins> {
    const pages = layout.bytes >> 16;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const fail = (...numbers: number[]) => {
      throw new Trap(numbers);
    };
    const bytes = await readFile(await buildIntrinsics());
    const { instance } = await WebAssembly.instantiate(bytes, { env: { memory }, octomote_1: { fail } });
    (instance.exports["limit"] as WebAssembly.Global).value = memory.buffer.byteLength;
    return new Twins(memory, instance.exports, layout);
  }

  run(call: BatchCall): Outcome {
    const area = new Uint8Array(this.#memory.buffer, this.#layout.base, this.#layout.area);
    new Uint8Array(this.#memory.buffer).fill(0);
    area.set(call.memory);
    try {
      const fn = this.#exports[call.name] as (...args: number[]) => number | undefined;
      const result = fn(...call.args);
      return { memory: area.slice(), ...(result === undefined ? {} : { result: result | 0 }) };
    } catch (error) {
      if (error instanceof Trap) return { trap: error.numbers };
      throw error;
    }
  }
}
