// Argument checks of the intrinsics of `octo_sgq_1`, on top of those that all families share. The C twins (sgq_check.c) make
// the same ones in the same order.
import { BAD_SHAPE } from "../device/errors";
import * as check from "../int8/check";
import {
  JOB_BYTES,
  JOB_CAPACITY,
  JOB_H,
  JOB_LENGTH,
  JOB_OUT,
  JOB_PLANES,
  JOB_RECORDS,
  JOB_SCRATCH,
  JOB_STRINGS,
  JOB_VALID,
  JOB_W,
  MARGIN,
  MAX_TAPS,
  mapWords,
  RECORD_BYTES,
  RECORD_CHANNEL,
  RECORD_PREVIOUS,
  RECORD_TABLE,
  RECORD_TAP_LIST,
  RECORD_TAPS,
  SCRATCH_BYTES,
  stringWords,
} from "./layout";

/** Largest side of a map; most planes of a codebook. */
export const MAX_SIDE: i32 = 1024;
export const MAX_PLANES: i32 = 3840;
/** A tap's place is (dy + 2) · 8 + dx + 3: the last that there is, and the last before the element itself. */
export const LAST_PLACE: i32 = 30;
export const BEFORE: i32 = 18;

/** Struct, sides, number of planes; then where records, valid map and strings lie. */
export function job(at: usize): void {
  check.struct(at, JOB_BYTES);
  const h = load<i32>(at, JOB_H);
  const w = load<i32>(at, JOB_W);
  const planes = load<i32>(at, JOB_PLANES);
  check.within(BAD_SHAPE, h, 1, MAX_SIDE);
  check.within(BAD_SHAPE, w, 1, MAX_SIDE);
  check.within(BAD_SHAPE, planes, 0, MAX_PLANES);
  check.pointer(<usize>load<u32>(at, JOB_RECORDS), <u64>(planes * RECORD_BYTES), 4);
  check.pointer(<usize>load<u32>(at, JOB_VALID), <u64>(mapWords(h, w) << 2), 4);
  check.pointer(<usize>load<u32>(at, JOB_STRINGS), stringsBytes(at), 4);
}

/** Bytes of all strings of a job: at most 3,840 · 2^18. */
export function stringsBytes(at: usize): u64 {
  return <u64>(stringWords(load<i32>(at, JOB_H), load<i32>(at, JOB_W)) << 2) * <u64>load<i32>(at, JOB_PLANES);
}

/** Every plane's channel lies below `channels`. */
export function channels(at: usize, channels: i32): void {
  const records = <usize>load<u32>(at, JOB_RECORDS);
  for (let i = 0, n = load<i32>(at, JOB_PLANES); i < n; ++i) {
    check.within(BAD_SHAPE, load<i16>(records + <usize>(i * RECORD_BYTES), RECORD_CHANNEL), 0, channels - 1);
  }
}

/**
 * Scratch and payload, which share no byte with what is read beside them; then every plane's previous plane, taps and table.
 * A tap of the plane itself reads what was coded before the element.
 */
export function coding(at: usize): void {
  const scratch = <usize>load<u32>(at, JOB_SCRATCH);
  check.pointer(scratch, SCRATCH_BYTES, 4);
  const capacity = load<i32>(at, JOB_CAPACITY);
  check.count(capacity);
  check.within(BAD_SHAPE, load<i32>(at, JOB_LENGTH), 0, capacity);
  const out = <usize>load<u32>(at, JOB_OUT);
  check.pointer(out, <u64>capacity, 1);
  check.apart(out, <u64>capacity, scratch, SCRATCH_BYTES);
  const records = <usize>load<u32>(at, JOB_RECORDS);
  const planes = load<i32>(at, JOB_PLANES);
  written(at, at, JOB_BYTES);
  written(at, records, <u64>(planes * RECORD_BYTES));
  written(
    at,
    <usize>load<u32>(at, JOB_VALID),
    <u64>(mapWords(load<i32>(at, JOB_H), load<i32>(at, JOB_W)) << 2),
  );
  written(at, <usize>load<u32>(at, JOB_STRINGS), stringsBytes(at));
  const first = min(scratch, out);
  const end = max(scratch + SCRATCH_BYTES, out + <usize>capacity);
  for (let i = 0; i < planes; ++i) plane(at, records + <usize>(i * RECORD_BYTES), i, first, end);
}

/** Plane i: what is right, which is nearly always so, takes few calls. What is written lies between `first` and `end`. */
function plane(job: usize, record: usize, i: i32, first: usize, end: usize): void {
  const previous = <i32>load<i16>(record, RECORD_PREVIOUS);
  if ((previous < -1) | (previous >= i)) check.within(BAD_SHAPE, previous, -1, i - 1);
  const taps = <i32>load<u8>(record, RECORD_TAPS);
  if (<u32>(taps - 1) >= <u32>MAX_TAPS) check.within(BAD_SHAPE, taps, 1, MAX_TAPS);
  const list = <usize>load<u32>(record, RECORD_TAP_LIST);
  const table = <usize>load<u32>(record, RECORD_TABLE);
  check.pointer(list, <u64>(taps << 1), 1);
  check.pointer(table, 1 << taps, 1);
  const behind = list + <usize>(taps << 1);
  if (behind > first && list < end) written(job, list, <u64>(taps << 1));
  if (table + (1 << taps) > first && table < end) written(job, table, 1 << taps);
  for (let tap = list; tap < behind; tap += 2) {
    const place = <i32>load<u8>(tap, 1);
    if (place > BEFORE) check.within(BAD_SHAPE, place, 0, load<u8>(tap) ? LAST_PLACE : BEFORE);
    if ((place & 7) == 7) check.within(BAD_SHAPE, place & 7, 0, MARGIN + MARGIN);
  }
}

/** What is read shares no byte with scratch and payload, which are written. */
function written(job: usize, at: usize, bytes: u64): void {
  check.apart(<usize>load<u32>(job, JOB_SCRATCH), SCRATCH_BYTES, at, bytes);
  check.apart(<usize>load<u32>(job, JOB_OUT), <u64>load<i32>(job, JOB_CAPACITY), at, bytes);
}
