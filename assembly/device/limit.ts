// Bytes of linear memory that pointers may reach. A module sets it from its configuration; `intrinsics.wasm`, which
// lives in a foreign module's memory, is told by its host through the exported global.

export let limit: u32 = 0;

export function setLimit(bytes: u32): void {
  limit = bytes;
}
