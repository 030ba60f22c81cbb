// Blocks of a convolution's outputs: three positions by four channels. One 64-bit multiplication serves three positions: their
// inputs lie in lanes of 21 bits, x0 + x1·2^21 + x2·2^42, packed once for all channels, and so do their sums.
import { nearest, requantizeValue, stochastic } from "./requantize-value";
import {
  QUANT_CHANNELS,
  QUANT_HI,
  QUANT_KEY,
  QUANT_LO,
  QUANT_MULTIPLIER,
  QUANT_OUTPUT_ZERO,
  QUANT_ROUNDING,
  QUANT_SHIFT,
} from "./structs";

/** Positions and channels of a block, and the bytes that its sums take. */
export const POSITIONS: i32 = 3;
export const CHANNELS: i32 = 4;
export const SUMS_BYTES: usize = 48;

/**
 * Products that a lane takes before it is emptied, whatever the bytes are: 56·128·128 = 917,504 < 2^20, and with a zero point
 * 32·255·128 = 1,044,480 < 2^20. Lanes are signed: what a negative one borrows from the next comes back when they are
 * taken apart.
 */
const LANE_PRODUCTS: usize = 56;
const LANE_PRODUCTS_ZERO: usize = 32;

/** 1 in each lane. */
const LANES: i64 = 0x40000200001;
/** The lower byte of each lane. */
const BYTES: i64 = 0xff * LANES;
/** The signs of two bytes in each lane: flipped, a byte is one of 0 … 255 that is 128 more, and reaches into no other lane. */
const SIGNS: i64 = 0x8080 * LANES;

// @ts-ignore: decorator
@inline
function lanes(x0: i64, x1: i64, x2: i64): i64 {
  return x0 + (x1 << 21) + (x2 << 42);
}

/** The lowest lane of a word, and what is left of the word without it. */
// @ts-ignore: decorator
@inline
export function lane(word: i64): i32 {
  return ((<i32>word) << 11) >> 11;
}

// @ts-ignore: decorator
@inline
export function next(word: i64): i64 {
  return (word + (1 << 20)) >> 21;
}

/**
 * Packs patches of n bytes, one behind the other at x, into n words, less the zero point. Of one patch alone, the upper lanes
 * are 0; of two, nobody looks at the third.
 */
export function pack(x: usize, n: usize, patches: i32, zero: i32, words: usize): void {
  const end = x + n;
  if (patches == 1) {
    for (; x < end; ++x, words += 8) store<i64>(words, <i64>load<i8>(x) - <i64>zero);
    return;
  }
  const zeros = <i64>zero * LANES;
  const less = zeros + 128 * LANES;
  let x1 = x + n;
  let x2 = x1 + n;
  let v: i64;
  for (const fours = x + (n & ~3); x < fours; ) {
    v = lanes(load<u16>(x), load<u16>(x1), load<u16>(x2)) ^ SIGNS;
    store<i64>(words, (v & BYTES) - less);
    store<i64>(words, ((v >> 8) & BYTES) - less, 8);
    v = lanes(load<u16>(x, 2), load<u16>(x1, 2), load<u16>(x2, 2)) ^ SIGNS;
    store<i64>(words, (v & BYTES) - less, 16);
    store<i64>(words, ((v >> 8) & BYTES) - less, 24);
    x += 4;
    x1 += 4;
    x2 += 4;
    words += 32;
  }
  for (; x < end; ++x, ++x1, ++x2, words += 8) {
    store<i64>(words, lanes(load<i8>(x), load<i8>(x1), load<i8>(x2)) - zeros);
  }
}

/**
 * The sums of a block, int32 [3, 4] at `sums`: packed patches of n words against the kernels at w, w + n, … of `channels`
 * channels (1 … 4), each from its bias on. With fewer than four channels the last one's sums are repeated.
 */
export function block(
  words: usize,
  w: usize,
  n: usize,
  zero: i32,
  bias: usize,
  channels: i32,
  sums: usize,
): void {
  const i1 = <usize>i32(channels > 1);
  const i2 = i1 + <usize>i32(channels > 2);
  const i3 = i2 + <usize>i32(channels > 3);
  let w1 = w + n * i1;
  let w2 = w + n * i2;
  let w3 = w + n * i3;
  let a0 = 0;
  let b0 = 0;
  let c0 = 0;
  let d0 = 0;
  if (bias) {
    a0 = load<i32>(bias);
    b0 = load<i32>(bias + (i1 << 2));
    c0 = load<i32>(bias + (i2 << 2));
    d0 = load<i32>(bias + (i3 << 2));
  }
  let a1 = a0;
  let a2 = a0;
  let b1 = b0;
  let b2 = b0;
  let c1 = c0;
  let c2 = c0;
  let d1 = d0;
  let d2 = d0;
  const most = zero ? LANE_PRODUCTS_ZERO : LANE_PRODUCTS;
  for (let left = n; left; ) {
    const run = min(left, most);
    left -= run;
    let a: i64 = 0;
    let b: i64 = 0;
    let c: i64 = 0;
    let d: i64 = 0;
    let v: i64;
    for (const eights = words + ((run & ~7) << 3); words < eights; ) {
      v = load<i64>(words);
      a += v * <i64>load<i8>(w);
      b += v * <i64>load<i8>(w1);
      c += v * <i64>load<i8>(w2);
      d += v * <i64>load<i8>(w3);
      v = load<i64>(words, 8);
      a += v * <i64>load<i8>(w, 1);
      b += v * <i64>load<i8>(w1, 1);
      c += v * <i64>load<i8>(w2, 1);
      d += v * <i64>load<i8>(w3, 1);
      v = load<i64>(words, 16);
      a += v * <i64>load<i8>(w, 2);
      b += v * <i64>load<i8>(w1, 2);
      c += v * <i64>load<i8>(w2, 2);
      d += v * <i64>load<i8>(w3, 2);
      v = load<i64>(words, 24);
      a += v * <i64>load<i8>(w, 3);
      b += v * <i64>load<i8>(w1, 3);
      c += v * <i64>load<i8>(w2, 3);
      d += v * <i64>load<i8>(w3, 3);
      v = load<i64>(words, 32);
      a += v * <i64>load<i8>(w, 4);
      b += v * <i64>load<i8>(w1, 4);
      c += v * <i64>load<i8>(w2, 4);
      d += v * <i64>load<i8>(w3, 4);
      v = load<i64>(words, 40);
      a += v * <i64>load<i8>(w, 5);
      b += v * <i64>load<i8>(w1, 5);
      c += v * <i64>load<i8>(w2, 5);
      d += v * <i64>load<i8>(w3, 5);
      v = load<i64>(words, 48);
      a += v * <i64>load<i8>(w, 6);
      b += v * <i64>load<i8>(w1, 6);
      c += v * <i64>load<i8>(w2, 6);
      d += v * <i64>load<i8>(w3, 6);
      v = load<i64>(words, 56);
      a += v * <i64>load<i8>(w, 7);
      b += v * <i64>load<i8>(w1, 7);
      c += v * <i64>load<i8>(w2, 7);
      d += v * <i64>load<i8>(w3, 7);
      words += 64;
      w += 8;
      w1 += 8;
      w2 += 8;
      w3 += 8;
    }
    for (const end = words + ((run & 7) << 3); words < end; words += 8) {
      v = load<i64>(words);
      a += v * <i64>load<i8>(w);
      b += v * <i64>load<i8>(w1);
      c += v * <i64>load<i8>(w2);
      d += v * <i64>load<i8>(w3);
      ++w;
      ++w1;
      ++w2;
      ++w3;
    }
    a0 += lane(a);
    a = next(a);
    a1 += lane(a);
    a2 += <i32>next(a);
    b0 += lane(b);
    b = next(b);
    b1 += lane(b);
    b2 += <i32>next(b);
    c0 += lane(c);
    c = next(c);
    c1 += lane(c);
    c2 += <i32>next(c);
    d0 += lane(d);
    d = next(d);
    d1 += lane(d);
    d2 += <i32>next(d);
  }
  store<i32>(sums, a0);
  store<i32>(sums, b0, 4);
  store<i32>(sums, c0, 8);
  store<i32>(sums, d0, 12);
  store<i32>(sums, a1, 16);
  store<i32>(sums, b1, 20);
  store<i32>(sums, c1, 24);
  store<i32>(sums, d1, 28);
  store<i32>(sums, a2, 32);
  store<i32>(sums, b2, 36);
  store<i32>(sums, c2, 40);
  store<i32>(sums, d2, 44);
}

/** Writes the sum of element `element`, which also decides its draw; its output's channel 0 is element `first`. */
export function put(quant: usize, y: usize, first: i32, element: i32, sum: i32): void {
  const multiplier = <usize>load<i32>(quant, QUANT_MULTIPLIER);
  if (!multiplier) {
    store<i32>(y + ((<usize>element) << 2), sum);
    return;
  }
  const q: usize = load<i32>(quant, QUANT_CHANNELS) == 1 ? 0 : (<usize>(element - first)) << 2;
  const s = load<i32>(<usize>load<i32>(quant, QUANT_SHIFT) + q);
  const r = load<i32>(quant, QUANT_ROUNDING)
    ? stochastic(s, load<i32>(quant, QUANT_KEY), element)
    : nearest(s);
  const m = load<i32>(multiplier + q);
  const zero = load<i32>(quant, QUANT_OUTPUT_ZERO);
  const value = requantizeValue(sum, m, s, r, zero, load<i32>(quant, QUANT_LO), load<i32>(quant, QUANT_HI));
  store<i8>(y + <usize>element, value);
}
