// What becomes of a convolution's sums: bias, then requantisation, or int32 as they are.
#ifndef OM_CONV2D_OUTPUT_H
#define OM_CONV2D_OUTPUT_H

#include "check.h"
#include "requantize.h"

/** Where sums go, and what becomes of them on the way. */
typedef struct Output {
  Quant quant;
  const int32_t *bias, *multiplier, *shift; // multiplier NULL: int32 accumulators
  int8_t *y8;
  int32_t *y32;
  int32_t width, channels, pitch;
  bool alike; // one multiplier with a shift of 32 or more, no draws: the common case
} Output;

static inline Output outputRead(const Linear *memory, uint32_t quant, uint32_t bias, uint32_t yT,
                                uint32_t y) {
  uint8_t *base = memory->base;
  Output out = {.quant = quantRead(memory, quant),
                .bias = bias != 0 ? (const int32_t *)(const void *)(base + bias) : NULL,
                .y8 = (int8_t *)(base + y),
                .y32 = (int32_t *)(void *)(base + y),
                .width = loadI32(memory, yT + TENSOR_W),
                .channels = loadI32(memory, yT + TENSOR_C),
                .pitch = loadI32(memory, yT + TENSOR_PITCH)};
  if (out.quant.multiplier != 0) {
    out.multiplier = (const int32_t *)(const void *)(base + out.quant.multiplier);
    out.shift = (const int32_t *)(const void *)(base + out.quant.shift);
    out.alike = out.quant.channels == 1 && out.quant.rounding == 0 && out.shift[0] >= 32;
  }
  return out;
}

/** Requantises `count` sums where no two channels differ; biases are added already. The first one's place in y is `at`. */
static inline void putAlike(const Output *out, const int32_t *sums, size_t at, int32_t count) {
  int32_t m = out->multiplier[0], s = out->shift[0];
  int32_t zero = out->quant.outputZero, lo = out->quant.lo, hi = out->quant.hi;
  int64_t r = roundNearest(s);
  int8_t *to = out->y8 + at;
  for (int32_t i = 0; i < count; i++) to[i] = (int8_t)requantizeUpper(sums[i], m, s, r, zero, lo, hi);
}

/** The same where they may differ; channels are o, o + 1, …, and `element` decides the first one's draw. */
static inline void putEach(const Output *out, const int32_t *sums, size_t at, uint32_t element, int32_t o,
                           int32_t count) {
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

/** What the sum of channel o starts from. */
static inline int32_t biasOf(const Output *out, int32_t o) { return out->bias != NULL ? out->bias[o] : 0; }

/** The place of output (oy, ox), channel o, in y, and its index as if y had no gaps. */
static inline size_t placeOf(const Output *out, int32_t oy, int32_t ox, int32_t o) {
  return (size_t)oy * (size_t)out->pitch + (size_t)(ox * out->channels + o);
}

static inline uint32_t elementOf(const Output *out, int32_t oy, int32_t ox, int32_t o) {
  return (uint32_t)(oy * out->width + ox) * (uint32_t)out->channels + (uint32_t)o;
}

#endif
