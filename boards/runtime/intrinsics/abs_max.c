// Intrinsics 4 and 5: the largest magnitude of a tensor, from which a dynamic scale is made.
#include "check.h"
#include "intrinsics.h"

Error absMaxS8(const Linear *memory, uint32_t x, int32_t n, int32_t *result, Fault *fault) {
  Check check = checkStart(memory, FN_ABS_MAX_S8, fault);
  checkCount(&check, n);
  checkPointer(&check, x, (uint64_t)n, 1);
  if (check.error != OM_OK) return check.error;
  const int8_t *from = (const int8_t *)(memory->base + x);
  // the extremes separately: int8 has no 128
  int8_t least = 0, most = 0;
  for (int32_t i = 0; i < n; i++) {
    least = from[i] < least ? from[i] : least;
    most = from[i] > most ? from[i] : most;
  }
  *result = -least > most ? -least : most;
  return OM_OK;
}

Error absMaxS32(const Linear *memory, uint32_t x, int32_t n, int32_t *result, Fault *fault) {
  Check check = checkStart(memory, FN_ABS_MAX_S32, fault);
  checkCount(&check, n);
  checkPointer(&check, x, (uint64_t)n * 4, 4);
  if (check.error != OM_OK) return check.error;
  const int32_t *from = (const int32_t *)(const void *)(memory->base + x);
  int32_t least = 0, most = 0;
  for (int32_t i = 0; i < n; i++) {
    least = from[i] < least ? from[i] : least;
    most = from[i] > most ? from[i] : most;
  }
  // 2^31 has no positive twin
  if (least == INT32_MIN) least = -INT32_MAX;
  *result = -least > most ? -least : most;
  return OM_OK;
}
