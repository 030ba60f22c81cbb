// Frames (docs/sgq.md): their headers, read and written. Whatever is read is bounded by the frame's length.
import { crc16 } from "./crc";

export const DATA: i32 = 0;
export const CODEBOOK: i32 = 1;
export const GRADIENT: i32 = 2;
export const NACK: i32 = 3;
export const ACK: i32 = 4;

/** Flags of data frames. */
export const RAW: i32 = 8;
export const SELF: i32 = 16;
export const SKIP: i32 = 32;
export const SLICE: i32 = 64;
export const BATCH: i32 = 128;
/** Flag of gradient frames. */
export const NIBBLES: i32 = 8;

/** Reasons of a nack. */
export const BAD_VERSION: i32 = 1;
export const NO_CODEBOOK: i32 = 2;
export const BAD_CRC: i32 = 3;
export const MALFORMED: i32 = 4;
export const NO_REFERENCE: i32 = 5;
export const REFUSED: i32 = 6;

export const VERSION: i32 = 1;
/** What a CRC-16 starts from. */
export const CRC_START: i32 = 0xffff;
const CRC_BYTES: i32 = 2;
const FULL: i32 = 0xa;
const SHORT: i32 = 0xb;
const MAX_SIDE: i32 = 1024;
const MAX_CHANNELS: i32 = 256;
const MAX_ELEMENTS: u32 = 1 << 20;
const MAX_SAMPLES: i32 = 256;
const MAX_BACK: i32 = 65536;

/** What a header says. Offsets are in the frame. */
@unmanaged
export class Header {
  version: i32;
  type: i32;
  short: i32;
  flags: i32;
  model: i32;
  codebook: i32;
  sequence: i32;
  samples: i32;
  /** How far back the reference lies. */
  back: i32;
  row: i32;
  rows: i32;
  h: i32;
  w: i32;
  c: i32;
  /** Self-contained frames: bits and sets (1 or c); gradients: bits and channels per group. */
  bits: i32;
  sets: i32;
  /** Thresholds and values, exponents; a nack's reason. */
  tables: i32;
  /** Payload, or values; a nack's detail. */
  body: i32;
  /** The CRC. */
  end: i32;
}

// Where the reader is, and whether something was not as it must be.
let base: usize = 0;
let at: usize = 0;
let end: usize = 0;
let wrong: bool = false;

function byte(): u32 {
  if (at >= end) {
    wrong = true;
    return 0;
  }
  return <u32>load<u8>(at++);
}

/** A u32 in its shortest form, lo … hi. */
function varint(lo: u32, hi: u32): i32 {
  let value: u64 = 0;
  let next: u32 = 0;
  let shift: u64 = 0;
  do {
    next = byte();
    value |= (<u64>(next & 127)) << shift;
    shift += 7;
  } while (next > 127 && shift < 35 && !wrong);
  // five bytes carry 35 bits; a last byte of zero would have been left out
  if (next > 127 || (shift > 7 && !next) || value < <u64>lo || value > <u64>hi) wrong = true;
  return <i32>(<u32>value);
}

/**
 * Reads a header of a frame of `length` bytes. Returns 0, or what a nack tells: its reason, and the detail << 3. Neither the CRC
 * nor the payload was looked at.
 */
export function parse(frame: usize, length: i32, header: Header): i32 {
  memory.fill(changetype<usize>(header), 0, offsetof<Header>());
  if (length < 1) return MALFORMED;
  const first = <i32>load<u8>(frame);
  header.version = first & 15;
  header.short = <i32>(first >> 4 == SHORT);
  if (first >> 4 != FULL && first >> 4 != SHORT) return MALFORMED;
  if (header.version != VERSION) return BAD_VERSION | (VERSION << 3);
  base = frame;
  at = frame + 1;
  end = frame + <usize>length;
  wrong = false;
  header.samples = 1;
  if (header.short) shortForm(header);
  else fullForm(header);
  header.end = <i32>(end - frame);
  return wrong ? MALFORMED | ((<i32>(at - frame)) << 3) : 0;
}

function shortForm(header: Header): void {
  header.codebook = byte();
  header.sequence = byte();
  header.body = <i32>(at - base);
  leaveCrc();
}

/** What is left before the CRC is for the reader; the frame must have room for it. */
function leaveCrc(): void {
  if (at + CRC_BYTES > end) wrong = true;
  else end -= CRC_BYTES;
}

function fullForm(header: Header): void {
  const kind = <i32>byte();
  header.type = kind & 7;
  header.flags = kind & ~7;
  header.model = byte() | (byte() << 8);
  header.codebook = byte() | (byte() << 8);
  if (header.type == CODEBOOK) {
    // its own checks: book.ts
    if (header.flags) wrong = true;
    return;
  }
  header.sequence = varint(0, u32.MAX_VALUE);
  leaveCrc();
  if (header.type == DATA) data(header);
  else if (header.type == GRADIENT) gradient(header);
  else {
    if (header.flags || header.type > ACK) wrong = true;
    if (header.type == NACK) {
      header.tables = byte();
      header.body = varint(0, u32.MAX_VALUE);
      if (!header.tables || header.tables > REFUSED) wrong = true;
    }
    if (at != end) wrong = true;
  }
}

function shape(header: Header): void {
  header.h = varint(1, MAX_SIDE);
  header.w = varint(1, MAX_SIDE);
  header.c = varint(1, MAX_CHANNELS);
  if (!wrong && <u32>(header.h * header.w * header.c) > MAX_ELEMENTS) wrong = true;
}

function data(header: Header): void {
  const flags = header.flags;
  const skip = (flags & SKIP) != 0;
  const slice = (flags & SLICE) != 0;
  const self = (flags & SELF) != 0;
  if (skip && flags & (SELF | SLICE | BATCH | RAW)) wrong = true;
  if (slice && flags & BATCH) wrong = true;
  if (self && (!(flags & RAW) || flags & (SLICE | BATCH) || header.codebook)) wrong = true;
  if (!self && !header.codebook) wrong = true;
  if (self) {
    shape(header);
    const sets = byte();
    header.bits = sets & 15;
    header.sets = sets >> 7 ? 1 : header.c;
    if (sets & 0x70 || header.bits < 1 || header.bits > 4) wrong = true;
    if (wrong) return;
    take(header, header.sets * ((2 << header.bits) - 1));
  }
  if (skip) header.back = varint(1, MAX_BACK);
  if (slice) {
    header.row = varint(0, MAX_SIDE - 1);
    header.rows = varint(1, MAX_SIDE);
  }
  if (flags & BATCH) header.samples = varint(1, MAX_SAMPLES - 1) + 1;
  header.body = <i32>(at - base);
}

/** Notes where `bytes` bytes of tables begin, and goes behind them. */
function take(header: Header, bytes: i32): void {
  header.tables = <i32>(at - base);
  if (<u64>at + <u64>bytes > <u64>end) wrong = true;
  else at += <usize>bytes;
}

function gradient(header: Header): void {
  shape(header);
  header.sets = varint(1, MAX_CHANNELS);
  header.bits = header.flags & NIBBLES ? 4 : 8;
  if (header.flags & ~NIBBLES || (!wrong && header.c % header.sets)) wrong = true;
  if (wrong) return;
  take(header, header.c / header.sets);
  header.body = <i32>(at - base);
  const values = header.h * header.w * header.c;
  if (<u64>at + <u64>(header.bits == 4 ? (values + 1) >> 1 : values) != <u64>end) wrong = true;
}

/** The CRC field of a frame whose header was read; −1 if it is not that of the bytes before it. */
export function verify(frame: usize, header: Header, start: i32): i32 {
  const crc = <i32>load<u16>(frame + <usize>header.end);
  return crc == crc16(frame, header.end, start) ? crc : -1;
}

// Writing: each returns how many bytes there are now. The caller has room: a header has at most MAX_HEADER bytes.

/** Bytes of the longest header without the tables of a self-contained frame. */
export const MAX_HEADER: i32 = 24;

export function writeShort(out: usize, codebook: i32, sequence: i32): i32 {
  store<u8>(out, (SHORT << 4) | VERSION);
  store<u8>(out, codebook, 1);
  store<u8>(out, sequence, 2);
  return 3;
}

export function writeFull(out: usize, type: i32, model: i32, codebook: i32, sequence: i32): i32 {
  store<u8>(out, (FULL << 4) | VERSION);
  store<u8>(out, type, 1);
  store<u16>(out, model, 2);
  store<u16>(out, codebook, 4);
  return writeVarint(out, 6, sequence);
}

export function writeVarint(out: usize, length: i32, value: u32): i32 {
  let at = out + <usize>length;
  for (; value > 127; value >>= 7) store<u8>(at++, value | 128);
  store<u8>(at++, value);
  return <i32>(at - out);
}
