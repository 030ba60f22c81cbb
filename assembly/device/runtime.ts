// The runtime that asc links in place of its own (`--runtime`): objects come from the arena, live as long as the
// module, and are never collected. AssemblyScript calls these hooks by name.
import { allocate } from "./arena";

// Layout of asc's object header (std/assembly/rt/common.ts): mmInfo, gcInfo, gcInfo2, rtId, rtSize; the object's
// address is that of the first byte after rtSize.
const HEADER: usize = 20;
const RT_ID: usize = 8;
const RT_SIZE: usize = 4;

// @ts-ignore: decorator
@unsafe @global
export function __new(size: usize, id: u32): usize {
  // 12 bytes of padding put the object itself on a 16-byte boundary
  const pointer = allocate(HEADER + 12 + size) + HEADER + 12;
  store<u32>(pointer - RT_ID, id);
  store<u32>(pointer - RT_SIZE, <u32>size);
  return pointer;
}

// @ts-ignore: decorator
@unsafe @global
export function __renew(pointer: usize, size: usize): usize {
  const old = <usize>load<u32>(pointer - RT_SIZE);
  if (size <= old) {
    store<u32>(pointer - RT_SIZE, <u32>size);
    return pointer;
  }
  const moved = __new(size, load<u32>(pointer - RT_ID));
  memory.copy(moved, pointer, old);
  return moved;
}

// @ts-ignore: decorator
@unsafe @global
export function __alloc(size: usize): usize {
  return allocate(size);
}

// @ts-ignore: decorator
@unsafe @global
export function __realloc(pointer: usize, size: usize): usize {
  // only asc's own collections call this; the arena cannot know the old size, so it copies what the new one holds
  const moved = allocate(size);
  memory.copy(moved, pointer, size);
  return moved;
}

// @ts-ignore: decorator
@unsafe @global
export function __free(pointer: usize): void {}

// @ts-ignore: decorator
@unsafe @global
export function __link(parent: usize, child: usize, expectMultiple: bool): void {}

// @ts-ignore: decorator
@unsafe @global
export function __pin(pointer: usize): usize {
  return pointer;
}

// @ts-ignore: decorator
@unsafe @global
export function __unpin(pointer: usize): void {}

// @ts-ignore: decorator
@unsafe @global
export function __collect(): void {}
