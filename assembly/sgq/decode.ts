// A payload to bit planes: what intrinsic 65 wrote.
import { boundOf, CODER_RANGE, next } from "./coder";
import { bitsAt, gather, KNOWN_TAPS } from "./contexts";
import { RANGE_MIN } from "./encode";
import {
  JOB_H,
  JOB_LOW,
  JOB_PLANES,
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

/** Place of a tap in the row of its element, dx = 0: (dy + 2) · 8 + 3. */
const HERE: u32 = 19;

/**
 * Decodes all planes of a sample. Elements that the valid map leaves out keep the bits that they have. The job was checked when its
 * codebook was opened (book.ts); its valid map has a word more, which is read and of no consequence.
 */
export function decodePlanes(job: usize): void {
  const records = <usize>load<u32>(job, JOB_RECORDS);
  const h = load<i32>(job, JOB_H);
  const w = load<i32>(job, JOB_W);
  const stringBytes = (<usize>stringWords(h, w)) << 2;
  const strings = <usize>load<u32>(job, JOB_STRINGS);
  for (let i = 0, n = load<i32>(job, JOB_PLANES); i < n; ++i) {
    const own = strings + <usize>i * stringBytes + ((<usize>wordsAbove(w)) << 2);
    clear(own, <usize>load<u32>(job, JOB_VALID), mapWords(h, w));
    decodePlane(job, records, i, stringBytes);
  }
}

/** Zeros where elements will be decoded. */
function clear(map: usize, valid: usize, words: i32): void {
  for (let at: usize = 0, end = (<usize>words) << 2; at < end; at += 4)
    store<u32>(map + at, load<u32>(map + at) & ~load<u32>(valid + at));
}

/** Contexts of 32 elements of a row at a time; the taps that read the row itself are added bit by bit. */
function decodePlane(job: usize, records: usize, index: i32, stringBytes: usize): void {
  const record = records + <usize>(index * RECORD_BYTES);
  const table = <usize>load<u32>(record, RECORD_TABLE);
  const taps = <i32>load<u8>(record, RECORD_TAPS);
  const list = <usize>load<u32>(record, RECORD_TAP_LIST);
  const before = <i32>load<i16>(record, RECORD_PREVIOUS);
  const strings = <usize>load<u32>(job, JOB_STRINGS);
  const valid = <usize>load<u32>(job, JOB_VALID);
  const scratch = <usize>load<u32>(job, JOB_SCRATCH);
  const h = load<i32>(job, JOB_H);
  const w = load<i32>(job, JOB_W);
  const pitch = pitchOf(w);
  const first = wordsAbove(w) << 5;
  const own = strings + <usize>index * stringBytes;
  // masks of the taps that read one, two or three columns to the left
  let left1: u32 = 0;
  let left2: u32 = 0;
  let left3: u32 = 0;
  for (let k = 0; k < taps; ++k) {
    if (load<u8>(list + <usize>(k << 1))) continue;
    const back = HERE - <u32>load<u8>(list + <usize>(k << 1), 1);
    if (back == 1) left1 |= 1 << k;
    if (back == 2) left2 |= 1 << k;
    if (back == 3) left3 |= 1 << k;
  }
  // the decoder's state, out of memory but for the bytes that it reads
  const coder = job + JOB_LOW;
  let code = load<u32>(coder);
  let range = load<u32>(coder, CODER_RANGE);
  for (let y = 0; y < h; ++y) {
    for (let x0 = 0; x0 < w; x0 += 32) {
      const at = first + y * pitch + x0;
      const n = min(32, w - x0);
      let mask = bitsAt(valid, at - first) & <u32>(((<u64>1) << n) - 1);
      if (before >= 0) mask &= bitsAt(strings + <usize>before * stringBytes, at);
      if (!mask) continue;
      gather(list, taps, index, own, stringBytes, pitch, at, KNOWN_TAPS, scratch);
      // bits 2, 1 and 0 of `row` are the three columns before x
      const known = bitsAt(own, at);
      let row = bitsAt(own, at - 3) & 7;
      row = (row >> 2) | (row & 2) | ((row & 1) << 2);
      let decoded: u32 = 0;
      for (let x = 0; x < n; ++x) {
        let bit = (known >> x) & 1;
        if ((mask >> x) & 1) {
          const cell = scratch + ((<usize>x & 7) << 2) + (<usize>x >> 3);
          let context = <u32>load<u8>(cell);
          if (taps > 8) context |= (<u32>load<u8>(cell, 32)) << 8;
          context |= (left1 & -(row & 1)) | (left2 & -((row >> 1) & 1)) | (left3 & -((row >> 2) & 1));
          const bound = boundOf(range, <u32>load<u8>(table + <usize>context));
          if (code < bound) {
            bit = 1;
            decoded |= 1 << x;
            range = bound;
          } else {
            bit = 0;
            code -= bound;
            range -= bound;
          }
          for (; range < RANGE_MIN; range <<= 8) code = (code << 8) | next(coder);
        }
        row = (row << 1) | bit;
      }
      setBits(own, at, decoded);
    }
  }
  store<u32>(coder, code);
  store<u32>(coder, range, CODER_RANGE);
}

/** Sets those of 32 bits from bit `at` on that are 1 in `bits`. */
function setBits(string: usize, at: i32, bits: u32): void {
  const word = string + ((<usize>at >> 5) << 2);
  const wide = (<u64>bits) << (at & 31);
  store<u32>(word, load<u32>(word) | <u32>wide);
  if (wide >> 32) store<u32>(word, load<u32>(word, 4) | <u32>(wide >> 32), 4);
}
