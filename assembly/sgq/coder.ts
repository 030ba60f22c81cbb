// The range coder of docs/sgq.md outside of the planes' hot loop: one bit at a time, the end, and the decoder. Its state lies in
// memory: low, range, bytes (u32), then the payload's address and its capacity or length, as in a job from JOB_LOW on.
import { carry, RANGE_MIN } from "./encode";

/** Bytes of a coder. */
export const CODER_BYTES: i32 = 20;
const LOW: usize = 0;
export const CODER_RANGE: usize = 4;
const RANGE: usize = CODER_RANGE;
const LENGTH: usize = 8;
const OUT: usize = 12;
const CAPACITY: usize = 16;

/** A coder that has written nothing. */
export function start(coder: usize, out: usize, capacity: i32): void {
  store<u32>(coder, 0, LOW);
  store<u32>(coder, 0xffffffff, RANGE);
  store<u32>(coder, 0, LENGTH);
  store<u32>(coder, <u32>out, OUT);
  store<u32>(coder, <u32>capacity, CAPACITY);
}

/** Where a range of this size is cut for a probability byte. */
// @ts-ignore: decorator
@inline
export function boundOf(range: u32, probability: u32): u32 {
  return (range >> 9) * ((probability << 1) + 1);
}

/** Codes one bit. Returns false if the payload is full. */
export function put(coder: usize, probability: u32, bit: u32): bool {
  let low = load<u32>(coder, LOW);
  let range = load<u32>(coder, RANGE);
  let length = load<u32>(coder, LENGTH);
  const out = <usize>load<u32>(coder, OUT);
  const bound = boundOf(range, probability);
  if (bit) range = bound;
  else {
    low += bound;
    range -= bound;
    if (low < bound) carry(out, out + length);
  }
  for (; range < RANGE_MIN; low <<= 8, range <<= 8) {
    if (length == load<u32>(coder, CAPACITY)) return false;
    store<u8>(out + length++, low >> 24);
  }
  store<u32>(coder, low, LOW);
  store<u32>(coder, range, RANGE);
  store<u32>(coder, length, LENGTH);
  return true;
}

/** Ends the payload. Returns its length, −1 if it does not fit. */
export function finish(coder: usize): i32 {
  const out = <usize>load<u32>(coder, OUT);
  const low = <u64>load<u32>(coder, LOW);
  const end = low + load<u32>(coder, RANGE);
  let length = load<u32>(coder, LENGTH);
  // the fewest bytes of which some continuation by zeros lies in [low, end)
  let value = low;
  let bytes: u32 = 0;
  for (; bytes < 4; ++bytes) {
    const step = (<u64>1) << (32 - (bytes << 3));
    value = (low + step - 1) & ~(step - 1);
    if (value < end) break;
  }
  if (bytes == 4) value = low;
  if (value >> 32) carry(out, out + length);
  for (let left = <u32>value; bytes; --bytes, left <<= 8) {
    if (length == load<u32>(coder, CAPACITY)) return -1;
    store<u8>(out + length++, left >> 24);
  }
  while (length && !load<u8>(out + length - 1)) --length;
  return <i32>length;
}

// The decoder's state: code − low in the place of low, bytes read in that of bytes written, the payload's length.

/** The next byte of the payload, zeros behind its end. */
export function next(coder: usize): u32 {
  const at = load<u32>(coder, LENGTH);
  store<u32>(coder, at + 1, LENGTH);
  return at < load<u32>(coder, CAPACITY) ? <u32>load<u8>(<usize>load<u32>(coder, OUT) + at) : 0;
}

/** A decoder at the beginning of a payload. */
export function open(coder: usize, payload: usize, length: i32): void {
  start(coder, payload, length);
  let code: u32 = 0;
  for (let i = 0; i < 4; ++i) code = (code << 8) | next(coder);
  store<u32>(coder, code, LOW);
}

/** Decodes one bit. */
export function take(coder: usize, probability: u32): u32 {
  let code = load<u32>(coder, LOW);
  let range = load<u32>(coder, RANGE);
  const bound = boundOf(range, probability);
  const bit = <u32>(code < bound);
  if (bit) range = bound;
  else {
    code -= bound;
    range -= bound;
  }
  for (; range < RANGE_MIN; range <<= 8) code = (code << 8) | next(coder);
  store<u32>(coder, code, LOW);
  store<u32>(coder, range, RANGE);
  return bit;
}

/** Whether a payload that was decoded is one that a writer ends so: no zero at its end, nothing behind what was read. */
export function whole(coder: usize): bool {
  const length = load<u32>(coder, CAPACITY);
  if (length > load<u32>(coder, LENGTH)) return false;
  return !length || load<u8>(<usize>load<u32>(coder, OUT) + length - 1) != 0;
}
