// Intrinsic 17: softmax with cross-entropy on integers, by base-2 exponentials (Octo, loss; our own integer form).
import { BAD_SHAPE } from "../device/errors";
import * as check from "./check";
import { nearest, requantizeValue } from "./requantize-value";
import { QUANT_MULTIPLIER, QUANT_SHIFT } from "./structs";

const FN: i32 = 17;
/** ln 2 in Q16. */
const LN_2: i64 = 45426;
/** Differences of logits past 2^24 (256 in Q16) are all alike: their probability is zero. */
const FAR: i32 = -(1 << 24);

/**
 * 2^(−i/32) in Q16, i = 0 … 32, from factors 2^(−2^k/32) in Q24: intrinsics.wasm has no data segments, so no table.
 * Eight guard bits keep the rounding of five products below one unit.
 */
function power(i: u32): u32 {
  let value: u64 = 1 << 24;
  if (i & 1) value = (value * 16417715 + (1 << 23)) >> 24;
  if (i & 2) value = (value * 16065917 + (1 << 23)) >> 24;
  if (i & 4) value = (value * 15384775 + (1 << 23)) >> 24;
  if (i & 8) value = (value * 14107901 + (1 << 23)) >> 24;
  if (i & 16) value = (value * 11863283 + (1 << 23)) >> 24;
  if (i & 32) value >>= 1;
  return <u32>((value + 128) >> 8);
}

/** 2^(t / 2^16) in Q16 for t ≤ 0, linear between 33 points: at most 5 units off. */
function exp2(t: i32): u32 {
  const down = <u32>-t;
  const whole = down >> 16;
  if (whole > 16) return 0;
  const i = (down >> 11) & 31;
  const from = power(i);
  // the step between points is below 2^11, times 2^11 fits easily
  const value = from - (((from - power(i + 1)) * (down & 2047)) >> 11);
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
 * @param quant one multiplier: what one unit of a logit is worth in Q16, base 2 (unit · log2 e · 2^16); the rest is not read
 * @param logits int32 [n], 4-aligned; n from 1 to 32,767; @param label 0 … n−1
 * @param errors int32 [n], |error| ≤ 2^16
 * @returns cross-entropy −ln p[label] in Q16 (nats), at most about 178
 */
export function softmaxCrossEntropy(quant: usize, logits: usize, n: i32, label: i32, errors: usize): i32 {
  check.start(FN);
  check.quantStruct(quant);
  check.within(BAD_SHAPE, n, 1, check.MAX_DIM);
  check.within(BAD_SHAPE, label, 0, n - 1);
  check.zeroPoints(quant);
  check.requantisation(quant, 1, i32.MIN_VALUE, i32.MAX_VALUE);
  check.pointer(logits, (<u64>n) << 2, 4);
  check.pointer(errors, (<u64>n) << 2, 4);
  check.output(errors, (<u64>n) << 2);
  check.read(logits, (<u64>n) << 2);
  check.readQuant(quant);

  const end = logits + ((<usize>n) << 2);
  let most = i32.MIN_VALUE;
  for (let at = logits; at < end; at += 4) most = max(most, load<i32>(at));
  const m = load<i32>(<usize>load<i32>(quant, QUANT_MULTIPLIER));
  const s = load<i32>(<usize>load<i32>(quant, QUANT_SHIFT));
  const r = nearest(s);
  let sum: u64 = 0;
  let labelled: i32 = 0;
  for (let i = 0; i < n; ++i) {
    const at = (<usize>i) << 2;
    // accumulators reach 2^31 in magnitude: their difference is taken in 64 bits, then cut
    const below = <i32>max(<i64>load<i32>(logits + at) - <i64>most, <i64>(i32.MIN_VALUE + 1));
    const t = requantizeValue(below, m, s, r, 0, FAR, 0);
    if (i == label) labelled = t;
    const e = exp2(t);
    sum += e;
    store<i32>(errors + at, e);
  }
  for (let i = 0; i < n; ++i) {
    const at = errors + ((<usize>i) << 2);
    // e ≤ 2^16: the quotient in Q16 is at most 2^16
    const p = <i32>((((<u64>load<u32>(at)) << 16) + (sum >> 1)) / sum);
    store<i32>(at, i == label ? p - 65536 : p);
  }
  return <i32>((<i64>(log2(sum) - labelled) * LN_2) >> 16);
}
