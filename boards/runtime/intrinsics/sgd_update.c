// Intrinsic 7: plain SGD on int16 master weights; the INT8 weight is the master's rounded top byte.
#include "check.h"
#include "intrinsics.h"
#include "requantize.h"

/** Masters lie in ±32,512 = ±127·256, so that the rounded top byte lies in ±127. */
enum { MASTER_MAX = 32512 };

Error sgdUpdate(const Linear *memory, uint32_t quant, uint32_t dw, int32_t n, uint32_t first, uint32_t w16,
                uint32_t w8, int32_t *result, Fault *fault) {
  Check check = checkStart(memory, FN_SGD_UPDATE, fault);
  uint64_t count = (uint64_t)n;
  checkQuantStruct(&check, quant);
  checkCount(&check, n);
  checkZeroPoints(&check, quant);
  checkRequantisation(&check, quant, 1, -MASTER_MAX, MASTER_MAX);
  checkPointer(&check, dw, count * 4, 4);
  checkPointer(&check, w16, count * 2, 2);
  checkPointer(&check, w8, count, 1);
  checkApart(&check, w16, count * 2, dw, count * 4);
  checkApart(&check, w16, count * 2, w8, count);
  checkApart(&check, w8, count, dw, count * 4);
  if (check.error != OM_OK) return check.error;

  Quant q = quantRead(memory, quant);
  int32_t m = loadI32(memory, q.multiplier), s = loadI32(memory, q.shift);
  const int32_t *restrict gradient = (const int32_t *)(const void *)(memory->base + dw);
  int16_t *restrict master = (int16_t *)(void *)(memory->base + w16);
  int8_t *restrict weight = (int8_t *)(memory->base + w8);
  int64_t r = roundNearest(s);
  int32_t clamped = 0;
  for (int32_t i = 0; i < n; i++) {
    // a zero gradient moves nothing: r < 2^s for either rounding
    if (gradient[i] == 0) continue;
    if (q.rounding != 0) r = roundStochastic(s, q.key, first + (uint32_t)i);
    int32_t moved = master[i] - requantizeValue(gradient[i], m, s, r, 0, -2 * MASTER_MAX, 2 * MASTER_MAX);
    if (moved < q.lo) {
      moved = q.lo;
      clamped++;
    } else if (moved > q.hi) {
      moved = q.hi;
      clamped++;
    }
    master[i] = (int16_t)moved;
    weight[i] = (int8_t)((moved + 128) >> 8);
  }
  *result = clamped;
  return OM_OK;
}
