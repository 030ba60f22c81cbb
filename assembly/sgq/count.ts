// Statistics for the tables of a codebook: how often coding would meet which bit in which context.
import { Plan, STRIPES } from "./book";
import { bitsAt, ALL_TAPS, gather } from "./contexts";
import {
  JOB_SCRATCH,
  JOB_STRINGS,
  pitchOf,
  RECORD_BYTES,
  RECORD_PREVIOUS,
  RECORD_TABLE,
  RECORD_TAP_LIST,
  RECORD_TAPS,
  stringWords,
  wordsAbove,
} from "./layout";
import { countCodes } from "./stripes";
import { planesOf } from "./work";

/**
 * Adds one to counts[2·cell + bit] (u32) for every bit of a sample, `cell` being the place of its probability in the tables.
 *
 * @param job laid out for whole samples, @param codes [h / stripe, w / stripe, channels]
 */
export function countSample(plan: Plan, job: usize, codes: usize, counts: usize): void {
  if (plan.form == STRIPES) {
    countCodes(plan, codes, plan.h / plan.stripe, plan.w / plan.stripe, counts);
    return;
  }
  planesOf(job, plan.channels, codes);
  for (let i = 0; i < plan.planes; ++i) countPlane(plan, job, i, counts);
}

function countPlane(plan: Plan, job: usize, i: i32, counts: usize): void {
  const records = plan.records;
  const record = records + <usize>(i * RECORD_BYTES);
  const list = <usize>load<u32>(record, RECORD_TAP_LIST);
  const taps = <i32>load<u8>(record, RECORD_TAPS);
  const before = <i32>load<i16>(record, RECORD_PREVIOUS);
  const cells = counts + ((<usize>(load<u32>(record, RECORD_TABLE) - <u32>plan.tables)) << 3);
  const w = plan.w;
  const stringBytes = (<usize>stringWords(plan.h, w)) << 2;
  const strings = <usize>load<u32>(job, JOB_STRINGS);
  const own = strings + <usize>i * stringBytes;
  const scratch = <usize>load<u32>(job, JOB_SCRATCH);
  const first = wordsAbove(w) << 5;
  for (let y = 0; y < plan.h; ++y) {
    for (let x0 = 0; x0 < w; x0 += 32) {
      const at = first + y * pitchOf(w) + x0;
      const n = min(32, w - x0);
      let mask = <u32>(((<u64>1) << n) - 1);
      if (before >= 0) mask &= bitsAt(strings + <usize>before * stringBytes, at);
      if (!mask) continue;
      gather(list, taps, i, own, stringBytes, pitchOf(w), at, ALL_TAPS, scratch);
      const bits = bitsAt(own, at);
      for (let k = 0; k < n; ++k) {
        if (!((mask >> k) & 1)) continue;
        const cell = scratch + ((<usize>k & 7) << 2) + (<usize>k >> 3);
        let context = <usize>load<u8>(cell);
        if (taps > 8) context |= (<usize>load<u8>(cell, 32)) << 8;
        const count = cells + (((context << 1) + ((bits >> k) & 1)) << 2);
        store<u32>(count, load<u32>(count) + 1);
      }
    }
  }
}
