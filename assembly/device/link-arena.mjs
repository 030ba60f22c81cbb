// asc transform: makes `--runtime stub` allocate from the arena (arena.ts), so that no `memory.grow` and no heap of
// asc's own reach a module. asc accepts a path as `--runtime` too, but then adds a shadow stack of 32 KiB for a garbage
// collector that is not there, and exports the runtime. A transform has to be JavaScript.
import { libraryFiles } from "assemblyscript/asc";
import { Transform } from "assemblyscript/transform";

libraryFiles["rt/stub"] = `
// @ts-ignore: decorator
@unsafe @global
export function __new(size: usize, id: u32): usize { return __arenaObject(size, id); }
// @ts-ignore: decorator
@unsafe @global
export function __renew(pointer: usize, size: usize): usize { return __arenaRenew(pointer, size); }
// @ts-ignore: decorator
@unsafe @global
export function __alloc(size: usize): usize { return __arenaAllocate(size); }
// @ts-ignore: decorator
@unsafe @global
export function __realloc(pointer: usize, size: usize): usize { return __arenaMove(pointer, size); }
// @ts-ignore: decorator
@unsafe @global
export function __free(pointer: usize): void {}
// @ts-ignore: decorator
@unsafe @global
export function __reset(): void {}
// @ts-ignore: decorator
@unsafe @global
export function __link(parent: usize, child: usize, expectMultiple: bool): void {}
// @ts-ignore: decorator
@unsafe @global
export function __pin(pointer: usize): usize { return pointer; }
// @ts-ignore: decorator
@unsafe @global
export function __unpin(pointer: usize): void {}
// @ts-ignore: decorator
@unsafe @global
export function __collect(): void {}
`;

export default class LinkArena extends Transform {}
