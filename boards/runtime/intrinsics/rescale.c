// Intrinsic 22: INT8 to INT8 of another scale and zero point.
#include "check.h"
#include "intrinsics.h"
#include "requantize.h"

static Error checkArguments(const Linear *memory, uint32_t quant, uint32_t xT, uint32_t x, uint32_t yT,
                            uint32_t y, int32_t c0, Fault *fault) {
  Check check = checkStart(memory, FN_RESCALE, fault);
  checkQuantStruct(&check, quant);
  checkTensorStruct(&check, xT);
  checkTensorStruct(&check, yT);
  checkTensorShape(&check, xT);
  checkTensorShape(&check, yT);
  for (uint32_t at = TENSOR_H; at <= TENSOR_W; at += 4)
    checkSame(&check, checkedField(&check, yT + at), checkedField(&check, xT + at));
  int32_t channels = checkedField(&check, xT + TENSOR_C), all = checkedField(&check, yT + TENSOR_C);
  checkWithin(&check, OM_BAD_SHAPE, c0, 0, all - channels);
  checkZeroPoints(&check, quant);
  checkRequantisation(&check, quant, 1, -128, 127);
  uint64_t xBytes = tensorBytes(&check, xT, 1), yBytes = tensorBytes(&check, yT, 1);
  checkPointer(&check, x, xBytes, 1);
  checkPointer(&check, y, yBytes, 1);
  bool same =
      channels == all && checkedField(&check, xT + TENSOR_PITCH) == checkedField(&check, yT + TENSOR_PITCH);
  checkOutput(&check, y, yBytes);
  if (y != x || !same) checkRead(&check, x, xBytes);
  checkReadQuant(&check, quant);
  checkRead(&check, xT, TENSOR_BYTES);
  checkRead(&check, yT, TENSOR_BYTES);
  return check.error;
}

/** `n` neighbouring values, the first of which is element `element` of y. */
static void run(const Quant *q, int32_t m, int32_t s, const int8_t *from, int32_t n, uint32_t element,
                int8_t *to) {
  int64_t r = roundNearest(s);
  int32_t inputZero = q->inputZero, zero = q->outputZero, lo = q->lo, hi = q->hi;
  if (q->rounding == 0 && s >= 32) {
    for (int32_t i = 0; i < n; i++)
      to[i] = (int8_t)requantizeUpper(from[i] - inputZero, m, s, r, zero, lo, hi);
    return;
  }
  for (int32_t i = 0; i < n; i++) {
    if (q->rounding != 0) r = roundStochastic(s, q->key, element + (uint32_t)i);
    to[i] = (int8_t)requantizeValue(from[i] - inputZero, m, s, r, zero, lo, hi);
  }
}

Error rescale(const Linear *memory, uint32_t quant, uint32_t xT, uint32_t x, uint32_t yT, uint32_t y,
              int32_t c0, Fault *fault) {
  Error error = checkArguments(memory, quant, xT, x, yT, y, c0, fault);
  if (error != OM_OK) return error;

  Quant q = quantRead(memory, quant);
  int32_t m = loadI32(memory, q.multiplier), s = loadI32(memory, q.shift);
  int32_t h = loadI32(memory, xT + TENSOR_H), w = loadI32(memory, xT + TENSOR_W);
  int32_t channels = loadI32(memory, xT + TENSOR_C), all = loadI32(memory, yT + TENSOR_C);
  // rows without gaps between the channels are one run
  int32_t runs = channels == all ? 1 : w, n = channels == all ? w * channels : channels;
  for (int32_t row = 0; row < h; row++) {
    const int8_t *from =
        (const int8_t *)(memory->base + x) + (size_t)row * (size_t)loadI32(memory, xT + TENSOR_PITCH);
    int8_t *to = (int8_t *)(memory->base + y) + (size_t)row * (size_t)loadI32(memory, yT + TENSOR_PITCH) + c0;
    uint32_t element = (uint32_t)(row * w) * (uint32_t)all + (uint32_t)c0;
    for (int32_t i = 0; i < runs; i++) {
      run(&q, m, s, from, n, element, to);
      from += n;
      to += all;
      element += (uint32_t)all;
    }
  }
  return OM_OK;
}
