// Contexts of 32 elements at a time: each tap is a shift of a bit string, and a transposition of bits makes numbers of them.
import { RECORD_BYTES, RECORD_TAP_LIST, RECORD_TAPS } from "./layout";

/** Which taps are gathered. */
export const ALL_TAPS: i32 = 0;
/** All but those that read this plane's own row, which a decoder does not have yet. */
export const KNOWN_TAPS: i32 = 1;

/** 32 bits of a string from bit `at` on. */
// @ts-ignore: decorator
@inline
export function bitsAt(string: usize, at: i32): u32 {
  const word = string + ((<usize>at >> 5) << 2);
  const shift = at & 31;
  // two shifts: one of 32 would be none
  return (load<u32>(word) >> shift) | ((load<u32>(word, 4) << 1) << (31 - shift));
}

/** Swaps the bits under `mask` of two words of a transposition; `a` holds the lower rows. */
// @ts-ignore: decorator
@inline
function swap(scratch: usize, a: usize, b: usize, shift: u32, mask: u32): void {
  const low = load<u32>(scratch + a);
  const high = load<u32>(scratch + b);
  const moved = ((low >> shift) ^ high) & mask;
  store<u32>(scratch + a, low ^ (moved << shift));
  store<u32>(scratch + b, high ^ moved);
}

/** Four transpositions of 8 × 8 bits side by side: bit 8b + r of word t becomes bit t of byte b of word r. */
function transpose(words: usize): void {
  for (let i: usize = 0; i < 32; i += 8) swap(words, i, i + 4, 1, 0x55555555);
  for (let i: usize = 0; i < 32; i += 16) {
    swap(words, i, i + 8, 2, 0x33333333);
    swap(words, i + 4, i + 12, 2, 0x33333333);
  }
  for (let i: usize = 0; i < 16; i += 4) swap(words, i, i + 16, 4, 0x0f0f0f0f);
}

/**
 * Contexts of plane `index` for the 32 elements from bit `at` of its string on: element 8b + r has its low byte at
 * scratch[4r + b], its high byte at scratch[32 + 4r + b]. High bytes are not written for up to eight taps. Returns 0 if all are 0.
 *
 * @param stringBytes of a plane, @param pitch bits from row to row, @param which ALL_TAPS or KNOWN_TAPS
 */
export function gather(
  records: usize,
  index: i32,
  strings: usize,
  stringBytes: usize,
  pitch: i32,
  at: i32,
  which: i32,
  scratch: usize,
): u32 {
  const record = records + <usize>(index * RECORD_BYTES);
  const taps = <i32>load<u8>(record, RECORD_TAPS);
  const own = strings + <usize>index * stringBytes;
  let list = <usize>load<u32>(record, RECORD_TAP_LIST);
  const words = (taps + 7) & ~7;
  let any: u32 = 0;
  for (let i = 0; i < words; ++i, list += 2) {
    let bits: u32 = 0;
    if (i < taps) {
      const back = <i32>load<u8>(list);
      const place = <i32>load<u8>(list, 1);
      const dy = (place >> 3) - 2;
      if (back <= index && !((which == KNOWN_TAPS) & (back == 0) & (dy == 0)))
        bits = bitsAt(own - <usize>back * stringBytes, at + dy * pitch + (place & 7) - 3);
    }
    store<u32>(scratch + ((<usize>i) << 2), bits);
    any |= bits;
  }
  // zeros are the same either way
  if (any) {
    transpose(scratch);
    if (taps > 8) transpose(scratch + 32);
  }
  return any;
}
