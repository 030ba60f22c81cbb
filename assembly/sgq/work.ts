// The memory in which samples of an open codebook are coded: a job, its scratch, the map of what is coded, the planes.
import { Plan } from "./book";
import {
  JOB_BYTES,
  JOB_H,
  JOB_PLANES,
  JOB_RECORDS,
  JOB_SCRATCH,
  JOB_STRINGS,
  JOB_VALID,
  JOB_W,
  mapWords,
  pitchOf,
  RECORD_BYTES,
  RECORD_CHANNEL,
  RECORD_LEVEL,
  SCRATCH_BYTES,
  stringWords,
  wordsAbove,
} from "./layout";

const HEAD_BYTES: i32 = JOB_BYTES + SCRATCH_BYTES;

/** Bytes that `lay` needs for maps of h rows and w columns; the decoder reads a word behind the valid map. */
export function workBytes(planes: i32, h: i32, w: i32): i32 {
  return HEAD_BYTES + ((mapWords(h, w) + 1) << 2) + planes * (stringWords(h, w) << 2);
}

/**
 * Makes a job of workBytes() bytes at `at` (4-aligned) for samples, or slices, of `rows` rows. Everything is coded, all
 * bits are 0.
 */
export function lay(plan: Plan, at: usize, rows: i32): void {
  const w = plan.w;
  memory.fill(at, 0, <usize>workBytes(plan.planes, rows, w));
  store<i32>(at, JOB_BYTES);
  store<i32>(at, rows, JOB_H);
  store<i32>(at, w, JOB_W);
  store<i32>(at, plan.planes, JOB_PLANES);
  store<u32>(at, <u32>plan.records, JOB_RECORDS);
  store<u32>(at, <u32>at + JOB_BYTES, JOB_SCRATCH);
  store<u32>(at, <u32>at + HEAD_BYTES, JOB_VALID);
  store<u32>(at, <u32>at + HEAD_BYTES + ((mapWords(rows, w) + 1) << 2), JOB_STRINGS);
  everything(at);
}

/** Every element is coded. */
export function everything(job: usize): void {
  const valid = <usize>load<u32>(job, JOB_VALID);
  const w = load<i32>(job, JOB_W);
  memory.fill(valid, 0, (<usize>mapWords(load<i32>(job, JOB_H), w)) << 2);
  for (let y = 0, h = load<i32>(job, JOB_H); y < h; ++y) {
    for (let x = 0, at = y * pitchOf(w); x < w; ++x, ++at) setBit(valid, at);
  }
}

/** Only patches that changed are coded: changed[i] != 0, row by row. */
export function changes(job: usize, plan: Plan, changed: usize): void {
  const valid = <usize>load<u32>(job, JOB_VALID);
  const w = plan.w;
  const across = (w + plan.patchW - 1) / plan.patchW;
  memory.fill(valid, 0, (<usize>mapWords(plan.h, w)) << 2);
  for (let y = 0; y < plan.h; ++y) {
    const row = changed + <usize>((y / plan.patchH) * across);
    for (let x = 0, at = y * pitchOf(w); x < w; ++x, ++at) {
      if (load<u8>(row + <usize>(x / plan.patchW))) setBit(valid, at);
    }
  }
}

// @ts-ignore: decorator
@inline
function setBit(string: usize, at: i32): void {
  const byte = string + (<usize>at >> 3);
  store<u8>(byte, <u32>load<u8>(byte) | (1 << (at & 7)));
}

/** Address of the map of plane i: its string behind the rows above. */
// @ts-ignore: decorator
@inline
function mapOf(job: usize, i: i32, h: i32, w: i32): usize {
  return (
    <usize>load<u32>(job, JOB_STRINGS) + ((<usize>i * <usize>stringWords(h, w) + <usize>wordsAbove(w)) << 2)
  );
}

/** Levels [h, w, channels] of the planes: how many of a channel's are 1. */
export function levelsOf(job: usize, channels: i32, levels: usize): void {
  const h = load<i32>(job, JOB_H);
  const w = load<i32>(job, JOB_W);
  const records = <usize>load<u32>(job, JOB_RECORDS);
  memory.fill(levels, 0, <usize>(h * w * channels));
  for (let i = 0, n = load<i32>(job, JOB_PLANES); i < n; ++i) {
    const map = mapOf(job, i, h, w);
    let cell = levels + <usize>load<i16>(records + <usize>(i * RECORD_BYTES), RECORD_CHANNEL);
    for (let y = 0; y < h; ++y) {
      for (let x = 0, at = y * pitchOf(w); x < w; ++x, ++at, cell += <usize>channels)
        store<u8>(cell, <u32>load<u8>(cell) + ((<u32>load<u8>(map + (<usize>at >> 3)) >> (at & 7)) & 1));
    }
  }
}

/** Planes of levels [h, w, channels]. */
export function planesOf(job: usize, channels: i32, levels: usize): void {
  const h = load<i32>(job, JOB_H);
  const w = load<i32>(job, JOB_W);
  const records = <usize>load<u32>(job, JOB_RECORDS);
  for (let i = 0, n = load<i32>(job, JOB_PLANES); i < n; ++i) {
    const record = records + <usize>(i * RECORD_BYTES);
    const map = mapOf(job, i, h, w);
    const level = <u32>load<u8>(record, RECORD_LEVEL);
    let cell = levels + <usize>load<i16>(record, RECORD_CHANNEL);
    memory.fill(map, 0, (<usize>mapWords(h, w)) << 2);
    for (let y = 0; y < h; ++y) {
      for (let x = 0, at = y * pitchOf(w); x < w; ++x, ++at, cell += <usize>channels)
        if (<u32>load<u8>(cell) > level) setBit(map, at);
    }
  }
}
