// Many calls of intrinsics at once (batch.c), which a link would carry one by one: on an emulated Cortex-M4, and on this machine in C
// that must not wrap.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { compileProgram } from "../../../host/build/compile-c.ts";
import { findCompiler, sanitizerFlags } from "../../../host/build/toolchain.ts";
import { type GuestLine, linesOf, runGuest } from "./guest.ts";

const ROOT = join(import.meta.dirname, "../../..");
const BATCH_C = join(import.meta.dirname, "batch.c");

export interface BatchCall {
  name: string;
  args: readonly number[];
  /** What lies at `base` before the call; the rest is zero. */
  memory: Uint8Array;
}

/** Linear memory of a batch: bytes, where a call's own lie, and how many of them count. */
export interface BatchMemory {
  bytes: number;
  base: number;
  area: number;
}

/** What a call left: the numbers of its error, or its result (0 without one) and a hash of the memory. */
export type Left = { trap: number[] } | { result: number; hash: number };

/** FNV-1a of a memory's area, as batch.c computes it. */
export function hashOf(area: Uint8Array): number {
  let hash = 0x811c9dc5 | 0;
  for (const byte of area) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

function encode(calls: readonly BatchCall[], { bytes, base, area }: BatchMemory): Uint8Array {
  const parts = calls.map(({ name, args, memory }) => {
    const part = new Uint8Array(40 + 4 * args.length + Math.ceil(memory.length / 4) * 4);
    part.set(new TextEncoder().encode(name));
    const view = new DataView(part.buffer);
    [args.length, memory.length, ...args].forEach((word, i) => {
      view.setInt32(32 + 4 * i, word, true);
    });
    part.set(memory, 40 + 4 * args.length);
    return part;
  });
  return Buffer.concat([new Uint8Array(Uint32Array.of(calls.length, bytes, base, area).buffer), ...parts]);
}

/** What a batch tells of its calls. */
const leftOf = (lines: readonly GuestLine[]): Left[] =>
  lines.map(({ what, numbers }) =>
    what === "trap" ? { trap: numbers } : { result: numbers[0] ?? 0, hash: numbers[1] ?? 0 },
  );

/** Makes the calls in their order on a Cortex-M4. @throws Error with the firmware's words if it does not come to their end */
export async function runBatch(calls: readonly BatchCall[], memory: BatchMemory): Promise<Left[]> {
  return leftOf(await runGuest("batch.c", encode(calls, memory), calls.length));
}

/**
 * The same on this machine, under sanitizers and without -fwrapv: a sum that leaves int32 or int64 ends it.
 * @throws Error with the sanitizer's report
 */
export async function runBatchHere(calls: readonly BatchCall[], memory: BatchMemory): Promise<Left[]> {
  const compiler = findCompiler() as string;
  const checked = await sanitizerFlags(compiler);
  const runtime = join(ROOT, "boards/runtime");
  const intrinsics = readdirSync(join(runtime, "intrinsics")).filter((name) => name.endsWith(".c"));
  const sources = [
    BATCH_C,
    join(runtime, "abi_imports.c"),
    ...intrinsics.map((name) => join(runtime, "intrinsics", name)),
  ];
  const output = join(ROOT, "dist/tests/boards/batch");
  await compileProgram({
    compiler,
    jobs: sources.map((source) => ({
      source,
      flags: ["-std=c11", "-Wall", "-Wextra", "-Werror", ...checked.compile, `-I${runtime}`],
    })),
    linkFlags: checked.link,
    objects: join(ROOT, "dist/tests/boards/batch-objects"),
    output,
    root: ROOT,
  });
  return leftOf(await linesOf(encode(calls, memory), calls.length, output, (input) => [input]));
}
