// Intrinsic 17: softmax with cross-entropy on integers, by base-2 exponentials.
#include "check.h"
#include "intrinsics.h"
#include "requantize.h"

/** ln 2 in Q16. */
#define LN_2 45426
/** Differences of logits past 2^24 (256 in Q16) are all alike: their probability is zero. */
#define FAR (-(1 << 24))

/** 2^(−i/32) in Q16, i = 0 … 32, from factors 2^(−2^k/32) in Q24; eight guard bits. */
static uint32_t power(uint32_t i) {
  static const uint32_t factors[] = {16417715, 16065917, 15384775, 14107901, 11863283};
  uint64_t value = 1 << 24;
  for (uint32_t k = 0; k < 5; k++) {
    if ((i >> k & 1) != 0) value = (value * factors[k] + (1 << 23)) >> 24;
  }
  if ((i & 32) != 0) value >>= 1;
  return (uint32_t)((value + 128) >> 8);
}

/** 2^(t / 2^16) in Q16 for t ≤ 0, linear between 33 points. */
static uint32_t exp2Q16(int32_t t) {
  uint32_t down = (uint32_t)-t;
  uint32_t whole = down >> 16;
  if (whole > 16) return 0;
  uint32_t i = down >> 11 & 31;
  uint32_t from = power(i);
  uint32_t value = from - ((from - power(i + 1)) * (down & 2047) >> 11);
  return value >> whole;
}

/** log2(x / 2^16) in Q16 for x ≥ 1, sixteen bits by repeated squaring. */
static int32_t log2Q16(uint64_t x) {
  int32_t bits = 63 - __builtin_clzll(x);
  uint64_t y = bits > 31 ? x >> (bits - 31) : x << (31 - bits);
  int32_t fraction = 0;
  for (int32_t i = 0; i < 16; i++) {
    y = y * y >> 31;
    fraction <<= 1;
    if (y >> 32 != 0) {
      y >>= 1;
      fraction |= 1;
    }
  }
  return (bits - 16) * 65536 + fraction;
}

Error softmaxCrossEntropy(const Linear *memory, uint32_t quant, uint32_t logits, int32_t n, int32_t label,
                          uint32_t errors, int32_t *result, Fault *fault) {
  Check check = checkStart(memory, FN_SOFTMAX_CROSS_ENTROPY, fault);
  uint64_t bytes = (uint64_t)n * 4;
  checkQuantStruct(&check, quant);
  checkWithin(&check, OM_BAD_SHAPE, n, 1, MAX_DIM);
  checkWithin(&check, OM_BAD_SHAPE, label, 0, n > 0 ? n - 1 : 0);
  checkZeroPoints(&check, quant);
  checkRequantisation(&check, quant, 1, INT32_MIN, INT32_MAX);
  checkPointer(&check, logits, bytes, 4);
  checkPointer(&check, errors, bytes, 4);
  checkOutput(&check, errors, bytes);
  checkRead(&check, logits, bytes);
  checkReadQuant(&check, quant);
  if (check.error != OM_OK) return check.error;

  Quant q = quantRead(memory, quant);
  int32_t m = loadI32(memory, q.multiplier), s = loadI32(memory, q.shift);
  int64_t r = roundNearest(s);
  uint32_t count = (uint32_t)n;
  int32_t most = INT32_MIN;
  for (uint32_t i = 0; i < count; i++) {
    int32_t z = loadI32(memory, logits + i * 4);
    if (z > most) most = z;
  }
  uint64_t sum = 0;
  int32_t labelled = 0;
  for (uint32_t i = 0; i < count; i++) {
    // accumulators reach 2^31 in magnitude: their difference is taken in 64 bits, then cut
    int64_t below = (int64_t)loadI32(memory, logits + i * 4) - most;
    if (below < INT32_MIN + 1) below = INT32_MIN + 1;
    int32_t t = requantizeValue((int32_t)below, m, s, r, 0, FAR, 0);
    if (i == (uint32_t)label) labelled = t;
    uint32_t e = exp2Q16(t);
    sum += e;
    storeI32(memory, errors + i * 4, (int32_t)e);
  }
  for (uint32_t i = 0; i < count; i++) {
    uint64_t e = (uint32_t)loadI32(memory, errors + i * 4);
    int32_t p = (int32_t)(((e << 16) + (sum >> 1)) / sum);
    storeI32(memory, errors + i * 4, i == (uint32_t)label ? p - 65536 : p);
  }
  *result = (int32_t)(((int64_t)(log2Q16(sum) - labelled) * LN_2) >> 16);
  return OM_OK;
}
