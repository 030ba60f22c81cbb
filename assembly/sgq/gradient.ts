// Gradients from the host to a device (docs/sgq.md): a power-of-two scale per group of channels, values rounded
// stochastically, so that their mean is the gradient itself.
import { draw } from "../int8/rng";

/** Largest magnitude of a value of 4 or 8 bits; the negative end is not used. */
function largest(bits: i32): u32 {
  return bits == 4 ? 7 : 127;
}

/** The smallest shift s with ⌈|v| / 2^s⌉ ≤ limit for all of them: nothing clamps, however the draws fall. `peak` ≤ 2^31. */
function shiftOf(peak: u32, limit: u32): i32 {
  let s = 0;
  while (<u32>((<u64>peak + ((<u64>1) << s) - 1) >> s) > limit) ++s;
  return s;
}

/**
 * Values of 4 or 8 bits (one byte each) and exponents of int32 gradients [n, c].
 * value[i] = (v + r) >> s with r = draw(key, i) scaled to [0, 2^s): unbiased to 2^−16 of a step, variance ≤ 4^s / 4.
 *
 * @param exponent what one unit of the int32 is worth, as a power of two; exponents of groups become exponent + s ≤ 127
 */
export function quantizeGradient(
  x: usize,
  n: i32,
  c: i32,
  group: i32,
  bits: i32,
  exponent: i32,
  key: u32,
  values: usize,
  exponents: usize,
): void {
  for (let g = 0; g < c; g += group) {
    let peak: u32 = 0;
    for (let i = 0; i < n; ++i) {
      for (let k = g; k < g + group; ++k) {
        const v = load<i32>(x + ((<usize>(i * c + k)) << 2));
        peak = max(peak, <u32>(v < 0 ? -v : v));
      }
    }
    const s = shiftOf(peak, largest(bits));
    store<i8>(exponents + <usize>(g / group), exponent + s);
    for (let i = 0; i < n; ++i) {
      for (let k = g; k < g + group; ++k) {
        const at = i * c + k;
        const random = ((<i64>draw(key, at)) << s) >> 16;
        store<i8>(values + <usize>at, <i32>((<i64>load<i32>(x + ((<usize>at) << 2)) + random) >> s));
      }
    }
  }
}

/** Two values of 4 bits in a byte, the first one in its low nibble. In place; an odd last one is alone. */
export function packNibbles(values: usize, n: i32): void {
  for (let i = 0; i < n; i += 2) {
    const high = i + 1 < n ? <u32>load<u8>(values + <usize>i, 1) & 15 : 0;
    store<u8>(values + <usize>(i >> 1), (<u32>load<u8>(values + <usize>i) & 15) | (high << 4));
  }
}

/** The reverse, to another place. */
export function unpackNibbles(packed: usize, n: i32, values: usize): void {
  for (let i = 0; i < n; ++i) {
    const byte = <i32>load<u8>(packed + <usize>(i >> 1));
    store<i8>(values + <usize>i, (((i & 1 ? byte >> 4 : byte) & 15) ^ 8) - 8);
  }
}
