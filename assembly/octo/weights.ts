// Weights files (docs/training.md, "Keep what was learned"): the learned state with a table of its tensors and a check value. The
// layout is that of host/protocol/weights.ts. A file is looked at whole before the first byte of it is taken.
import { allocate } from "../device/arena";
import { setWeights } from "../device/config";
import { crc32c } from "../device/crc32c";
import { STATE_MISMATCH } from "../device/errors";
import { fail } from "../device/host";
import { TENSOR_C } from "../int8/structs";
import * as checkpoint from "./checkpoint";
import { Conv2d } from "./conv2d";

const MAGIC: u32 = 0x54574d4f;
const VERSION: i32 = 1;
export const HEADER_BYTES: i32 = 32;
export const ENTRY_BYTES: i32 = 48;
/** Offsets of header fields. */
const ENTRIES: usize = 6;
const BYTES: usize = 8;
const STRUCTURE: usize = 12;
const STATE: usize = 16;
const STATE_BYTES: usize = 20;
const CRC: usize = 24;

/** Whether the module keeps room for a file. */
export let used: bool = false;
/** The room, and how much is in it. */
export let file: usize = 0;
export let fileBytes: i32 = 0;
/** A file to begin with, that of load() before `init`. */
export let given: usize = 0;
let givenBytes: i32 = 0;

export function use(): void {
  used = true;
}

export function give(at: usize, bytes: i32): void {
  given = at;
  givenBytes = bytes;
}

/** Room for a file, while the model is laid out. */
export function reserve(layers: i32): void {
  fileBytes = HEADER_BYTES + layers * ENTRY_BYTES + checkpoint.bytes();
  file = allocate(fileBytes);
  store<i32>(file, VERSION | (layers << 16), 4);
  setWeights(file);
}

/** A layer's entry of the table, in the order of the file's words; offsets count from the start of the state, 0: there is none. */
export function describe(at: usize, layer: Conv2d, onGrid: bool, compensation: usize): void {
  store<i32>(at, (layer.index << 8) | layer.kind);
  store<i32>(at, layer.c, 4);
  store<i32>(at, layer.kernelH, 8);
  store<i32>(at, layer.kernelW, 12);
  store<i32>(at, load<i32>(layer.xT, TENSOR_C) / layer.groups, 16);
  store<i32>(at, layer.groups, 20);
  store<i32>(at, offsetOf(layer.masters), 24);
  store<i32>(at, offsetOf(layer.biases), 28);
  store<i32>(at, onGrid ? layer.bits : 0, 32);
  store<i32>(at, onGrid ? offsetOf(layer.grid) : 0, 36);
  store<i32>(at, compensation ? offsetOf(compensation) : 0, 40);
  store<i32>(at, 0, 44);
}

function offsetOf(at: usize): i32 {
  return <i32>(at - checkpoint.state);
}

/** Writes header and state around the table, which is there since `init`. */
export function seal(): void {
  const state = HEADER_BYTES + <i32>load<u16>(file, ENTRIES) * ENTRY_BYTES;
  store<u32>(file, MAGIC);
  store<i32>(file, fileBytes, BYTES);
  store<u32>(file, checkpoint.structure(), STRUCTURE);
  store<i32>(file, state, STATE);
  store<i32>(file, checkpoint.bytes(), STATE_BYTES);
  store<i64>(file, 0, CRC);
  memory.copy(file + <usize>state, checkpoint.state, checkpoint.bytes());
  store<u32>(file, crc32c(file, fileBytes), CRC);
}

/** First word of the header that is not as it must be for this model (the length counts as 2, what lies in it as 4); −1: none. */
export function refusal(at: usize, bytes: i32): i32 {
  if (bytes < HEADER_BYTES || load<u32>(at) != MAGIC) return 0;
  if (<i32>load<u16>(at, 4) != VERSION) return 1;
  if (load<i32>(at, BYTES) != bytes) return 2;
  if (crc(at, bytes) != load<u32>(at, CRC)) return 6;
  if (load<u32>(at, STRUCTURE) != checkpoint.structure()) return 3;
  const length = load<i32>(at, STATE_BYTES);
  if (length != checkpoint.bytes()) return 5;
  const state = HEADER_BYTES + <i32>load<u16>(at, ENTRIES) * ENTRY_BYTES;
  if (load<i32>(at, STATE) != state || state + length != bytes) return 4;
  return checkpoint.mismatch(at + <usize>state) < 0 ? -1 : 4;
}

/** Check value of a file; its own word counts as zero. */
function crc(at: usize, bytes: i32): u32 {
  const told = load<u32>(at, CRC);
  store<u32>(at, 0, CRC);
  const found = crc32c(at, bytes);
  store<u32>(at, told, CRC);
  return found;
}

/** Takes the state of a file that nothing speaks against. */
export function take(at: usize): void {
  memory.copy(checkpoint.state, at + <usize>load<i32>(at, STATE), checkpoint.bytes());
}

/** Takes the file that was given before `init`. Errors: STATE_MISMATCH (where: refusal()) */
export function takeGiven(): void {
  const word = refusal(given, givenBytes);
  if (word >= 0) fail(STATE_MISMATCH, word, load<i32>(given + ((<usize>word) << 2)), 0);
  take(given);
}
