// All allocation of a module: a bump arena between the static data and the byte limit that the host set.
// Nothing is freed; a module is restarted as a whole. `memory.grow` is never used (DESIGN §4).
import { memoryLimit } from "./config";
import { ALLOCATION_SEALED, OUT_OF_ARENA } from "./errors";
import { fail } from "./host";

/** Bytes of the arena in a spec. */
export const SPEC_BYTES: i32 = 1 << 18;

/** First free byte. asc's own heap lies behind the data of a spec: there the arena is a part of the data. */
let next: usize = isDefined(OCTOMOTE_SPEC) ? memory.data(SPEC_BYTES, 16) : __heap_base;
let sealed: bool = false;

/**
 * Reserves zeroed bytes on a 16-byte boundary (linear memory starts zeroed and is never reused).
 * Errors: OUT_OF_ARENA (got: bytes needed in all, want: the limit), ALLOCATION_SEALED after `init`.
 */
export function allocate(bytes: usize): usize {
  const pointer = (next + 15) & ~15;
  const end = <u64>pointer + <u64>bytes;
  const fits = end <= <u64>memoryLimit();
  if (sealed | !fits) {
    fail(sealed ? ALLOCATION_SEALED : OUT_OF_ARENA, 0, <i32>min(end, <u64>i32.MAX_VALUE), memoryLimit());
  }
  next = <usize>end;
  return pointer;
}

/** Ends allocation: from here on a step that allocates is an error, not a slow leak. */
export function seal(): void {
  sealed = true;
}

/** First free byte of linear memory. */
export function used(): u32 {
  return <u32>next;
}
