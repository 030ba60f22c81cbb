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

/** Pixels that are told at a time. */
const CHUNK: i32 = 16;
/** Channels that are told at a time. */
const LANES: i32 = 4;
const SIGNS: u32 = 0x80808080;
const EVEN: u32 = 0x00ff00ff;

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

  const out = strings + ((<usize>wordsAbove(w)) << 2);
  const stringBytes = (<usize>stringWords(h, w)) << 2;
  let scalar = 0;
  for (; scalar + LANES <= c; scalar += LANES) quantizeQuad(job, xT, x + <usize>scalar, scalar);
  for (let i = 0; i < planes; ++i) {
    const record = records + <usize>(i * RECORD_BYTES);
    const channel = <i32>load<i16>(record, RECORD_CHANNEL);
    if (channel >= scalar)
      quantizePlane(
        job,
        xT,
        x + <usize>channel,
        out + <usize>i * stringBytes,
        load<i16>(record, RECORD_THRESHOLD),
      );
  }
}

/** Sets the bits of a plane, whose channel's elements begin at x. */
function quantizePlane(job: usize, xT: usize, x: usize, out: usize, threshold: i32): void {
  const c = load<i32>(xT, TENSOR_C);
  const w = load<i32>(xT, TENSOR_W);
  let position = 0;
  for (let y = load<i32>(xT, TENSOR_H); y; --y, x += <usize>load<i32>(xT, TENSOR_PITCH)) {
    let at = x;
    for (let left = w; left > 0; left -= CHUNK) {
      let bits: u32 = 0;
      for (let i = 0, n = min(left, CHUNK); i < n; ++i, at += <usize>c)
        bits |= (<u32>(<i32>load<i8>(at) > threshold)) << i;
      const from = byteOf(job, position);
      const shift = position - (from << 3);
      put(out + <usize>from, bits << shift, maskOf(job, from, shift, left));
      position += bitsOf(left);
    }
  }
}

/** Bits of a chunk: of the margin too, if it is the last of a row, of which `left` pixels are not told yet. */
// @ts-ignore: decorator
@inline
function bitsOf(left: i32): i32 {
  return left > CHUNK ? CHUNK : left + MARGIN;
}

/** Byte of a map from which on a word has the chunk at bit `position`: at most 19 bits and seven before them, and none behind the map. */
// @ts-ignore: decorator
@inline
function byteOf(job: usize, position: i32): i32 {
  return min(position >> 3, (mapWords(load<i32>(job, JOB_H), load<i32>(job, JOB_W)) - 1) << 2);
}

/** Valid bits of the chunk in that word. */
// @ts-ignore: decorator
@inline
function maskOf(job: usize, from: i32, shift: i32, left: i32): u32 {
  const chunk: u32 = (1 << bitsOf(left)) - 1;
  return load<u32>(<usize>load<u32>(job, JOB_VALID) + <usize>from) & (chunk << shift);
}

// @ts-ignore: decorator
@inline
function put(at: usize, bits: u32, mask: u32): void {
  const old = load<u32>(at);
  store<u32>(at, old ^ ((old ^ bits) & mask));
}

/** Planes of the channels `first` … `first` + 3, whose elements begin at x: one of each at a time as long as there are some. */
function quantizeQuad(job: usize, xT: usize, x: usize, first: i32): void {
  const planes = load<i32>(job, JOB_PLANES);
  for (let a = 0, b = 0, c = 0, d = 0; ; ) {
    a = find(job, a, first);
    b = find(job, b, first + 1);
    c = find(job, c, first + 2);
    d = find(job, d, first + 3);
    if (min(min(a, b), min(c, d)) > planes) return;
    quantizeLanes(job, xT, x, a, b, c, d);
  }
}

/** Number + 1 of the first plane from number `from` on that has this channel; more than there are planes if none has. */
function find(job: usize, from: i32, channel: i32): i32 {
  const records = <usize>load<u32>(job, JOB_RECORDS);
  const planes = load<i32>(job, JOB_PLANES);
  for (; from < planes; ++from)
    if (load<i16>(records + <usize>(from * RECORD_BYTES), RECORD_CHANNEL) == channel) break;
  return from + 1;
}

/** Threshold of plane number n − 1; of no plane, or if no byte shows its limit, one that is never passed. */
function thresholdOf(job: usize, n: i32): i32 {
  if (n > load<i32>(job, JOB_PLANES)) return 127;
  return load<i16>(<usize>load<u32>(job, JOB_RECORDS) + <usize>((n - 1) * RECORD_BYTES), RECORD_THRESHOLD);
}

/** Where the map of plane number n − 1 lies, 0 if there is none. */
function mapOf(job: usize, n: i32): usize {
  if (n > load<i32>(job, JOB_PLANES)) return 0;
  const w = load<i32>(job, JOB_W);
  const words = <usize>(n - 1) * <usize>stringWords(load<i32>(job, JOB_H), w) + <usize>wordsAbove(w);
  return <usize>load<u32>(job, JOB_STRINGS) + (words << 2);
}

/** Four planes (numbers + 1) of neighbouring channels. */
function quantizeLanes(job: usize, xT: usize, x: usize, a: i32, b: i32, c: i32, d: i32): void {
  const map0 = mapOf(job, a);
  const map1 = mapOf(job, b);
  const map2 = mapOf(job, c);
  const map3 = mapOf(job, d);
  // x > threshold if the byte x ^ 128 carries when 127 − threshold, 1 … 255, is added to it
  const add =
    ((127 - thresholdOf(job, a)) & 255) |
    (((127 - thresholdOf(job, b)) & 255) << 8) |
    (((127 - thresholdOf(job, c)) & 255) << 16) |
    ((127 - thresholdOf(job, d)) << 24);
  const pixel = <usize>load<i32>(xT, TENSOR_C);
  let position = 0;
  for (let y = load<i32>(xT, TENSOR_H); y; --y, x += <usize>load<i32>(xT, TENSOR_PITCH)) {
    let at = x;
    for (let left = load<i32>(xT, TENSOR_W); left > 0; left -= CHUNK, at += CHUNK * pixel) {
      const low = above(at, pixel, min(left, 8), add);
      const high = left > 8 ? above(at + 8 * pixel, pixel, min(left - 8, 8), add) : 0;
      // 16 pixels of lanes 0 and 2, and of lanes 1 and 3
      const even = (low & EVEN) | ((high & EVEN) << 8);
      const odd = ((low >> 8) & EVEN) | (high & ~EVEN);
      const from = byteOf(job, position);
      const shift = position - (from << 3);
      const mask = maskOf(job, from, shift, left);
      position += bitsOf(left);
      if (map0) put(map0 + <usize>from, (even & 0xffff) << shift, mask);
      if (map1) put(map1 + <usize>from, (odd & 0xffff) << shift, mask);
      if (map2) put(map2 + <usize>from, (even >> 16) << shift, mask);
      if (map3) put(map3 + <usize>from, (odd >> 16) << shift, mask);
    }
  }
}

/** Whether the bytes at x carry, for `count` pixels, at most eight: pixel i in bit i of each byte. */
function above(x: usize, pixel: usize, count: i32, add: u32): u32 {
  // the highest bit carries if two of three are 1: its own (not that of x), that of `add`, and what the other bits carry
  const both = add & SIGNS;
  const rest = add & ~SIGNS;
  let run: u32 = 0;
  for (let left = count; left; --left, x += pixel) {
    const bytes = load<u32>(x);
    run = (run >> 1) | ((bytes ^ ~both) & (((bytes & ~SIGNS) + rest) ^ both) & SIGNS);
  }
  return (run >> (8 - count)) ^ ((both >> 7) * ((1 << count) - 1));
}
