// Intrinsic 6: a flat run of INT32 values to INT8.
#include "requantize.h"

#include "check.h"
#include "intrinsics.h"

Error requantize(const Linear *memory, uint32_t quant, uint32_t x, int32_t n, uint32_t first, uint32_t y,
                 Fault *fault) {
  Check check = checkStart(memory, FN_REQUANTIZE, fault);
  checkQuantStruct(&check, quant);
  checkCount(&check, n);
  checkZeroPoints(&check, quant);
  checkRequantisation(&check, quant, 1, -128, 127);
  checkPointer(&check, x, (uint64_t)n * 4, 4);
  checkPointer(&check, y, (uint64_t)n, 1);
  checkOutput(&check, y, (uint64_t)n);
  checkRead(&check, x, (uint64_t)n * 4);
  checkReadQuant(&check, quant);
  if (check.error != OM_OK) return check.error;

  Quant q = quantRead(memory, quant);
  int32_t m = loadI32(memory, q.multiplier), s = loadI32(memory, q.shift);
  const int32_t *restrict from = (const int32_t *)(const void *)(memory->base + x);
  int8_t *restrict to = (int8_t *)(memory->base + y);
  if (s >= 32 && q.rounding != 0) {
    // the common case: the upper word of each product is enough
    uint32_t scale = 1u << (s - 32), drawn = q.key + first * DRAW_STEP;
    for (int32_t i = 0; i < n; i++, drawn += DRAW_STEP) {
      int32_t value = stochasticUpper(from[i], m, s, scale, drawn) + q.outputZero;
      to[i] = (int8_t)(value < q.lo ? q.lo : value > q.hi ? q.hi : value);
    }
    return OM_OK;
  }
  int64_t r = roundNearest(s);
  for (int32_t i = 0; i < n; i++) {
    if (q.rounding != 0) r = roundStochastic(s, q.key, first + (uint32_t)i);
    to[i] = (int8_t)requantizeValue(from[i], m, s, r, q.outputZero, q.lo, q.hi);
  }
  return OM_OK;
}
