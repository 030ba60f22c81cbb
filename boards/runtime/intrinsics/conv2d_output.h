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
  bool plain;      // rounded to nearest with shifts of 33 and more: the common case
  bool alike;      // one multiplier with a shift of 32 or more, no draws
  int64_t nearest; // what is added then
} Output;

Output outputRead(const Linear *memory, uint32_t quant, uint32_t bias, uint32_t yT, uint32_t y);

/** `count` sums of neighbouring channels where no two differ, biases added already; the first one's place in y is `at`. */
void putAlike(const Output *out, const int32_t *sums, size_t at, int32_t count);

/** What becomes of the sums of two neighbouring channels, if they are plain. */
typedef struct Two {
  int32_t multipliers[2], less[2]; // shifts less 33
  int32_t zero, lo, hi;
  bool plain;
} Two;

Two twoOf(const Output *out, int32_t o);

/** Sums of two positions and two plain channels: to to[0], to[1], to[step] and to[step + 1]; a step of 0 writes the same twice. */
void putFour(const Two *two, const int32_t sums[4], int8_t *to, size_t step);

/** Sums of the channels o, o + 1, …; the first one's place in y is `at`, and `element` decides its draw. */
void putEach(const Output *out, const int32_t *sums, size_t at, uint32_t element, int32_t o, int32_t count);

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
