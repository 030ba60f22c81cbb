// Frames that need no codebook: thresholds and values are in them, codes are packed.
import { unpack } from "./decoder";
import { CRC_START, DATA, Header, MALFORMED, MAX_HEADER, RAW, SELF, writeFull, writeVarint } from "./frame";
import { sgqCrc16 } from "./intrinsics";
import { TENSOR_C, TENSOR_H, TENSOR_PITCH, TENSOR_W } from "../int8/structs";

const CRC_BYTES: i32 = 2;
/** Further header: three sides of two bytes, and a byte for the sets. */
const SHAPE_BYTES: i32 = 7;

// @ts-ignore: decorator
@inline
function tableBytes(bits: i32, sets: i32): i32 {
  return sets * ((2 << bits) - 1);
}

/** Most bytes of such a frame of [h, w, c] features; h·w·c ≤ 2^20. */
export function selfBytes(elements: i32, bits: i32, sets: i32): i32 {
  return MAX_HEADER + SHAPE_BYTES + tableBytes(bits, sets) + ((elements * bits + 7) >> 3) + CRC_BYTES;
}

/**
 * Writes a frame; returns its length.
 *
 * @param x int8 NHWC, of the shape of tensor xT, @param tables for each set 2^bits − 1 ascending thresholds, then 2^bits values
 * @param sets 1 for all channels, or c, @param out selfBytes() bytes
 */
export function encodeSelf(
  out: usize,
  model: i32,
  sequence: i32,
  xT: usize,
  x: usize,
  bits: i32,
  sets: i32,
  tables: usize,
): i32 {
  const h = load<i32>(xT, TENSOR_H);
  const w = load<i32>(xT, TENSOR_W);
  const c = load<i32>(xT, TENSOR_C);
  let length = writeFull(out, DATA | RAW | SELF, model, 0, sequence);
  length = writeVarint(out, length, h);
  length = writeVarint(out, length, w);
  length = writeVarint(out, length, c);
  store<u8>(out + <usize>length, bits | (sets == 1 ? 128 : 0));
  ++length;
  memory.copy(out + <usize>length, tables, <usize>tableBytes(bits, sets));
  length += tableBytes(bits, sets);
  const payload = out + <usize>length;
  const bytes = (h * w * c * bits + 7) >> 3;
  memory.fill(payload, 0, <usize>bytes);
  const one = sets == 1 ? 0 : (2 << bits) - 1;
  for (let k = 0, at = 0; k < c; ++k) {
    for (let y = 0; y < h; ++y) {
      let cell = x + <usize>(y * load<i32>(xT, TENSOR_PITCH) + k);
      for (let left = w; left; --left, cell += <usize>c, at += bits) {
        const value = levelIn(tables + <usize>(k * one), bits, <i32>load<i8>(cell)) << (at & 7);
        const byte = payload + <usize>(at >> 3);
        store<u8>(byte, <i32>load<u8>(byte) | value);
        if ((at & 7) + bits > 8) store<u8>(byte, value >> 8, 1);
      }
    }
  }
  length += bytes;
  store<u16>(out + <usize>length, sgqCrc16(out, length, CRC_START));
  return length + CRC_BYTES;
}

/** Bits of what a device sends without a codebook. */
export const ALONE_BITS: i32 = 2;

/** A frame for whoever has no codebook, with one set of thresholds and values for all channels; `out` holds selfBytes(h·w·c, ALONE_BITS, 1). */
export function encodeAlone(out: usize, model: i32, sequence: i32, xT: usize, x: usize): i32 {
  // thresholds (SELF_CUTS of host/protocol/labelled.ts), then values; here, so that only an app that sends has them
  const set = memory.data<i8>([3, 8, 24, 0, 5, 14, 48]);
  return encodeSelf(out, model, sequence, xT, x, ALONE_BITS, 1, set);
}

/** How many thresholds lie below x. */
function levelIn(thresholds: usize, bits: i32, x: i32): i32 {
  let level = 0;
  for (let n = (1 << bits) - 1; level < n && x > <i32>load<i8>(thresholds + <usize>level); ++level);
  return level;
}

/** Codes of one sample, and its features; both [h, w, c]. Returns 0 or what a nack tells. */
export function decodeSelf(header: Header, frame: usize, codes: usize, features: usize): i32 {
  const bits = header.bits;
  const c = header.c;
  const count = header.h * header.w * c;
  const used = (count * bits) & 7;
  const wrong = MALFORMED | (header.body << 3);
  if (header.end - header.body != (count * bits + 7) >> 3) return wrong;
  if (used && <u32>load<u8>(frame + <usize>header.end - 1) >> used) return wrong;
  unpack(frame + <usize>header.body, 0, count, c, bits, codes);
  const one = (2 << bits) - 1;
  const values = frame + <usize>header.tables + <usize>((1 << bits) - 1);
  for (let i = 0; i < count; ++i) {
    const set = header.sets == 1 ? 0 : i % c;
    store<i8>(features + <usize>i, load<i8>(values + <usize>(set * one + <i32>load<u8>(codes + <usize>i))));
  }
  return 0;
}
