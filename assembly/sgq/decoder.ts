// Data frames to samples. The header was read (frame.ts), the codebook is open (book.ts); what a payload says stays inside the
// codebook's shape.
import { Plan, STRIPES } from "./book";
import { open, take, whole } from "./coder";
import { decodePlanes } from "./decode";
import { codeCount, mapProbability, rawBytes } from "./encoder";
import { Header, MALFORMED, RAW, SKIP, SLICE } from "./frame";
import { JOB_H, JOB_LOW } from "./layout";
import { decodeCodes, featuresOf } from "./stripes";
import { changes, lay, levelsOf, planesOf } from "./work";

/** Whether a frame fits a codebook: the slice, the patches, the length of a raw payload. Returns 0 or what a nack tells. */
export function fits(plan: Plan, header: Header): i32 {
  const flags = header.flags;
  const wrong = MALFORMED | (header.body << 3);
  if (flags & SLICE) {
    if (header.row + header.rows > plan.h) return wrong;
    if (header.row % plan.stripe || header.rows % plan.stripe) return wrong;
  }
  if (flags & SKIP && (!plan.patchH || plan.form == STRIPES)) return wrong;
  const rows = rowsOf(plan, header);
  if (flags & RAW && <i64>(header.end - header.body) != rawBytes(plan, rows, header.samples)) return wrong;
  return 0;
}

/** Rows of a frame's samples. */
export function rowsOf(plan: Plan, header: Header): i32 {
  return header.flags & SLICE ? header.rows : plan.h;
}

/** Prepares a job for the samples of a frame. */
export function begin(plan: Plan, header: Header, frame: usize, job: usize): void {
  lay(plan, job, rowsOf(plan, header));
  if (!(header.flags & RAW)) open(job + JOB_LOW, frame + <usize>header.body, header.end - header.body);
}

/** SKIP: the reference's codes [h, w, channels], and the map of patches, which goes to `changed` (one byte each). */
export function skip(plan: Plan, job: usize, reference: usize, changed: usize): void {
  const across = (plan.w + plan.patchW - 1) / plan.patchW;
  const down = (plan.h + plan.patchH - 1) / plan.patchH;
  for (let y = 0; y < down; ++y) {
    for (let x = 0; x < across; ++x) {
      const cell = changed + <usize>(y * across + x);
      const left = x ? <u32>load<u8>(cell - 1) : 0;
      const above = y ? <u32>load<u8>(cell - <usize>across) : 0;
      store<u8>(cell, take(job + JOB_LOW, mapProbability(left, above)));
    }
  }
  planesOf(job, plan.channels, reference);
  changes(job, plan, changed);
}

/** Codes of the next sample, number i of the frame: [rows / stripe, w / stripe, channels], one byte each. */
export function next(plan: Plan, header: Header, frame: usize, job: usize, i: i32, codes: usize): void {
  const rows = load<i32>(job, JOB_H);
  if (header.flags & RAW) {
    const count = codeCount(plan, rows);
    const at = <i64>i * count * plan.bits;
    unpack(
      frame + <usize>header.body + <usize>(at >> 3),
      <i32>at & 7,
      count,
      plan.channels,
      plan.bits,
      codes,
    );
  } else if (plan.form == STRIPES) {
    decodeCodes(plan, job + JOB_LOW, codes, rows / plan.stripe, plan.w / plan.stripe);
  } else {
    decodePlanes(job);
    levelsOf(job, plan.channels, codes);
  }
}

/** Whether the payload ended as a writer ends one. Returns 0 or what a nack tells. */
export function ended(header: Header, frame: usize, job: usize, plan: Plan): i32 {
  const good = header.flags & RAW ? padded(header, frame, plan, job) : whole(job + JOB_LOW);
  return good ? 0 : MALFORMED | ((header.end - 1) << 3);
}

/** The bits behind the last code are zero. */
function padded(header: Header, frame: usize, plan: Plan, job: usize): bool {
  const bits = <i64>codeCount(plan, load<i32>(job, JOB_H)) * header.samples * plan.bits;
  const used = <u32>bits & 7;
  return !used || !(<u32>load<u8>(frame + <usize>header.end - 1) >> used);
}

/** Codes of `bits` bits, channel by channel, to [cells, channels]. */
export function unpack(from: usize, at: i32, count: i32, channels: i32, bits: i32, codes: usize): void {
  const mask = (1 << bits) - 1;
  for (let k = 0; k < channels; ++k) {
    for (let i = k; i < count; i += channels, at += bits) {
      const byte = from + <usize>(at >> 3);
      let value = <u32>load<u8>(byte);
      if ((at & 7) + bits > 8) value |= (<u32>load<u8>(byte, 1)) << 8;
      store<u8>(codes + <usize>i, (value >> (at & 7)) & mask);
    }
  }
}

/** int8 features [rows, w, c] of codes. */
export function reconstruct(plan: Plan, codes: usize, rows: i32, features: usize): void {
  if (plan.form == STRIPES) featuresOf(plan, codes, rows, features);
  else values(plan.values, plan.c, plan.group, plan.bits, codes, rows * plan.w, features);
}

/** features[i, c] = table[c][code[i, c / group]]; tables of `bits` bits, int8. */
function values(
  table: usize,
  c: i32,
  group: i32,
  bits: i32,
  codes: usize,
  cells: i32,
  features: usize,
): void {
  for (let i = 0; i < cells; ++i) {
    for (let k = 0; k < c; k += group, ++codes) {
      for (let n = k; n < k + group; ++n)
        store<i8>(features++, load<i8>(table + <usize>((n << bits) + <i32>load<u8>(codes))));
    }
  }
}
