// Real numbers as mantissa and exponent: the scales of tensors (Octo §3.1, per-tensor quantisation), without floats.

/**
 * m·2^e with m in [2^30, 2^31), 31 significant bits: the mantissa is the low word, the exponent the high one. A value of its
 * own, so that it needs no memory. Positive; 0 stands for "nothing".
 */
export type Scale = i64;

/** value·2^e; bits past 31 are cut off. The lowest bit of `value` counts as set, so that 0 becomes the smallest scale. */
export function scaleOf(value: u64, e: i32): Scale {
  value |= 1;
  const zeros = clz(value);
  return <i64>((value << zeros) >> 33) | ((<i64>(e + 33 - <i32>zeros)) << 32);
}

/** A whole number as it is: scaleOf() takes 10 for 11. */
export function whole(value: u32): Scale {
  return scaleOf((<u64>value) << 32, -32);
}

/** Both mantissas are below 2^31: the product fits u64. */
export function multiply(a: Scale, b: Scale): Scale {
  return scaleOf(mantissa(a) * mantissa(b), exponent(a) + exponent(b));
}

/** (m << 32) < 2^63; the quotient has 32 or 33 bits. */
export function divide(a: Scale, b: Scale): Scale {
  return scaleOf((mantissa(a) << 32) / mantissa(b), exponent(a) - exponent(b) - 32);
}

/** Mantissas shifted by 31 bits are below 2^62, their sum below 2^63. */
export function add(a: Scale, b: Scale): Scale {
  const apart = exponent(a) - exponent(b);
  if (apart < 0) return add(b, a);
  if (apart > 31) return a;
  return scaleOf((mantissa(a) << 31) + ((mantissa(b) << 31) >> apart), exponent(a) - 31);
}

/** √a to 31 bits: its mantissa is widened to 62 or 63, so that the exponent is even. */
export function sqrt(a: Scale): Scale {
  const odd = exponent(a) & 1;
  return scaleOf(isqrt(mantissa(a) << (32 - odd)), (exponent(a) - 32 + odd) >> 1);
}

/** Largest r with r·r ≤ x. */
export function isqrt(x: u64): u64 {
  let r: u64 = 0;
  let bit: u64 = (<u64>1) << 31;
  do {
    const t = r | bit;
    if (t * t <= x) r = t;
  } while ((bit >>= 1));
  return r;
}

/**
 * value·by, rounded by a 16-bit draw (2^15: to nearest) and clamped to ±most. The value is cut to 31 bits before: the product
 * stays below 2^62, and with less than 2^62 to round it, below 2^63.
 */
export function apply(value: i64, by: Scale, most: i64, draw: u32): i64 {
  if (!value) return 0;
  const wide = max(33 - <i32>clz(<u64>abs(value)), 0);
  const shift = -exponent(by) - wide;
  const product = (value >> wide) * <i64>mantissa(by);
  if (shift < 0) {
    // whatever passes `most` would saturate; the rest has room for the shift
    if (shift < -62 || abs(product) > most >> -shift) return value < 0 ? -most : most;
    return product << -shift;
  }
  if (shift > 62) return 0;
  const round = shift < 16 ? <i64>draw >> (16 - shift) : (<i64>draw) << (shift - 16);
  return max(min((product + round) >> shift, most), -most);
}

// @ts-ignore: decorator
@inline
/** scale·2^n. */
export function times2(scale: Scale, n: i32): Scale {
  return scale + ((<i64>n) << 32);
}

// @ts-ignore: decorator
@inline
export function mantissa(scale: Scale): u64 {
  return <u64>(<u32>scale);
}

// @ts-ignore: decorator
@inline
export function exponent(scale: Scale): i32 {
  return <i32>(scale >> 32);
}
