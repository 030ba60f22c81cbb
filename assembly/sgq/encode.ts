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
 * Codes all planes of a sample behind what the job's coder has written, and leaves the coder ready for more.
 * Returns 1; or 0 if the payload would become longer than the job's capacity (its bytes are then of no use).
 */
export function sgqEncode(job: usize): i32 {
  check.start(65);
  jobs.job(job);
  jobs.coding(job);
  const records = <usize>load<u32>(job, JOB_RECORDS);
  const valid = <usize>load<u32>(job, JOB_VALID);
  const strings = <usize>load<u32>(job, JOB_STRINGS);
  const scratch = <usize>load<u32>(job, JOB_SCRATCH);
  const out = <usize>load<u32>(job, JOB_OUT);
  const h = load<i32>(job, JOB_H);
  const w = load<i32>(job, JOB_W);
  const planes = load<i32>(job, JOB_PLANES);
  const capacity = <u32>load<i32>(job, JOB_CAPACITY);
  const pitch = pitchOf(w);
  const stringBytes = (<usize>stringWords(h, w)) << 2;
  const first = wordsAbove(w) << 5;
  const words = mapWords(h, w);
  let low = load<u32>(job, JOB_LOW);
  let range = load<u32>(job, JOB_RANGE);
  let length = load<u32>(job, JOB_LENGTH);

  for (let i = 0; i < planes; ++i) {
    const record = records + <usize>(i * RECORD_BYTES);
    const table = <usize>load<u32>(record, RECORD_TABLE);
    const wide = load<u8>(record, RECORD_TAPS) > 8;
    const before = <i32>load<i16>(record, RECORD_PREVIOUS);
    const map = strings + (<usize>first >> 3);
    const own = map + <usize>i * stringBytes;
    for (let word = 0; word < words; ++word) {
      const at = (<usize>word) << 2;
      let mask = load<u32>(valid + at);
      if (before >= 0) mask &= load<u32>(map + <usize>before * stringBytes + at);
      if (!mask) continue;
      const any = gather(records, i, strings, stringBytes, pitch, first + (word << 5), ALL_TAPS, scratch);
      let bits = load<u32>(own + at);
      if (!(any | (bits & mask))) {
        // where a map is empty: zeros of one probability
        const factor = ((<u32>load<u8>(table)) << 1) + 1;
        for (let left = popcnt(mask); left; --left) {
          const bound = (range >> 9) * factor;
          low += bound;
          range -= bound;
          if (low < bound) carry(out, out + length);
          while (range < RANGE_MIN) {
            if (length == capacity) return 0;
            store<u8>(out + length++, low >> 24);
            low <<= 8;
            range <<= 8;
          }
        }
        continue;
      }
      // element 8b + r lies at 4r + b
      for (let cells = scratch; mask; ++cells) {
        for (let cell = cells, end = cells + 32; cell < end; cell += 4, mask >>= 1, bits >>= 1) {
          if (!(mask & 1)) continue;
          let context = <usize>load<u8>(cell);
          if (wide) context |= (<usize>load<u8>(cell, 32)) << 8;
          const bound = (range >> 9) * (((<u32>load<u8>(table + context)) << 1) + 1);
          if (bits & 1) range = bound;
          else {
            low += bound;
            range -= bound;
            if (low < bound) carry(out, out + length);
          }
          while (range < RANGE_MIN) {
            if (length == capacity) return 0;
            store<u8>(out + length++, low >> 24);
            low <<= 8;
            range <<= 8;
          }
        }
      }
    }
  }
  store<u32>(job, low, JOB_LOW);
  store<u32>(job, range, JOB_RANGE);
  store<u32>(job, length, JOB_LENGTH);
  return 1;
}
