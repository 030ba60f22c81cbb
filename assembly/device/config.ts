// The configuration block (docs/abi.md): the host writes it before `initialize`, the module reads it.
// It is static data, so that its address is known before any code runs.

/** Parameters that fit the block. */
export const MAX_PARAMS = 8;

/** Bytes of the block: a header of 40 and 16 per parameter. */
export const CONFIG_BYTES: u32 = 168;

/** Address of the block. Word 0 holds its size; everything else is zero until the host writes. */
export const CONFIG: usize = memory.data<u32>(
  [
    168, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0,
  ],
  16,
);

// @ts-ignore: decorator
@inline
/** Bytes of linear memory that the module may use; the host enforces it everywhere (DESIGN §4). */
export function memoryLimit(): u32 {
  return load<u32>(CONFIG, 4);
}

// @ts-ignore: decorator
@inline
/** Seed of all draws of this module. */
export function seed(): u32 {
  return load<u32>(CONFIG, 8);
}

// @ts-ignore: decorator
@inline
/** Tells the host where messages go. */
export function setInbox(pointer: usize, bytes: u32): void {
  store<u32>(CONFIG, <u32>pointer, 12);
  store<u32>(CONFIG, bytes, 16);
}

// @ts-ignore: decorator
@inline
/** Tells the host where the learned state (checkpoint) lies. */
export function setState(pointer: usize, bytes: u32): void {
  store<u32>(CONFIG, <u32>pointer, 20);
  store<u32>(CONFIG, bytes, 24);
}

// @ts-ignore: decorator
@inline
/** Tells the host the first free byte of linear memory. */
export function setUsed(bytes: u32): void {
  store<u32>(CONFIG, bytes, 28);
}

// @ts-ignore: decorator
@inline
/** Number of parameters that the host wrote: it refuses more than fit. */
export function paramCount(): u32 {
  return load<u32>(CONFIG, 32);
}

// @ts-ignore: decorator
@inline
/** Tells the host where a weights file with the table of the model's tensors lies. */
export function setWeights(pointer: usize): void {
  store<u32>(CONFIG, <u32>pointer, 36);
}

// @ts-ignore: decorator
@inline
/** FNV-1a hash of parameter i's name. */
export function paramHash(i: u32): u32 {
  return load<u32>(CONFIG + (i << 4), 40);
}

// @ts-ignore: decorator
@inline
/** Value of parameter i in Q32.32. */
export function paramValue(i: u32): i64 {
  return load<i64>(CONFIG + (i << 4), 48);
}
