// Intrinsic 64: features to bit planes.
import * as check from "../int8/check";
import { TENSOR_BYTES, TENSOR_C, TENSOR_H, TENSOR_PITCH, TENSOR_W } from "../int8/structs";
import { BAD_SHAPE } from "../device/errors";
import { fail } from "../device/host";
import * as jobs from "./check";
import {
  JOB_BYTES,
  JOB_H,
  JOB_PLANES,
  JOB_RECORDS,
  JOB_STRINGS,
  JOB_VALID,
  JOB_W,
  MARGIN,
  mapWords,
  RECORD_BYTES,
  RECORD_CHANNEL,
  RECORD_THRESHOLD,
  stringWords,
  wordsAbove,
} from "./layout";

/** Elements that are told at a time. */
const CHUNK: i32 = 24;

/**
 * Sets the bits of every plane to x > threshold where the job's valid map is 1; other bits stay (SGQ, skipped patches).
 *
 * @param xT tensor [h, w, c] of the job's rows and columns, @param x int8 NHWC
 */
export function sgqQuantize(job: usize, xT: usize, x: usize): void {
  check.start(64);
  jobs.job(job);
  check.tensorStruct(xT);
  check.tensorShape(xT);
  const h = load<i32>(job, JOB_H);
  const w = load<i32>(job, JOB_W);
  if (load<i32>(xT, TENSOR_H) != h) fail(BAD_SHAPE, 64, load<i32>(xT, TENSOR_H), h);
  if (load<i32>(xT, TENSOR_W) != w) fail(BAD_SHAPE, 64, load<i32>(xT, TENSOR_W), w);
  const c = load<i32>(xT, TENSOR_C);
  jobs.channels(job, c);
  check.pointer(x, check.tensorBytes(xT, 1), 1);
  const strings = <usize>load<u32>(job, JOB_STRINGS);
  const valid = <usize>load<u32>(job, JOB_VALID);
  const records = <usize>load<u32>(job, JOB_RECORDS);
  const planes = load<i32>(job, JOB_PLANES);
  const bytes = jobs.stringsBytes(job);
  check.apart(strings, bytes, job, JOB_BYTES);
  check.apart(strings, bytes, xT, TENSOR_BYTES);
  check.apart(strings, bytes, x, check.tensorBytes(xT, 1));
  check.apart(strings, bytes, valid, <u64>(mapWords(h, w) << 2));
  check.apart(strings, bytes, records, <u64>(planes * RECORD_BYTES));

  const stringBytes = (<usize>stringWords(h, w)) << 2;
  for (let i = 0; i < planes; ++i) {
    const record = records + <usize>(i * RECORD_BYTES);
    const threshold = <i32>load<i16>(record, RECORD_THRESHOLD);
    let out = strings + <usize>i * stringBytes + ((<usize>wordsAbove(w)) << 2);
    let mask = valid;
    let row = x + <usize>load<i16>(record, RECORD_CHANNEL);
    let bits: u32 = 0;
    let position: u32 = 0;
    for (let y = 0; y < h; ++y, row += <usize>load<i32>(xT, TENSOR_PITCH)) {
      let at = row;
      for (let left = w; left; ) {
        // a chunk and the margin behind a row are less than a word: one word at most gets full
        const count = min(left, CHUNK);
        left -= count;
        let chunk: u32 = 0;
        for (let i = 0; i < count; ++i, at += <usize>c) chunk |= (<u32>(<i32>load<i8>(at) > threshold)) << i;
        // columns behind the row are never valid
        const step = left ? count : count + MARGIN;
        bits |= chunk << position;
        position += step;
        if (position < 32) continue;
        position -= 32;
        merge(out, bits, load<u32>(mask));
        bits = chunk >> (step - position);
        out += 4;
        mask += 4;
      }
    }
    if (position) merge(out, bits, load<u32>(mask));
  }
}

// @ts-ignore: decorator
@inline
function merge(at: usize, bits: u32, mask: u32): void {
  const old = load<u32>(at);
  store<u32>(at, old ^ ((old ^ bits) & mask));
}
