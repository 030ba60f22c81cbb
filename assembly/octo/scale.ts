// Real numbers as mantissa and exponent: the scales of tensors (Octo §3.1, per-tensor quantisation), without floats.

/** Value m·2^e with m in [2^30, 2^31): 31 significant bits. Zero does not occur: scales are positive. */
@unmanaged
export class Scale {
  m: i32;
  e: i32;

  /** value·2^e; the bits past 31 are cut off. A value of 0 becomes the smallest that rounding ever sees. */
  set(value: u64, e: i32): Scale {
    const bits = 64 - <i32>clz(value | 1);
    this.m = <i32>(bits > 31 ? value >> (bits - 31) : (value | 1) << (31 - bits));
    this.e = e + bits - 31;
    return this;
  }

  copy(from: Scale): Scale {
    this.m = from.m;
    this.e = from.e;
    return this;
  }

  /** Both mantissas are below 2^31: the product fits u64. */
  multiply(by: Scale): Scale {
    return this.set(<u64>this.m * <u64>by.m, this.e + by.e);
  }

  /** (m << 32) < 2^63; the quotient has 32 or 33 bits. */
  divide(by: Scale): Scale {
    return this.set(((<u64>this.m) << 32) / <u64>by.m, this.e - by.e - 32);
  }

  /** Whether requantisation can express the factor: 1 ≤ s ≤ 62 for s = −e. Below it nothing would ever move. */
  get vanishes(): bool {
    return this.e < -62;
  }

  /** Mantissa for requantisation; a factor past the largest saturates. */
  get multiplier(): i32 {
    return this.e > -1 ? i32.MAX_VALUE : this.m;
  }

  /** Shift for requantisation, 1 … 62. */
  get shift(): i32 {
    return min(max(-this.e, 1), 62);
  }
}
