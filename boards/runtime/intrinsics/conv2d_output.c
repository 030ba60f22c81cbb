// What becomes of a convolution's sums.
#include "conv2d_output.h"

// functions of their own, so that everything that they need is in registers

void putAlike(const Output *out, const int32_t *sums, size_t at, int32_t count) {
  int32_t m = out->multiplier[0], s = out->shift[0];
  int32_t zero = out->quant.outputZero, lo = out->quant.lo, hi = out->quant.hi;
  int64_t r = out->nearest;
  int8_t *to = out->y8 + at;
  for (int32_t i = 0; i < count; i++) to[i] = (int8_t)requantizeUpper(sums[i], m, s, r, zero, lo, hi);
}

void putFour(const Output *out, const int32_t sums[4], int8_t *to, size_t step) {
  int32_t m = out->multiplier[0], s = out->shift[0];
  int32_t zero = out->quant.outputZero, lo = out->quant.lo, hi = out->quant.hi;
  int64_t r = out->nearest;
  to[0] = (int8_t)requantizeUpper(sums[0], m, s, r, zero, lo, hi);
  to[1] = (int8_t)requantizeUpper(sums[1], m, s, r, zero, lo, hi);
  to += step;
  to[0] = (int8_t)requantizeUpper(sums[2], m, s, r, zero, lo, hi);
  to[1] = (int8_t)requantizeUpper(sums[3], m, s, r, zero, lo, hi);
}

void putEach(const Output *out, const int32_t *sums, size_t at, uint32_t element, int32_t o, int32_t count) {
  const Quant *q = &out->quant;
  for (int32_t i = 0; i < count; i++) {
    if (out->multiplier == NULL) {
      out->y32[at + (size_t)i] = sums[i];
      continue;
    }
    int32_t k = q->channels == 1 ? 0 : o + i;
    int32_t s = out->shift[k];
    int64_t r = q->rounding != 0 ? roundStochastic(s, q->key, element + (uint32_t)i) : roundNearest(s);
    out->y8[at + (size_t)i] =
        (int8_t)requantizeValue(sums[i], out->multiplier[k], s, r, q->outputZero, q->lo, q->hi);
  }
}
