// The learned state of the module's model (docs/abi.md, "Learned state"): a header, then what each layer asked for.
import { allocate } from "../device/arena";
import { seed, setState } from "../device/config";
import { STATE_MISMATCH } from "../device/errors";
import { fail } from "../device/host";
import { drawKey, fin } from "../int8/rng";

/** The header's words that must agree: magic "OCKP", version, bytes in all, structure digest. */
const HEADER: usize = memory.data<u32>([0x504b434f, 1, 32, 0]);
const BYTES: usize = 8;
const STRUCTURE: usize = 12;
const STEP: usize = 16;
const SEED: usize = 20;

/** Address of the state. */
export let state: usize = 0;

/** Takes room for a layer; returns its offset. */
export function reserve(length: i32): usize {
  const offset = bytes();
  store<u32>(HEADER, offset + ((length + 7) & ~7), BYTES);
  return offset;
}

/** Adds to the structure digest: a state fits layers of the same kinds and shapes only. */
export function describe(kind: i32, h: i32, w: i32, c: i32): void {
  store<u32>(HEADER, fin(load<u32>(HEADER, STRUCTURE) ^ fin(kind ^ fin(h ^ fin(w ^ fin(c))))), STRUCTURE);
}

/** Allocates the state and tells the host where it is. */
export function open(): void {
  const length = bytes();
  state = allocate(length);
  memory.copy(state, HEADER, 16);
  store<u32>(state, seed(), SEED);
  setState(state, length);
}

/** Errors: STATE_MISMATCH (where: word of the header) when the state is another model's. */
export function check(): void {
  let i: usize = 0;
  do {
    const got = load<i32>(state + i);
    const want = load<i32>(HEADER + i);
    if (got != want) fail(STATE_MISMATCH, <i32>i >> 2, got, want);
  } while ((i += 4) < 16);
}

/** First word of a state's header that is not this model's; −1: all are. */
export function mismatch(at: usize): i32 {
  for (let i: usize = 0; i < 16; i += 4) if (load<i32>(at + i) != load<i32>(HEADER + i)) return <i32>i >> 2;
  return -1;
}

/** Digest of layers, shapes and options. */
export function structure(): u32 {
  return load<u32>(HEADER, STRUCTURE);
}

/** Bytes of the state. */
export function bytes(): i32 {
  return load<i32>(HEADER, BYTES);
}

/** Training steps that the state has seen. */
export function steps(): i32 {
  return load<i32>(state, STEP);
}

export function setSteps(value: i32): void {
  store<i32>(state, value, STEP);
}

/** Key of a tensor's draws at this step; the seed travels with the state. */
export function key(tensor: i32): u32 {
  return drawKey(load<u32>(state, SEED), steps(), tensor);
}
