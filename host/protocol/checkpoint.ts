// A model's learned state as docs/abi.md lays it out ("Learned state"): its header, which says whose it is, and what hosts check
// before a device takes one. Mirrored by assembly/octo/checkpoint.ts and boards/runtime/requests.c.
import { crc32c } from "./crc32c.ts";
import { errorCode, type Fault } from "./errors.ts";

/** "OCKP". */
export const STATE_MAGIC = 0x504b434f;
export const STATE_VERSION = 1;
export const STATE_HEADER_BYTES = 32;

/** Words of the header that must agree between a state and the model that takes it. */
const MARKS = 4;
const CRC_WORD = 6;
const CRC_AT = 4 * CRC_WORD;

export interface StateHeader {
  bytes: number;
  /** Digest of layers, shapes and options. */
  structure: number;
  /** Training steps that the state has seen. */
  step: number;
  seed: number;
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Whether these bytes are laid out as a checkpoint; other modules may keep what they like. */
export function isState(bytes: Uint8Array): boolean {
  return bytes.length >= STATE_HEADER_BYTES && viewOf(bytes).getUint32(0, true) === STATE_MAGIC;
}

/** The header of a state. The caller knows that it is one. */
export function stateHeader(state: Uint8Array): StateHeader {
  const view = viewOf(state);
  const [bytes, structure, step, seed] = [8, 12, 16, 20].map((at) => view.getUint32(at, true));
  return { bytes: bytes!, structure: structure!, step: step!, seed: seed! };
}

/** CRC-32C of a state whose check value counts as zero. */
function checkValue(state: Uint8Array): number {
  const head = new Uint8Array(state.subarray(0, STATE_HEADER_BYTES));
  viewOf(head).setUint32(CRC_AT, 0, true);
  return crc32c(state.subarray(STATE_HEADER_BYTES), crc32c(head));
}

/** A copy with its check value, for a way on which bytes can be lost. */
export function sealState(state: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(state);
  viewOf(sealed).setUint32(CRC_AT, checkValue(state), true);
  return sealed;
}

/** A copy without its check value, as it lies in a module. */
export function openState(state: Uint8Array): Uint8Array {
  const open = new Uint8Array(state);
  viewOf(open).setUint32(CRC_AT, 0, true);
  return open;
}

/** What keeps a state from the model that has `own`; null if nothing does. A check value of 0 says nothing. */
export function stateFault(state: Uint8Array, own: Uint8Array): Fault | null {
  const view = viewOf(state);
  const want = viewOf(own);
  const mismatch = (where: number, got: number, wanted: number): Fault => ({
    code: errorCode("state-mismatch") as number,
    where,
    got,
    want: wanted,
  });
  for (let word = 0; word < MARKS; word++) {
    const [got, wanted] = [view.getInt32(4 * word, true), want.getInt32(4 * word, true)];
    if (got !== wanted) return mismatch(word, got, wanted);
  }
  const told = view.getUint32(CRC_AT, true);
  const found = told === 0 ? 0 : checkValue(state);
  return told === found ? null : mismatch(CRC_WORD, told | 0, found | 0);
}
