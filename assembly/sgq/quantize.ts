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
  mapWords,
  pitchOf,
  RECORD_BYTES,
  RECORD_CHANNEL,
  RECORD_THRESHOLD,
  stringWords,
  wordsAbove,
} from "./layout";

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
    let bit: u32 = 0;
    for (let y = 0; y < h; ++y, row += <usize>load<i32>(xT, TENSOR_PITCH)) {
      let at = row;
      // columns behind the row are never valid: their bits may be anything
      for (let left = pitchOf(w); left; --left) {
        if (left > pitchOf(0)) {
          bits |= (<u32>(<i32>load<i8>(at) > threshold)) << bit;
          at += <usize>c;
        }
        if (++bit == 32) {
          merge(out, bits, load<u32>(mask));
          out += 4;
          mask += 4;
          bits = 0;
          bit = 0;
        }
      }
    }
    if (bit) merge(out, bits, load<u32>(mask));
  }
}

// @ts-ignore: decorator
@inline
function merge(at: usize, bits: u32, mask: u32): void {
  const old = load<u32>(at);
  store<u32>(at, old ^ ((old ^ bits) & mask));
}
