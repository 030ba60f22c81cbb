// What stopped a module in Node, in the words of docs/errors.md: V8's errors become the codes that firmware would tell.

import { AdmissionError } from "../module/admission.ts";
import { ModuleTrap } from "../module/module-host.ts";
import { ENTRY_POINTS, errorCode, type Fault } from "../protocol/errors.ts";

/** V8's words for a trap, and the error's name. */
const TRAPS: readonly [RegExp, string][] = [
  [/unreachable/, "unreachable"],
  [/memory access|out of bounds memory|data segment/, "memory-access"],
  [/divide by zero|remainder by zero/, "divide-by-zero"],
  [/divide result unrepresentable|integer overflow/, "integer-overflow"],
  [/call stack/, "stack-overflow"],
  [/table index|null function|function signature|indirect call/, "bad-indirect-call"],
];

/** Text that firmware's faults have room for. */
const MAX_TEXT = 79;

/** @param entry the entry point that was called, such as `step`. */
export function moduleFault(error: unknown, entry: string): Fault {
  if (error instanceof ModuleTrap) {
    const { code, where, got, want } = error;
    return { code, where, got, want };
  }
  const text = (error instanceof Error ? error.message : String(error)).slice(0, MAX_TEXT);
  if (error instanceof AdmissionError) return { code: errorCode("bad-module") as number, text };
  const name = TRAPS.find(([words]) => words.test(text))?.[1] ?? "trap";
  const where = ENTRY_POINTS.indexOf(entry);
  return { code: errorCode(name) as number, ...(where < 1 ? {} : { where }), text };
}
