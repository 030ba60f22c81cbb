// The inner products of a convolution. Three neighbouring outputs share one 64-bit multiplication per weight: their
// inputs lie in lanes of 21 bits, x0 + x1·2^21 + x2·2^42, and so do their sums.

/**
 * Products that a lane can take: 60·128·128 = 983,040 < 2^20, whatever the bytes are. Lanes are signed, and what a
 * negative one borrows from the next is given back when they are taken apart.
 */
const LANE_PRODUCTS: usize = 60;

// @ts-ignore: decorator
@inline
function pack(x0: i64, x1: i64, x2: i64): i64 {
  return x0 + (x1 << 21) + (x2 << 42);
}

// @ts-ignore: decorator
@inline
function low(sums: i64): i32 {
  return <i32>((sums << 43) >> 43);
}

// @ts-ignore: decorator
@inline
function middle(sums: i64): i32 {
  return low((sums + (1 << 20)) >> 21);
}

// @ts-ignore: decorator
@inline
function high(sums: i64): i32 {
  return <i32>((sums + ((<i64>1) << 41) + (1 << 20)) >> 42);
}

/**
 * Twelve sums over n bytes: the patches at x, x + n, x + 2n against the kernels at w, w + n, w + 2n, w + 3n. They are
 * handed to `put(context, position, kernel, sum)`, which adds no state to the module.
 */
export function dot3x4(x: usize, w: usize, n: usize, context: usize, o: i32): void {}
