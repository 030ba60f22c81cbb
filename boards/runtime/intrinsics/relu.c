// Intrinsics 10 and 11: the rectifier, forward and backward.
#include "check.h"
#include "intrinsics.h"

Error relu(const Linear *memory, uint32_t x, int32_t n, int32_t zero, uint32_t y, Fault *fault) {
  Check check = checkStart(memory, FN_RELU, fault);
  checkCount(&check, n);
  checkInt8(&check, zero);
  checkPointer(&check, x, (uint64_t)n, 1);
  checkPointer(&check, y, (uint64_t)n, 1);
  if (x != y) checkApart(&check, y, (uint64_t)n, x, (uint64_t)n);
  if (check.error != OM_OK) return check.error;
  const int8_t *from = (const int8_t *)(memory->base + x);
  int8_t *to = (int8_t *)(memory->base + y);
  int8_t least = (int8_t)zero;
  for (int32_t i = 0; i < n; i++) to[i] = from[i] > least ? from[i] : least;
  return OM_OK;
}

Error reluGrad(const Linear *memory, uint32_t y, int32_t n, int32_t zero, uint32_t e, Fault *fault) {
  Check check = checkStart(memory, FN_RELU_GRAD, fault);
  checkCount(&check, n);
  checkInt8(&check, zero);
  checkPointer(&check, y, (uint64_t)n, 1);
  checkPointer(&check, e, (uint64_t)n, 1);
  checkApart(&check, e, (uint64_t)n, y, (uint64_t)n);
  if (check.error != OM_OK) return check.error;
  const int8_t *restrict from = (const int8_t *)(memory->base + y);
  int8_t *restrict errors = (int8_t *)(memory->base + e);
  int8_t least = (int8_t)zero;
  for (int32_t i = 0; i < n; i++) errors[i] = from[i] <= least ? 0 : errors[i];
  return OM_OK;
}
