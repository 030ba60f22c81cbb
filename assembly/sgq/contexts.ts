// Contexts of 32 elements at a time: each tap is a shift of a bit string, and a transposition of bits makes numbers of them.
/** Which taps are gathered. */
export const ALL_TAPS: i32 = 0;
/** All but those that read this plane's own row, which a decoder does not have yet. */
export const KNOWN_TAPS: i32 = 1;

/** First place in the row of the element itself. */
const HERE: i32 = 16;

/** 32 bits of a string from bit `at` on. */
// @ts-ignore: decorator
@inline
export function bitsAt(string: usize, at: i32): u32 {
  const word = string + ((<usize>at >> 5) << 2);
  const shift = at & 31;
  // two shifts: one of 32 would be none
  return (load<u32>(word) >> shift) | ((load<u32>(word, 4) << 1) << (31 - shift));
}

/** Rows 2i and 2i + 1 of a transposition lie in one word: swaps the bits with which they differ in place and number. */
// @ts-ignore: decorator
@inline
function swapHalves(rows: u64): u64 {
  // a bit goes up by one in the lower half, and by 32: both at once
  return rows ^ ((((rows >> 1) ^ (rows >> 32)) & 0x55555555) * 0x100000002);
}

/**
 * Four transpositions of 8 × 8 bits side by side: bit 8b + r of word t becomes bit t of byte b of word r. Returns 0, and writes
 * nothing, if all are 0.
 */
export function transpose(words: usize): bool {
  let a = load<u64>(words);
  let b = load<u64>(words, 8);
  let c = load<u64>(words, 16);
  let d = load<u64>(words, 24);
  if (!(a | b | c | d)) return false;
  a = swapHalves(a);
  b = swapHalves(b);
  c = swapHalves(c);
  d = swapHalves(d);
  let moved = ((a >> 2) ^ b) & 0x3333333333333333;
  a ^= moved << 2;
  b ^= moved;
  moved = ((c >> 2) ^ d) & 0x3333333333333333;
  c ^= moved << 2;
  d ^= moved;
  moved = ((a >> 4) ^ c) & 0x0f0f0f0f0f0f0f0f;
  store<u64>(words, a ^ (moved << 4));
  store<u64>(words, c ^ moved, 16);
  moved = ((b >> 4) ^ d) & 0x0f0f0f0f0f0f0f0f;
  store<u64>(words, b ^ (moved << 4), 8);
  store<u64>(words, d ^ moved, 24);
  return true;
}

/**
 * Contexts of plane `index` for the 32 elements from bit `at` of its string on: element 8b + r has its low byte at
 * scratch[4r + b], its high byte at scratch[32 + 4r + b]. High bytes are not written for up to eight taps. Returns false if all are 0.
 *
 * @param list the plane's `taps` taps, @param own its string, @param stringBytes of a plane, @param pitch bits from row to row
 * @param which ALL_TAPS or KNOWN_TAPS
 */
// @ts-ignore: decorator
@inline
export function gather(
  list: usize,
  taps: i32,
  index: i32,
  own: usize,
  stringBytes: usize,
  pitch: i32,
  at: i32,
  which: i32,
  scratch: usize,
): bool {
  // rows without a tap
  if (taps & 7) {
    const half = scratch + (taps > 8 ? 32 : 0);
    store<u64>(half, 0);
    store<u64>(half, 0, 8);
    store<u64>(half, 0, 16);
    store<u64>(half, 0, 24);
  }
  // a place is dy + 2 in units of 8, and dx + 3
  const first = at - 2 * pitch - 3;
  const end = list + ((<usize>taps) << 1);
  for (let tap = list, row = scratch; tap < end; tap += 2, row += 4) {
    const back = <i32>load<u8>(tap);
    const place = <i32>load<u8>(tap, 1);
    let bits: u32 = 0;
    if (back <= index && (which == ALL_TAPS || back || place < HERE)) {
      const bit = first + place + (place >> 3) * (pitch - 8);
      bits = <u32>(load<u64>(own - <usize>back * stringBytes + <usize>((bit >> 3) & ~3)) >> (<u64>bit & 31));
    }
    store<u32>(row, bits);
  }
  const low = transpose(scratch);
  return taps > 8 ? transpose(scratch + 32) || low : low;
}
