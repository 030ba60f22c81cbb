// Softmax with cross-entropy on integers: base-2 exponentials from a table (Octo, loss; our own integer form).
import { nearest, requantizeValue } from "../int8/requantize-value";
import { Scale } from "./scale";

/** 2^(−i/32) in Q16, i = 0 … 32. */
const EXP2: usize = memory.data<u32>([
  65536, 64132, 62757, 61413, 60097, 58809, 57549, 56316, 55109, 53928, 52773, 51642, 50535, 49452, 48393, 47356, 46341,
  45348, 44376, 43425, 42495, 41584, 40693, 39821, 38968, 38133, 37316, 36516, 35734, 34968, 34219, 33486, 32768,
]);
/** log2(e) in Q30 and ln 2 in Q16. */
const LOG2_E: u64 = 1549082005;
const LN_2: i64 = 45426;
/** Differences of logits past 2^24 (256 in Q16) are all alike: their probability is zero. */
const FAR: i32 = -(1 << 24);

/** 2^(t / 2^16) in Q16 for t ≤ 0, linear between 33 points: at most 4 units off. */
function exp2(t: i32): u32 {
  const down = <u32>-t;
  const whole = down >> 16;
  if (whole > 16) return 0;
  const at = EXP2 + <usize>((down >> 11) & 31) * 4;
  const from = load<u32>(at);
  // the step between points is below 2^11, times 2^11 fits easily
  const value = from - (((from - load<u32>(at, 4)) * (down & 2047)) >> 11);
  return value >> whole;
}

/** log2(x / 2^16) in Q16 for x ≥ 1, sixteen bits by repeated squaring. */
function log2(x: u64): i32 {
  const bits = 63 - <i32>clz(x);
  let y = bits > 31 ? x >> (bits - 31) : x << (31 - bits);
  let fraction = 0;
  for (let i = 0; i < 16; ++i) {
    y = (y * y) >> 31;
    fraction <<= 1;
    if (y >> 32) {
      y >>= 1;
      fraction |= 1;
    }
  }
  return ((bits - 16) << 16) + fraction;
}

/**
 * errors[i] = (softmax(logits)[i] − [i = label]) in Q16.
 *
 * @param logits int32 [n], one unit worth `unit`; @param label 0 … n−1
 * @param factor a scale to work with; @param errors int32 [n], |error| ≤ 2^16
 * @returns cross-entropy −ln p[label] in Q16 (nats), at most about 178
 */
export function softmaxCrossEntropy(
  logits: usize, n: i32, label: i32, unit: Scale, factor: Scale, errors: usize,
): i32 {
  let most = i32.MIN_VALUE;
  const end = logits + (<usize>n << 2);
  for (let at = logits; at < end; at += 4) most = max(most, load<i32>(at));
  factor.set(LOG2_E, -30 + 16).multiply(unit);
  const m = factor.multiplier;
  const s = factor.shift;
  const r = nearest(s);
  let sum: u64 = 0;
  let labelled: i32 = 0;
  for (let i = 0; i < n; ++i) {
    // logits are accumulators of at most 2^31 in magnitude: their difference is taken in 64 bits, then cut
    const below = <i32>max(<i64>load<i32>(logits + (<usize>i << 2)) - <i64>most, <i64>(i32.MIN_VALUE + 1));
    const t = requantizeValue(below, m, s, r, 0, FAR, 0);
    if (i == label) labelled = t;
    const e = exp2(t);
    sum += e;
    store<i32>(errors + (<usize>i << 2), e);
  }
  for (let i = 0; i < n; ++i) {
    const at = errors + (<usize>i << 2);
    // e ≤ 2^16: the quotient in Q16 is at most 2^16
    const p = <i32>((((<u64>load<u32>(at)) << 16) + (sum >> 1)) / sum);
    store<i32>(at, i == label ? p - 65536 : p);
  }
  return <i32>((<i64>(log2(sum) - labelled) * LN_2) >> 16);
}
