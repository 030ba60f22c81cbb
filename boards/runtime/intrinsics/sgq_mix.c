// Intrinsic 66: what the channels of a group share (SGQ's form 1).
#include "check.h"
#include "intrinsics.h"

Error sgqMix(const Linear *memory, uint32_t xT, uint32_t x, uint32_t weights, int32_t group, uint32_t s,
             Fault *fault) {
  Check check = checkStart(memory, FN_SGQ_MIX, fault);
  checkTensorStruct(&check, xT);
  checkTensorShape(&check, xT);
  checkWithin(&check, OM_BAD_SHAPE, group, 1, 256);
  if (check.error != OM_OK) return check.error;
  int32_t h = loadI32(memory, xT + TENSOR_H), w = loadI32(memory, xT + TENSOR_W);
  int32_t c = loadI32(memory, xT + TENSOR_C);
  if (c % group != 0) checkSame(&check, c, group);
  uint64_t bytes = tensorBytes(&check, xT, 1), n = (uint64_t)(h * w) * (uint64_t)(c / group);
  checkPointer(&check, x, bytes, 1);
  checkPointer(&check, weights, (uint64_t)c, 1);
  checkPointer(&check, s, n, 1);
  checkApart(&check, s, n, xT, TENSOR_BYTES);
  checkApart(&check, s, n, x, bytes);
  checkApart(&check, s, n, weights, (uint64_t)c);
  if (check.error != OM_OK) return check.error;

  size_t pitch = (size_t)loadI32(memory, xT + TENSOR_PITCH);
  const int8_t *row = (const int8_t *)memory->base + x;
  int8_t *out = (int8_t *)memory->base + s;
  for (int32_t y = 0; y < h; y++, row += pitch) {
    const int8_t *from = row;
    for (int32_t left = w; left > 0; left--) {
      const int8_t *weight = (const int8_t *)memory->base + weights;
      for (int32_t k = c; k > 0; k -= group) {
        int32_t sum = 64; // |Σ| ≤ 256·128·128 = 2^22
        for (int32_t i = group; i > 0; i--) sum += *from++ * *weight++;
        sum >>= 7;
        *out++ = (int8_t)(sum > 127 ? 127 : sum < -128 ? -128 : sum);
      }
    }
  }
  return OM_OK;
}
