// Intrinsics 15 and 16: int16 master weights, their first values, and the INT8 weights that they stand for.
#include "check.h"
#include "draws.h"
#include "intrinsics.h"

/** Largest bound: √6 in Q16 needs 18 bits. */
enum { BOUND_MAX = 1 << 18 };

Error drawMasters(const Linear *memory, uint32_t key, int32_t bound, int32_t shift, int32_t n, uint32_t w16,
                  Fault *fault) {
  Check check = checkStart(memory, FN_DRAW_MASTERS, fault);
  checkCount(&check, n);
  checkWithin(&check, OM_BAD_SHAPE, bound, 0, BOUND_MAX);
  checkWithin(&check, OM_BAD_SHAPE, shift, 0, 31);
  checkPointer(&check, w16, (uint64_t)n * 2, 2);
  if (check.error != OM_OK) return check.error;

  int16_t *masters = (int16_t *)(void *)(memory->base + w16);
  for (int32_t i = 0; i < n; i++) {
    int64_t value = ((int64_t)draw(key, (uint32_t)i) - 32768) * bound >> shift;
    masters[i] = (int16_t)(value < INT16_MIN ? INT16_MIN : value > INT16_MAX ? INT16_MAX : value);
  }
  return OM_OK;
}

Error weightsOf(const Linear *memory, uint32_t w16, int32_t n, int32_t halve, uint32_t w8, Fault *fault) {
  Check check = checkStart(memory, FN_WEIGHTS_OF, fault);
  checkCount(&check, n);
  checkWithin(&check, OM_BAD_SHAPE, halve, 0, 1);
  checkPointer(&check, w16, (uint64_t)n * 2, 2);
  checkPointer(&check, w8, (uint64_t)n, 1);
  checkApart(&check, w8, (uint64_t)n, w16, (uint64_t)n * 2);
  if (check.error != OM_OK) return check.error;

  int16_t *masters = (int16_t *)(void *)(memory->base + w16);
  int8_t *weights = (int8_t *)(memory->base + w8);
  for (int32_t i = 0; i < n; i++) {
    masters[i] = (int16_t)((masters[i] + halve) >> halve);
    weights[i] = (int8_t)((masters[i] + 128) >> 8);
  }
  return OM_OK;
}
