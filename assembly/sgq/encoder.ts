// Samples to data frames: what the device's Sgq and the host's module share.
import { Plan, STRIPES } from "./book";
import { finish, put, start } from "./coder";
import {
  BATCH,
  CRC_START,
  DATA,
  MAX_HEADER,
  RAW,
  SKIP,
  SLICE,
  writeFull,
  writeShort,
  writeVarint,
} from "./frame";
import { sgqCrc16, sgqEncode, sgqMix, sgqQuantize } from "./intrinsics";
import { JOB_H, JOB_LOW } from "./layout";
import { encodeCodes, codesOf } from "./stripes";
import { TENSOR_BYTES, TENSOR_PITCH, tensorOf } from "../int8/structs";
import { changes, everything, lay, levelsOf, workBytes } from "./work";

/** Bytes before the payload, in which the header will end; and behind it, for the CRC. */
const ROOM: i32 = MAX_HEADER;
const CRC_BYTES: i32 = 2;

/** Probabilities of "changed" by left·2 + above. */
// @ts-ignore: decorator
@inline
export function mapProbability(left: u32, above: u32): u32 {
  return left + above == 0 ? 32 : left + above == 1 ? 128 : 224;
}

/** A frame in the making. */
@unmanaged
export class Encoder {
  plan: Plan;
  /** Job of workBytes(), then a tensor struct for the channels that form 1 mixes. */
  job: usize;
  /** One byte per code of a sample. */
  codes: usize;
  /** ROOM bytes, the payload, two bytes. */
  out: usize;
  /** Bytes of payload that fit. */
  capacity: i32;
  sequence: i32;
  samples: i32;
  flags: i32;
  /** SKIP: how far back the reference lies, and its CRC; SLICE: first row. */
  back: i32;
  crc: i32;
  row: i32;
  /** Bits of a raw payload. */
  rawBits: i32;
}

/** Bytes of an encoder's areas: job and tensor, codes. */
export function jobBytes(plan: Plan, rows: i32): i32 {
  return workBytes(plan.planes, rows, plan.w) + TENSOR_BYTES;
}

export function codeCount(plan: Plan, rows: i32): i32 {
  return (rows / plan.stripe) * (plan.w / plan.stripe) * plan.channels;
}

/** Bytes of `samples` samples that are packed: at most 256 · 2^20 codes of 8 bits in 64 bits. */
export function rawBytes(plan: Plan, rows: i32, samples: i32): i64 {
  return (<i64>codeCount(plan, rows) * samples * plan.bits + 7) >> 3;
}

// @ts-ignore: decorator
@inline
function coder(e: Encoder): usize {
  return e.job + JOB_LOW;
}

/** Begins a frame of whole samples or of slices of `rows` rows. `flags`: RAW, SLICE or none. */
export function begin(e: Encoder, rows: i32, flags: i32, sequence: i32): void {
  lay(e.plan, e.job, rows);
  again(e, flags, sequence);
}

/** The same, with the planes and the shape of the frame before. */
export function again(e: Encoder, flags: i32, sequence: i32): void {
  e.flags = flags;
  e.sequence = sequence;
  e.samples = 0;
  e.rawBits = 0;
  start(coder(e), e.out + ROOM, e.capacity);
  if (flags & RAW) memory.fill(e.out + ROOM, 0, <usize>e.capacity);
}

/**
 * Begins a frame without the patches that did not change: changed[i] != 0, row by row. The job's planes are those of the reference,
 * `back` frames ago, whose CRC field is `crc`. Returns false if the payload is full.
 */
export function beginSkip(e: Encoder, sequence: i32, back: i32, crc: i32, changed: usize): bool {
  again(e, SKIP, sequence);
  e.back = back;
  e.crc = crc;
  const plan = e.plan;
  const across = (plan.w + plan.patchW - 1) / plan.patchW;
  const down = (plan.h + plan.patchH - 1) / plan.patchH;
  for (let y = 0; y < down; ++y) {
    for (let x = 0; x < across; ++x) {
      const cell = changed + <usize>(y * across + x);
      const left = <u32>(x && load<u8>(cell - 1));
      const above = <u32>(y && load<u8>(cell - <usize>across));
      if (!put(coder(e), mapProbability(left, above), <u32>(load<u8>(cell) != 0))) return false;
    }
  }
  changes(e.job, plan, changed);
  return true;
}

/** Ends skipping: every element is coded again. */
export function endSkip(e: Encoder): void {
  everything(e.job);
}

/** Codes of features into planes, form 2: into e.codes. */
export function quantize(e: Encoder, xT: usize, x: usize): void {
  const plan = e.plan;
  const rows = load<i32>(e.job, JOB_H);
  if (plan.form == STRIPES) codesOf(plan, x, load<i32>(xT, TENSOR_PITCH), rows, e.codes);
  else if (plan.weights) {
    const mixed = tensorOf(e.job + <usize>workBytes(plan.planes, rows, plan.w), rows, plan.w, plan.channels);
    sgqMix(xT, x, plan.weights, plan.group, e.codes);
    sgqQuantize(e.job, mixed, e.codes);
  } else sgqQuantize(e.job, xT, x);
}

/**
 * Adds a sample, or a slice, of the rows that the frame began with. Returns false if it does not fit: the frame is as it was.
 *
 * @param xT tensor [rows, w, c] of the codebook, @param x int8 NHWC
 */
export function add(e: Encoder, xT: usize, x: usize): bool {
  quantize(e, xT, x);
  const done = e.flags & RAW ? pack(e) : code(e);
  if (done) ++e.samples;
  return done;
}

function code(e: Encoder): bool {
  const state = coder(e);
  const low = load<u32>(state);
  const range = load<u32>(state, 4);
  const length = load<u32>(state, 8);
  const last = e.out + ROOM + <usize>length - 1;
  const byte = length ? load<u8>(last) : 0;
  if (e.plan.form == STRIPES) {
    const side = e.plan.stripe;
    if (encodeCodes(e.plan, state, e.codes, load<i32>(e.job, JOB_H) / side, e.plan.w / side)) return true;
  } else if (sgqEncode(e.job)) return true;
  // what was begun is taken back: of a number that grows, at most one carry went into what was there before
  store<u32>(state, low);
  store<u32>(state, range, 4);
  store<u32>(state, length, 8);
  if (length && load<u8>(last) != byte) {
    let at = last;
    while (!load<u8>(at)) store<u8>(at--, 255);
    store<u8>(at, load<u8>(at) - 1);
  }
  return false;
}

function pack(e: Encoder): bool {
  const plan = e.plan;
  const rows = load<i32>(e.job, JOB_H);
  if (plan.form != STRIPES) levelsOf(e.job, plan.channels, e.codes);
  if (<i64>e.rawBits + <i64>codeCount(plan, rows) * plan.bits > (<i64>e.capacity) << 3) return false;
  e.rawBits = packCodes(e.codes, codeCount(plan, rows), plan.channels, plan.bits, e.out + ROOM, e.rawBits);
  return true;
}

/** Writes codes [cells, channels], one byte each, channel by channel from bit `at` of `out` on, which is zero there; returns the end. */
export function packCodes(codes: usize, count: i32, channels: i32, bits: i32, out: usize, at: i32): i32 {
  for (let k = 0; k < channels; ++k) {
    for (let i = k; i < count; i += channels, at += bits) {
      const byte = out + <usize>(at >> 3);
      const value = (<u32>load<u8>(codes + <usize>i)) << (at & 7);
      store<u8>(byte, <u32>load<u8>(byte) | value);
      if ((at & 7) + bits > 8) store<u8>(byte, value >> 8, 1);
    }
  }
  return at;
}

/**
 * Ends the frame. Returns its length, 0 if it does not fit; e.out + ROOM − header is its first byte (see frameAt).
 *
 * @param short whether the short form may be taken
 */
export function end(e: Encoder, short: bool): i32 {
  const plan = e.plan;
  const payload = e.flags & RAW ? (e.rawBits + 7) >> 3 : finish(coder(e));
  if (payload < 0) return 0;
  const header = e.out;
  let length = 0;
  if (e.samples > 1) e.flags |= BATCH;
  if (short && !e.flags) length = writeShort(header, plan.version, e.sequence);
  else {
    length = writeFull(header, DATA | e.flags, plan.model, plan.version, e.sequence);
    if (e.flags & SKIP) length = writeVarint(header, length, e.back);
    if (e.flags & SLICE) {
      length = writeVarint(header, length, e.row);
      length = writeVarint(header, length, load<i32>(e.job, JOB_H));
    }
    if (e.samples > 1) length = writeVarint(header, length, e.samples - 1);
  }
  // the header ends where the payload begins
  memory.copy(e.out + <usize>(ROOM - length), e.out, <usize>length);
  const frame = e.out + <usize>(ROOM - length);
  const crc = sgqCrc16(frame, length + payload, e.flags & SKIP ? e.crc : CRC_START);
  store<u16>(frame + <usize>(length + payload), crc);
  e.crc = crc;
  e.back = ROOM - length;
  return length + payload + CRC_BYTES;
}

/** Where the frame that has just ended begins. */
export function frameAt(e: Encoder): usize {
  return e.out + <usize>e.back;
}
