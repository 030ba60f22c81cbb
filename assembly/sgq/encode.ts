// Intrinsic 65: bit planes to a payload.
import * as check from "../int8/check";
import * as jobs from "./check";
import { ALL_TAPS, gather } from "./contexts";
import {
  JOB_CAPACITY,
  JOB_H,
  JOB_LENGTH,
  JOB_LOW,
  JOB_OUT,
  JOB_PLANES,
  JOB_RANGE,
  JOB_RECORDS,
  JOB_SCRATCH,
  JOB_STRINGS,
  JOB_VALID,
  JOB_W,
  mapWords,
  pitchOf,
  RECORD_BYTES,
  RECORD_PREVIOUS,
  RECORD_TABLE,
  RECORD_TAP_LIST,
  RECORD_TAPS,
  stringWords,
  wordsAbove,
} from "./layout";

/** Below it, a byte of the range is known. */
export const RANGE_MIN: u32 = 1 << 24;

/**
 * Adds 1 to the bytes between `out` and `end`. One of them takes it, what is written being a fraction below 1; a coder whose state
 * somebody spoilt loses it.
 */
export function carry(out: usize, end: usize): void {
  while (end > out) {
    const value = <u32>load<u8>(--end) + 1;
    store<u8>(end, value);
    if (value < 256) return;
  }
}

/**
 * Writes bytes until the range has 24 bits again, with the job's low as it was behind the byte before, and a carry if it has overflowed
 * since. Returns the range, 0 if the payload is full.
 */
function renew(job: usize, low: u32, range: u32): u32 {
  const out = <usize>load<u32>(job, JOB_OUT);
  let length = load<u32>(job, JOB_LENGTH);
  if (low < load<u32>(job, JOB_LOW)) carry(out, out + length);
  for (; range < RANGE_MIN; low <<= 8, range <<= 8) {
    if (length == load<u32>(job, JOB_CAPACITY)) return 0;
    store<u8>(out + length++, low >> 24);
  }
  store<u32>(job, low, JOB_LOW);
  store<u32>(job, length, JOB_LENGTH);
  return range;
}

// Eight elements as the loop shifts them out, the first from bit 0: those that are not just zeros, and the end of them; from bit 9 on
// those that are ones; a bit by which the end is told.
const ELEMENTS: u32 = 0x80000100;
const IS_RARE: u32 = 1;
const IS_ONE: u32 = 1 << 9;
const IS_END: u32 = 1 << 23;

/**
 * Codes all planes of a sample behind what the job's coder has written, and leaves the coder ready for more.
 * Returns 1; or 0 if the payload would become longer than the job's capacity (its bytes are then of no use), or if the coder has no
 * range.
 */
export function sgqEncode(job: usize): i32 {
  check.start(65);
  jobs.job(job);
  jobs.coding(job);
  const low = load<u32>(job, JOB_LOW);
  const length = load<u32>(job, JOB_LENGTH);
  const range = encode(job, low, load<u32>(job, JOB_RANGE));
  if (range) {
    store<u32>(job, range, JOB_RANGE);
    return 1;
  }
  store<u32>(job, low, JOB_LOW);
  store<u32>(job, length, JOB_LENGTH);
  return 0;
}

/**
 * The same, checked. A zero takes from the range what it adds to low, so that `high`, their sum, stays: only when bytes are known
 * somebody asks for low. Returns the range, 0 if the payload is full.
 */
function encode(job: usize, low: u32, range: u32): u32 {
  const valid = <usize>load<u32>(job, JOB_VALID);
  const scratch = <usize>load<u32>(job, JOB_SCRATCH);
  const w = load<i32>(job, JOB_W);
  const h = load<i32>(job, JOB_H);
  const planes = load<i32>(job, JOB_PLANES);
  const stringBytes = (<usize>stringWords(h, w)) << 2;
  const before = (<usize>wordsAbove(w)) << 2;
  const end = (<usize>mapWords(h, w)) << 2;
  let record = <usize>load<u32>(job, JOB_RECORDS);
  let own = <usize>load<u32>(job, JOB_STRINGS);
  let high = low + range;

  for (let i = 0; i < planes; ++i, record += RECORD_BYTES, own += stringBytes) {
    const table = <usize>load<u32>(record, RECORD_TABLE);
    const list = <usize>load<u32>(record, RECORD_TAP_LIST);
    const taps = <i32>load<u8>(record, RECORD_TAPS);
    const previous = <i32>load<i16>(record, RECORD_PREVIOUS);
    const map = own + before;
    // without a plane before, the valid map once more
    const lower = previous < 0 ? valid : map - <usize>(i - previous) * stringBytes;
    for (let at: usize = 0; at < end; at += 4) {
      const mask = load<u32>(valid + at) & load<u32>(lower + at);
      if (!mask) continue;
      const bit = <i32>((before + at) << 3);
      const any = gather(list, taps, i, own, stringBytes, pitchOf(w), bit, ALL_TAPS, scratch);
      const bits = load<u32>(map + at);
      if (!any && !(bits & mask)) {
        // where a map is empty: zeros of one probability
        const factor = ((<u32>load<u8>(table)) << 1) | 1;
        for (let left = popcnt(mask); left; --left) {
          range -= (range >> 9) * factor;
          if (range < RANGE_MIN) {
            range = renew(job, high - range, range);
            if (!range) return 0;
            high = load<u32>(job, JOB_LOW) + range;
          }
        }
        continue;
      }
      const state =
        taps > 8
          ? code(job, high, range, table, scratch, mask, bits, true)
          : code(job, high, range, table, scratch, mask, bits, false);
      range = <u32>state;
      if (!range) return 0;
      high = <u32>(state >> 32);
    }
  }
  low = high - range;
  if (low < load<u32>(job, JOB_LOW)) {
    const out = <usize>load<u32>(job, JOB_OUT);
    carry(out, out + load<u32>(job, JOB_LENGTH));
  }
  store<u32>(job, low, JOB_LOW);
  return range;
}

/** Codes those of 32 bits whose mask is 1. Returns high and, in the low word, the range; that is 0 if the payload is full. */
// @ts-ignore: decorator
@inline
function code(
  job: usize,
  high: u32,
  range: u32,
  table: usize,
  contexts: usize,
  mask: u32,
  bits: u32,
  wide: bool,
): u64 {
  // element 8b + r lies at 4r + b
  for (let cells = contexts, left = mask; left; ++cells, left >>= 8, bits >>= 8) {
    let elements = ((bits | ~left) & 255) | ((bits & left & 255) << 9) | ELEMENTS;
    for (let cell = cells; ; cell += 4, elements >>= 1) {
      if (elements & IS_RARE) {
        if (elements & IS_ONE) {
          const bound = boundOf(range, table, cell, wide);
          high -= range - bound;
          range = bound;
        } else if (elements & IS_END) break;
      } else range -= boundOf(range, table, cell, wide);
      if (range < RANGE_MIN) {
        range = renew(job, high - range, range);
        if (!range) return 0;
        high = load<u32>(job, JOB_LOW) + range;
      }
    }
  }
  return ((<u64>high) << 32) | range;
}

/** Where a range is cut for the context at `cell`. */
// @ts-ignore: decorator
@inline
function boundOf(range: u32, table: usize, cell: usize, wide: bool): u32 {
  const context = wide ? <usize>load<u8>(cell) | ((<usize>load<u8>(cell, 32)) << 8) : <usize>load<u8>(cell);
  return (((<u32>load<u8>(table + context)) << 1) | 1) * (range >> 9);
}
