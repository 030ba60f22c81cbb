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

/** Both mantissas are below 2^31: the product fits u64. */
export function multiply(a: Scale, b: Scale): Scale {
  return scaleOf(mantissa(a) * mantissa(b), exponent(a) + exponent(b));
}

/** (m << 32) < 2^63; the quotient has 32 or 33 bits. */
export function divide(a: Scale, b: Scale): Scale {
  return scaleOf((mantissa(a) << 32) / mantissa(b), exponent(a) - exponent(b) - 32);
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
