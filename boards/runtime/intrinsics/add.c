// Intrinsics 20 and 21: the sum of two tensors of different scales, and the sum of two errors.
#include "check.h"
#include "intrinsics.h"
#include "requantize.h"

/** One summand: where it lies, its zero point and its factor m·2^−s. */
typedef struct Summand {
  const int8_t *from;
  int32_t zero, m, s;
} Summand;

static Summand summandRead(const Linear *memory, uint32_t quant, uint32_t at) {
  Quant q = quantRead(memory, quant);
  return (Summand){(const int8_t *)(memory->base + at), q.inputZero, loadI32(memory, q.multiplier),
                   loadI32(memory, q.shift)};
}

static Error checkAdd(const Linear *memory, uint32_t quantA, uint32_t a, uint32_t quantB, uint32_t b,
                      int32_t n, uint32_t y, Fault *fault) {
  Check check = checkStart(memory, FN_ADD, fault);
  uint64_t bytes = (uint64_t)n;
  checkQuantStruct(&check, quantA);
  checkQuantStruct(&check, quantB);
  checkCount(&check, n);
  checkZeroPoints(&check, quantA);
  checkRequantisation(&check, quantA, 1, -128, 127);
  checkZeroPoints(&check, quantB);
  checkRequantisation(&check, quantB, 1, -128, 127);
  checkPointer(&check, a, bytes, 1);
  checkPointer(&check, b, bytes, 1);
  checkPointer(&check, y, bytes, 1);
  checkOutput(&check, y, bytes);
  if (y != a) checkRead(&check, a, bytes);
  if (y != b) checkRead(&check, b, bytes);
  checkReadQuant(&check, quantA);
  checkReadQuant(&check, quantB);
  return check.error;
}

/** Where shifts lie far apart or are small: the smaller one is applied last. far.s ≥ near.s. */
static void addAny(const Quant *q, Summand far, Summand near, int32_t n, uint32_t first, int8_t *to) {
  int64_t r = roundNearest(far.s);
  for (int32_t i = 0; i < n; i++) {
    if (q->rounding != 0) r = roundStochastic(far.s, q->key, first + (uint32_t)i);
    int64_t below = (int64_t)(far.from[i] - far.zero) * far.m + r;
    int64_t sum = (int64_t)(near.from[i] - near.zero) * near.m + (below >> (far.s - near.s));
    int64_t value = (sum >> near.s) + q->outputZero;
    to[i] = (int8_t)(value < q->lo ? q->lo : value > q->hi ? q->hi : value);
  }
}

/** Bits that a factor may be shifted to the left: |v|·2^31·2^22 < 2^61 for |v| ≤ 255. */
enum { ROOM = 22 };

/**
 * Both factors brought to one shift of at least 32, so that the sum's upper word is enough. |sum| < 2·2^61 + 2^62 = 2^63.
 */
static void addUpper(const Quant *q, Summand a, Summand b, int32_t s, int32_t n, uint32_t first, int8_t *to) {
  int32_t finest = a.s > b.s ? a.s : b.s;
  int64_t mA = (int64_t)a.m << (s - a.s), mB = (int64_t)b.m << (s - b.s);
  // what zero points add up to is the same for every element
  int64_t constant = -mA * a.zero - mB * b.zero;
  int64_t r = constant + roundNearest(s);
  int32_t zero = q->outputZero, lo = q->lo, hi = q->hi, shift = s - 32;
  for (int32_t i = 0; i < n; i++) {
    if (q->rounding != 0)
      r = constant + (roundStochastic(finest, q->key, first + (uint32_t)i) << (s - finest));
    int32_t value = ((int32_t)((a.from[i] * mA + b.from[i] * mB + r) >> 32) >> shift) + zero;
    to[i] = (int8_t)(value < lo ? lo : value > hi ? hi : value);
  }
}

Error add(const Linear *memory, uint32_t quantA, uint32_t a, uint32_t quantB, uint32_t b, int32_t n,
          uint32_t first, uint32_t y, Fault *fault) {
  Error error = checkAdd(memory, quantA, a, quantB, b, n, y, fault);
  if (error != OM_OK) return error;

  Quant q = quantRead(memory, quantA);
  Summand one = summandRead(memory, quantA, a), other = summandRead(memory, quantB, b);
  int8_t *to = (int8_t *)(memory->base + y);
  int32_t most = one.s > other.s ? one.s : other.s, least = one.s < other.s ? one.s : other.s;
  int32_t s = most > 32 ? most : 32;
  if (s - least <= ROOM) {
    addUpper(&q, one, other, s, n, first, to);
  } else if (one.s == most) {
    addAny(&q, one, other, n, first, to);
  } else {
    addAny(&q, other, one, n, first, to);
  }
  return OM_OK;
}

Error addGrad(const Linear *memory, uint32_t quant, uint32_t e, int32_t n, uint32_t first, uint32_t y,
              Fault *fault) {
  Check check = checkStart(memory, FN_ADD_GRAD, fault);
  uint64_t bytes = (uint64_t)n * 4;
  checkQuantStruct(&check, quant);
  checkCount(&check, n);
  checkZeroPoints(&check, quant);
  checkRequantisation(&check, quant, 1, INT32_MIN, INT32_MAX);
  checkPointer(&check, e, (uint64_t)n, 1);
  checkPointer(&check, y, bytes, 4);
  checkOutput(&check, y, bytes);
  checkRead(&check, e, (uint64_t)n);
  checkReadQuant(&check, quant);
  if (check.error != OM_OK) return check.error;

  Quant q = quantRead(memory, quant);
  int32_t m = loadI32(memory, q.multiplier), s = loadI32(memory, q.shift);
  const int8_t *restrict from = (const int8_t *)(memory->base + e);
  int32_t *restrict to = (int32_t *)(void *)(memory->base + y);
  int64_t r = roundNearest(s);
  for (int32_t i = 0; i < n; i++) {
    if (q.rounding != 0) r = roundStochastic(s, q.key, first + (uint32_t)i);
    int64_t sum = to[i] + (((int64_t)(from[i] - q.inputZero) * m + r) >> s);
    to[i] = (int32_t)(sum < q.lo ? q.lo : sum > q.hi ? q.hi : sum);
  }
  return OM_OK;
}
