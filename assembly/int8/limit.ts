// Bytes of linear memory that pointers may reach. A module reads its configuration; `intrinsics.wasm`, which lives in
// a foreign module's memory, is told by its host through the exported global.
import { memoryLimit } from "../device/config";

/** Set by the host of `intrinsics.wasm`; unused in a module. */
export let limit: u32 = 0;

// @ts-ignore: decorator
@inline
export function reach(): u64 {
  // @ts-ignore: OCTOMOTE_TWINS is defined by the build of intrinsics.wasm
  return isDefined(OCTOMOTE_TWINS) ? <u64>limit : <u64>memoryLimit();
}
