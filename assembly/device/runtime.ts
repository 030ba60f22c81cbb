// Objects of AssemblyScript in the arena: they live as long as the module and are never collected. link-arena.mjs makes
// asc's own hooks (__new and its kin) call these.
import { allocate } from "./arena";

// Layout of asc's object header (std/assembly/rt/common.ts): mmInfo, gcInfo, gcInfo2, rtId, rtSize; the object's
// address is that of the first byte after rtSize.
const RT_ID: usize = 8;
const RT_SIZE: usize = 4;
// Header of 20 bytes and 12 of padding: the object itself lies on a 16-byte boundary.
const OVERHEAD: usize = 32;

// @ts-ignore: decorator
@global
export function __arenaObject(size: usize, id: u32): usize {
  const pointer = allocate(OVERHEAD + size) + OVERHEAD;
  store<u32>(pointer - RT_ID, id);
  store<u32>(pointer - RT_SIZE, <u32>size);
  return pointer;
}

// @ts-ignore: decorator
@global
export function __arenaRenew(pointer: usize, size: usize): usize {
  const old = <usize>load<u32>(pointer - RT_SIZE);
  if (size <= old) {
    store<u32>(pointer - RT_SIZE, <u32>size);
    return pointer;
  }
  const moved = __arenaObject(size, load<u32>(pointer - RT_ID));
  memory.copy(moved, pointer, old);
  return moved;
}

// @ts-ignore: decorator
@global
export function __arenaAllocate(size: usize): usize {
  return allocate(size);
}

// @ts-ignore: decorator
@global
export function __arenaMove(pointer: usize, size: usize): usize {
  // the arena does not know the old size; what lies behind it up to the new size is copied too, and is ours
  const moved = allocate(size);
  memory.copy(moved, pointer, size);
  return moved;
}
