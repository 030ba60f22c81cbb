// Rows of bits: position x is bit x & 31 of word x >> 5.

/** Sets the bits x0 … x1 − 1 of a row, x0 < x1. */
export function setRun(row: usize, x0: i32, x1: i32): void {
  let at = row + ((<usize>x0 >> 5) << 2);
  const last = row + ((<usize>(x1 - 1) >> 5) << 2);
  let mask: u32 = (<u32>-1) << (x0 & 31);
  for (; at < last; at += 4, mask = <u32>-1) store<u32>(at, load<u32>(at) | mask);
  store<u32>(at, load<u32>(at) | (mask & (<u32>-1 >>> (31 - ((x1 - 1) & 31)))));
}

/** The first bit at or after x that is set (`flip` 0) or clear (−1); 32 · words when there is none. */
function seek(row: usize, words: i32, x: i32, flip: u32): i32 {
  let word = x >> 5;
  if (word >= words) return words << 5;
  let bits = (load<u32>(row + ((<usize>word) << 2)) ^ flip) & ((<u32>-1) << (x & 31));
  while (!bits) {
    if (++word >= words) return words << 5;
    bits = load<u32>(row + ((<usize>word) << 2)) ^ flip;
  }
  return (word << 5) + <i32>ctz(bits);
}

/** The next run of set bits at or after x, packed as first | end << 16; −1 when there is none. Rows reach 32,767 bits. */
export function nextRun(row: usize, words: i32, x: i32): i32 {
  const first = seek(row, words, x, 0);
  if (first >= words << 5) return -1;
  return first | (seek(row, words, first, <u32>-1) << 16);
}

/** to |= from, word by word; returns whether `from` had a bit. */
export function join(to: usize, from: usize, words: i32): bool {
  let any: u32 = 0;
  for (const end = from + ((<usize>words) << 2); from < end; from += 4, to += 4) {
    const bits = load<u32>(from);
    any |= bits;
    store<u32>(to, load<u32>(to) | bits);
  }
  return any != 0;
}

/** The bits of word `word` that the columns x0 … x1 − 1 have there; x0 < x1. */
// @ts-ignore: decorator
@inline
function maskOf(word: i32, x0: i32, x1: i32): u32 {
  const from = (<u32>-1) << (max(x0 - (word << 5), 0) & 31);
  return from & (<u32>-1 >>> (31 - min(x1 - 1 - (word << 5), 31)));
}

/** Sets the bits of a window, x0 < x1, in a bitmap of `words` words per row. */
export function setIn(map: usize, words: i32, y0: i32, y1: i32, x0: i32, x1: i32): void {
  for (let word = x0 >> 5; word <= (x1 - 1) >> 5; ++word) {
    const mask = maskOf(word, x0, x1);
    let at = map + ((<usize>(y0 * words + word)) << 2);
    for (let y = y0; y < y1; ++y, at += (<usize>words) << 2) store<u32>(at, load<u32>(at) | mask);
  }
}

/** Whether a bit of the window, x0 < x1, is set in a bitmap of `words` words per row. */
export function anyIn(map: usize, words: i32, y0: i32, y1: i32, x0: i32, x1: i32): bool {
  for (let word = x0 >> 5; word <= (x1 - 1) >> 5; ++word) {
    const mask = maskOf(word, x0, x1);
    let at = map + ((<usize>(y0 * words + word)) << 2);
    for (let y = y0; y < y1; ++y, at += (<usize>words) << 2) if (load<u32>(at) & mask) return true;
  }
  return false;
}

/** Bits set in `words` words. */
export function count(map: usize, words: i32): i32 {
  let n = 0;
  for (const end = map + ((<usize>words) << 2); map < end; map += 4) n += <i32>popcnt(load<u32>(map));
  return n;
}
