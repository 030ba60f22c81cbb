// Intrinsics 12 and 13: int32 → int32 requantisation, for biases.
#include "check.h"
#include "conv2d_learn.h"
#include "requantize.h"

/** Biases lie in ±2^30: that leaves accumulators 2^30 for products. */
enum { BIAS_MAX = 1 << 30 };

/** Of n elements at x and `count` at y. */
static Error checkArguments(const Linear *memory, int32_t fn, uint32_t quant, uint32_t x, int32_t n,
                            uint32_t y, uint64_t count, Fault *fault) {
  Check check = checkStart(memory, fn, fault);
  checkQuantStruct(&check, quant);
  checkCount(&check, n);
  checkZeroPoints(&check, quant);
  checkRequantisation(&check, quant, 1, -BIAS_MAX, BIAS_MAX);
  checkPointer(&check, x, (uint64_t)n * 4, 4);
  checkPointer(&check, y, count * 4, 4);
  checkOutput(&check, y, count * 4);
  checkRead(&check, x, (uint64_t)n * 4);
  checkReadQuant(&check, quant);
  return check.error;
}

/** What a call needs of its Quant: read once, so that a shift stays in range even if y lies over the tables. */
typedef struct Scale {
  Quant q;
  int32_t m, s;
} Scale;

static Scale scaleRead(const Linear *memory, uint32_t quant) {
  Quant q = quantRead(memory, quant);
  return (Scale){q, loadI32(memory, q.multiplier), loadI32(memory, q.shift)};
}

/** Requantised value; its draw is that of element `index`. Zero points are not used. */
static int32_t value(const Scale *scale, int32_t x, uint32_t index) {
  const Quant *q = &scale->q;
  int64_t r = q->rounding != 0 ? roundStochastic(scale->s, q->key, index) : roundNearest(scale->s);
  return requantizeValue(x, scale->m, scale->s, r, 0, q->lo, q->hi);
}

Error requantize32(const Linear *memory, uint32_t quant, uint32_t x, int32_t n, uint32_t first, uint32_t y,
                   Fault *fault) {
  Error error = checkArguments(memory, FN_REQUANTIZE32, quant, x, n, y, (uint64_t)n, fault);
  if (error != OM_OK) return error;
  Scale scale = scaleRead(memory, quant);
  for (uint32_t i = 0; i < (uint32_t)n; i++) {
    storeI32(memory, y + i * 4, value(&scale, loadI32(memory, x + i * 4), first + i));
  }
  return OM_OK;
}

Error update32Check(const Linear *memory, uint32_t quant, uint32_t x, int32_t n, uint32_t y, uint64_t count,
                    Fault *fault) {
  return checkArguments(memory, FN_SGD_UPDATE32, quant, x, n, y, count, fault);
}

void update32Run(const Linear *memory, uint32_t quant, uint32_t x, int32_t n, uint32_t first, uint32_t y) {
  Scale scale = scaleRead(memory, quant);
  int32_t lo = scale.q.lo, hi = scale.q.hi;
  for (uint32_t i = 0; i < (uint32_t)n; i++) {
    // whatever y held before, its distance from a value of ±2^30 is taken in 64 bits
    int64_t moved =
        (int64_t)loadI32(memory, y + i * 4) - value(&scale, loadI32(memory, x + i * 4), first + i);
    storeI32(memory, y + i * 4, (int32_t)(moved < lo ? lo : moved > hi ? hi : moved));
  }
}

Error sgdUpdate32(const Linear *memory, uint32_t quant, uint32_t x, int32_t n, uint32_t first, uint32_t y,
                  Fault *fault) {
  Error error = update32Check(memory, quant, x, n, y, (uint64_t)n, fault);
  if (error == OM_OK) update32Run(memory, quant, x, n, first, y);
  return error;
}
