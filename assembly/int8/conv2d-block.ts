// Blocks of a convolution's outputs: the inner products, and what becomes of the sums. In a block of three neighbouring
// outputs one 64-bit multiplication serves all three: their inputs lie in lanes of 21 bits, x0 + x1·2^21 + x2·2^42, and so
// do their sums.
import { nearest, requantizeValue, stochastic } from "./requantize-value";
import {
  QUANT_CHANNELS,
  QUANT_HI,
  QUANT_INPUT_ZERO,
  QUANT_KEY,
  QUANT_LO,
  QUANT_MULTIPLIER,
  QUANT_OUTPUT_ZERO,
  QUANT_ROUNDING,
  QUANT_SHIFT,
} from "./structs";

/**
 * Products that a lane takes before it is emptied: 60·128·128 = 983,040 < 2^20, whatever the bytes are. Lanes are
 * signed: what a negative one borrows from the next comes back when they are taken apart.
 */
const LANE_PRODUCTS: usize = 60;

// @ts-ignore: decorator
@inline
function pack(x0: i64, x1: i64, x2: i64): i64 {
  return x0 + (x1 << 21) + (x2 << 42);
}

// @ts-ignore: decorator
@inline
function lane0(sums: i64): i32 {
  return <i32>((sums << 43) >> 43);
}

// @ts-ignore: decorator
@inline
function lane1(sums: i64): i32 {
  return <i32>(((sums + (1 << 20)) << 22) >> 43);
}

// @ts-ignore: decorator
@inline
function lane2(sums: i64): i32 {
  return <i32>((sums + (((<i64>1) << 41) | (1 << 20))) >> 42);
}

/** What every sum of channel o starts from: its bias, less the input zero point times its n weights at w. */
function start(quant: usize, bias: usize, o: i32, w: usize, n: usize): i32 {
  let sum = bias ? load<i32>(bias + ((<usize>o) << 2)) : 0;
  const zero = load<i32>(quant, QUANT_INPUT_ZERO);
  if (!zero) return sum;
  for (const end = w + n; w < end; ++w) sum -= zero * load<i8>(w);
  return sum;
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

/** One output: the patch of n bytes at x against the kernel at w. */
export function block1x1(
  x: usize,
  w: usize,
  n: usize,
  quant: usize,
  bias: usize,
  y: usize,
  first: i32,
  o: i32,
): void {
  let sum = start(quant, bias, o, w, n);
  for (const end = x + n; x < end; ++x, ++w) sum += load<i8>(x) * load<i8>(w);
  put(quant, y, first, first + o, sum);
}

/** One output of four channels: the patch of n bytes at x against the kernels at w, w + n, w + 2n and w + 3n. */
export function block1x4(
  x: usize,
  w: usize,
  n: usize,
  quant: usize,
  bias: usize,
  y: usize,
  first: i32,
  o: i32,
): void {
  let w1 = w + n;
  let w2 = w1 + n;
  let w3 = w2 + n;
  let a = start(quant, bias, o, w, n);
  let b = start(quant, bias, o + 1, w1, n);
  let c = start(quant, bias, o + 2, w2, n);
  let d = start(quant, bias, o + 3, w3, n);
  let v: i32;
  for (const pairs = x + (n & ~1); x < pairs; ) {
    v = load<i8>(x);
    a += v * load<i8>(w);
    b += v * load<i8>(w1);
    c += v * load<i8>(w2);
    d += v * load<i8>(w3);
    v = load<i8>(x, 1);
    a += v * load<i8>(w, 1);
    b += v * load<i8>(w1, 1);
    c += v * load<i8>(w2, 1);
    d += v * load<i8>(w3, 1);
    x += 2;
    w += 2;
    w1 += 2;
    w2 += 2;
    w3 += 2;
  }
  if (n & 1) {
    v = load<i8>(x);
    a += v * load<i8>(w);
    b += v * load<i8>(w1);
    c += v * load<i8>(w2);
    d += v * load<i8>(w3);
  }
  const element = first + o;
  put(quant, y, first, element, a);
  put(quant, y, first, element + 1, b);
  put(quant, y, first, element + 2, c);
  put(quant, y, first, element + 3, d);
}

/**
 * Three outputs of four channels: the patches of n bytes at x, x + n and x + 2n against the kernels at w, w + n, w + 2n
 * and w + 3n; outputs lie `channels` elements apart.
 */
export function block3x4(
  x: usize,
  w: usize,
  n: usize,
  quant: usize,
  bias: usize,
  y: usize,
  first: i32,
  o: i32,
  channels: i32,
): void {
  let w1 = w + n;
  let w2 = w1 + n;
  let w3 = w2 + n;
  let x1 = x + n;
  let x2 = x1 + n;
  let a0 = start(quant, bias, o, w, n);
  let b0 = start(quant, bias, o + 1, w1, n);
  let c0 = start(quant, bias, o + 2, w2, n);
  let d0 = start(quant, bias, o + 3, w3, n);
  let a1 = a0;
  let a2 = a0;
  let b1 = b0;
  let b2 = b0;
  let c1 = c0;
  let c2 = c0;
  let d1 = d0;
  let d2 = d0;
  for (let left = n; left; ) {
    const run = min(left, LANE_PRODUCTS);
    left -= run;
    let a: i64 = 0;
    let b: i64 = 0;
    let c: i64 = 0;
    let d: i64 = 0;
    let v: i64;
    const end = x + run;
    for (const fours = x + (run & ~3); x < fours; ) {
      v = pack(load<i8>(x), load<i8>(x1), load<i8>(x2));
      a += v * <i64>load<i8>(w);
      b += v * <i64>load<i8>(w1);
      c += v * <i64>load<i8>(w2);
      d += v * <i64>load<i8>(w3);
      v = pack(load<i8>(x, 1), load<i8>(x1, 1), load<i8>(x2, 1));
      a += v * <i64>load<i8>(w, 1);
      b += v * <i64>load<i8>(w1, 1);
      c += v * <i64>load<i8>(w2, 1);
      d += v * <i64>load<i8>(w3, 1);
      v = pack(load<i8>(x, 2), load<i8>(x1, 2), load<i8>(x2, 2));
      a += v * <i64>load<i8>(w, 2);
      b += v * <i64>load<i8>(w1, 2);
      c += v * <i64>load<i8>(w2, 2);
      d += v * <i64>load<i8>(w3, 2);
      v = pack(load<i8>(x, 3), load<i8>(x1, 3), load<i8>(x2, 3));
      a += v * <i64>load<i8>(w, 3);
      b += v * <i64>load<i8>(w1, 3);
      c += v * <i64>load<i8>(w2, 3);
      d += v * <i64>load<i8>(w3, 3);
      x += 4;
      x1 += 4;
      x2 += 4;
      w += 4;
      w1 += 4;
      w2 += 4;
      w3 += 4;
    }
    while (x < end) {
      v = pack(load<i8>(x), load<i8>(x1), load<i8>(x2));
      a += v * <i64>load<i8>(w);
      b += v * <i64>load<i8>(w1);
      c += v * <i64>load<i8>(w2);
      d += v * <i64>load<i8>(w3);
      ++x;
      ++x1;
      ++x2;
      ++w;
      ++w1;
      ++w2;
      ++w3;
    }
    a0 += lane0(a);
    a1 += lane1(a);
    a2 += lane2(a);
    b0 += lane0(b);
    b1 += lane1(b);
    b2 += lane2(b);
    c0 += lane0(c);
    c1 += lane1(c);
    c2 += lane2(c);
    d0 += lane0(d);
    d1 += lane1(d);
    d2 += lane2(d);
  }
  let element = first + o;
  for (let position = 0; position < 3; ++position) {
    put(quant, y, first, element, a0);
    put(quant, y, first, element + 1, b0);
    put(quant, y, first, element + 2, c0);
    put(quant, y, first, element + 3, d0);
    first += channels;
    element += channels;
    a0 = a1;
    a1 = a2;
    b0 = b1;
    b1 = b2;
    c0 = c1;
    c1 = c2;
    d0 = d1;
    d1 = d2;
  }
}
