// From τ, a typical change of an output, to the limit that pending changes are compared with.
import { CONV2D, Stage } from "./stage";

/** Largest r with r·r ≤ x. */
function isqrt(x: u64): u64 {
  let r: u64 = 0;
  let bit: u64 = (<u64>1) << 31;
  do {
    const t = r | bit;
    if (t * t <= x) r = t;
  } while ((bit >>= 1));
  return r;
}

/** m · 2^−s · x for x < 2^31, Q16. */
function scaled(x: i64, m: i64, s: i32): i64 {
  return s > 16 ? (x * m) >> (s - 16) : (x * m) << (16 - s);
}

/**
 * Pending changes are E = Σ|Δx| under a kernel of n weights. Spread over it with signs at random they move an output by about
 * ‖w‖ · m · E / n, where ‖w‖ is the Euclidean norm of its weights and m its multiplier; τ is compared with the mean of that over the output
 * channels. At most they move it by max|w| · m · E: the bound that `FAST` keeps. τ is Q8; 0 stops at equality.
 */
export function setTolerance(stage: Stage, tau: i32): void {
  stage.spreadShift = 0;
  stage.limit = 0;
  stage.bound = 0;
  if (!tau) return;
  if (stage.kind != CONV2D) {
    // a maximum moves by no more than E
    stage.limit = min(tau >> 8, 254);
    stage.bound = stage.limit;
    return;
  }
  const n = stage.kernelH * stage.kernelW * (stage.previous.c / stage.groups);
  let w = stage.weights;
  let sum: i64 = 0;
  let most: i64 = 0;
  for (let o = 0; o < stage.c; ++o) {
    let squares = 0;
    let largest = 0;
    // 132,104 · 127² < 2^31
    for (const end = w + <usize>n; w < end; ++w) {
      const v = <i32>load<i8>(w);
      squares += v * v;
      largest = max(largest, abs(v));
    }
    const i: usize = stage.channels == 1 ? 0 : (<usize>o) << 2;
    const m = <i64>load<i32>(stage.multiplier + i);
    const s = load<i32>(stage.shift + i);
    // ‖w‖ in Q8
    sum += scaled(isqrt((<u64>squares) << 16), m, s);
    most = max(most, scaled(largest, m, s));
  }
  // Q8 · n · c / Q24
  let limit = sum ? ((<i64>tau * n * stage.c) << 16) / sum : 0;
  limit = min(limit, 254 << 15);
  while (limit >> stage.spreadShift > 254) ++stage.spreadShift;
  stage.limit = <i32>(limit >> stage.spreadShift);
  stage.bound = <i32>min<i64>((((<i64>stage.limit) << stage.spreadShift) * most + 65535) >> 16, 255);
}
