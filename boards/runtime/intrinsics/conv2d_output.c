// What becomes of a convolution's sums.
#include "conv2d_output.h"

Output outputRead(const Linear *memory, uint32_t quant, uint32_t bias, uint32_t yT, uint32_t y) {
  uint8_t *base = memory->base;
  Output out = {.quant = quantRead(memory, quant),
                .bias = bias != 0 ? (const int32_t *)(const void *)(base + bias) : NULL,
                .y8 = (int8_t *)(base + y),
                .y32 = (int32_t *)(void *)(base + y),
                .width = loadI32(memory, yT + TENSOR_W),
                .channels = loadI32(memory, yT + TENSOR_C),
                .pitch = loadI32(memory, yT + TENSOR_PITCH)};
  if (out.quant.multiplier == 0) return out;
  out.multiplier = (const int32_t *)(const void *)(base + out.quant.multiplier);
  out.shift = (const int32_t *)(const void *)(base + out.quant.shift);
  if (out.quant.rounding != 0) return out;
  out.alike = out.quant.channels == 1 && out.shift[0] >= 32;
  out.nearest = roundNearest(out.shift[0]);
  int32_t least = 33;
  for (int32_t i = 0; i < out.quant.channels; i++) least = out.shift[i] < least ? out.shift[i] : least;
  out.plain = least == 33;
  return out;
}

/** From one channel to the next in the tables of multipliers and shifts. */
static inline int32_t stepOf(const Output *out) { return out->quant.channels == 1 ? 0 : 1; }

// functions of their own, so that everything that they need is in registers

void putAlike(const Output *out, const int32_t *sums, size_t at, int32_t count) {
  int32_t m = out->multiplier[0], s = out->shift[0];
  int32_t zero = out->quant.outputZero, lo = out->quant.lo, hi = out->quant.hi;
  int64_t r = out->nearest;
  int8_t *to = out->y8 + at;
  for (int32_t i = 0; i < count; i++) to[i] = (int8_t)requantizeUpper(sums[i], m, s, r, zero, lo, hi);
}

Two twoOf(const Output *out, int32_t o) {
  Two two = {.zero = out->quant.outputZero, .lo = out->quant.lo, .hi = out->quant.hi, .plain = out->plain};
  for (int32_t i = 0; out->plain && i < 2; i++) {
    int32_t k = stepOf(out) * (o + i);
    two.multipliers[i] = out->multiplier[k];
    two.less[i] = out->shift[k] - 33;
  }
  return two;
}

void putFour(const Two *two, const int32_t sums[4], int8_t *to, size_t step) {
  int32_t m = two->multipliers[0], n = two->multipliers[1], s = two->less[0], t = two->less[1];
  int32_t zero = two->zero, lo = two->lo, hi = two->hi;
  to[0] = (int8_t)requantizeNearest(sums[0], m, s, zero, lo, hi);
  to[1] = (int8_t)requantizeNearest(sums[1], n, t, zero, lo, hi);
  to += step;
  to[0] = (int8_t)requantizeNearest(sums[2], m, s, zero, lo, hi);
  to[1] = (int8_t)requantizeNearest(sums[3], n, t, zero, lo, hi);
}

/** Sums of plain channels from place k of the tables on. */
static void putPlain(const Output *out, const int32_t *sums, int8_t *to, int32_t k, int32_t count) {
  int32_t zero = out->quant.outputZero, lo = out->quant.lo, hi = out->quant.hi;
  const int32_t *m = out->multiplier + k, *s = out->shift + k;
  for (int32_t next = stepOf(out); count > 0; count--, m += next, s += next)
    *to++ = (int8_t)requantizeNearest(*sums++, *m, *s - 33, zero, lo, hi);
}

void putEach(const Output *out, const int32_t *sums, size_t at, uint32_t element, int32_t o, int32_t count) {
  const Quant *q = &out->quant;
  if (out->plain) {
    putPlain(out, sums, out->y8 + at, stepOf(out) * o, count);
    return;
  }
  for (int32_t i = 0; i < count; i++) {
    if (out->multiplier == NULL) {
      out->y32[at + (size_t)i] = sums[i];
      continue;
    }
    int32_t k = stepOf(out) * (o + i);
    int32_t s = out->shift[k];
    int64_t r = q->rounding != 0 ? roundStochastic(s, q->key, element + (uint32_t)i) : roundNearest(s);
    out->y8[at + (size_t)i] =
        (int8_t)requantizeValue(sums[i], out->multiplier[k], s, r, q->outputZero, q->lo, q->hi);
  }
}
