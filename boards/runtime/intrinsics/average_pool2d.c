// Intrinsics 18 and 19: average pooling, forward and backward. Padding does not count.
#include "intrinsics.h"
#include "requantize.h"
#include "simd.h"
#include "window.h"

/** Largest shift: with 132,104 inputs under a window, count·(r + 255·m) stays below 2^63. */
enum { MAX_SHIFT = 45 };

/** From this shift on a quotient's dividend fits int32: 132,104·(255·2^31·2^−26 + 1) < 2^31. */
enum { SHIFT32 = 26 };

/** Fraction bits of the input's gradient; windows over one input that surely fit. */
enum { GRADIENT_BITS = 16, MAX_WINDOWS = 255 };

/** Taps of one window that lie inside, and the bytes (or elements) from one to the next. */
typedef struct Taps2d {
  int32_t height, width, count;
  size_t corner, pitch, step;
} Taps2d;

static inline Taps2d tapsAt(const Window *v, Taps rows, Taps columns, size_t tensorPitch) {
  Taps2d t = {.height = rows.end - rows.first,
              .width = columns.end - columns.first,
              .pitch = tensorPitch * (size_t)v->dilationH,
              .step = (size_t)(v->channels * v->dilationW)};
  t.count = t.height * t.width;
  if (t.count > 0) t.corner = (size_t)rows.start * tensorPitch + (size_t)(columns.start * v->channels);
  return t;
}

/** Sums of `n` neighbouring channels, n ≤ BLOCK. */
enum { BLOCK = 4 };

static void sumEach(const Taps2d *t, const int8_t *x, int32_t n, int32_t sums[BLOCK]) {
  for (int32_t c = 0; c < n; c++) {
    int32_t sum = 0;
    for (int32_t ky = 0; ky < t->height; ky++) {
      const int8_t *tap = x + (size_t)ky * t->pitch + c;
      for (int32_t kx = 0; kx < t->width; kx++, tap += t->step) sum += *tap;
    }
    sums[c] = sum;
  }
}

static void sumBlock(const Taps2d *t, const int8_t *x, int32_t sums[BLOCK]) {
#if defined(__ARM_FEATURE_DSP)
  // two sums in a register, each of at most 255 values: 255·128 < 2^15
  enum { MOST = 255 };
  Pair even = 0, odd = 0;
  int32_t left = MOST;
  for (int32_t c = 0; c < BLOCK; c++) sums[c] = 0;
  for (int32_t ky = 0; ky < t->height; ky++) {
    const int8_t *tap = x + (size_t)ky * t->pitch;
    for (int32_t rest = t->width; rest > 0;) {
      int32_t run = rest < left ? rest : left;
      rest -= run;
      left -= run;
      for (; run > 0; run--, tap += t->step) {
        uint32_t word = wordAt(tap);
        even = addEvenBytes(even, word);
        odd = addOddBytes(odd, word);
      }
      if (left > 0) continue;
      spillPairs(even, odd, sums);
      even = odd = 0;
      left = MOST;
    }
  }
  spillPairs(even, odd, sums);
#else
  sumEach(t, x, BLOCK, sums);
#endif
}

/** ⌊a / n⌋ for n > 0. */
static inline int32_t floorDivide32(int32_t a, int32_t n) {
  int32_t sign = a >> 31;
  return ((a ^ sign) / n) ^ sign;
}

static inline int64_t floorDivide64(int64_t a, int32_t n) {
  int64_t sign = a >> 63;
  return ((a ^ sign) / n) ^ sign;
}

/** The mean of `count` values that add up to `sum`, requantised with one rounding. */
static int8_t meanOf(const Quant *q, int32_t m, int32_t s, int64_t r, int32_t sum, int32_t count) {
  int64_t scaled = ((int64_t)sum * m + count * r) >> s;
  int64_t mean = 0;
  if (s >= SHIFT32) {
    mean = floorDivide32((int32_t)scaled, count > 0 ? count : 1);
  } else {
    mean = floorDivide64(scaled, count > 0 ? count : 1);
  }
  mean += q->outputZero;
  return (int8_t)(mean < q->lo ? q->lo : mean > q->hi ? q->hi : mean);
}

static Error checkForward(const Linear *memory, uint32_t conv, uint32_t quant, uint32_t xT, uint32_t x,
                          uint32_t yT, uint32_t y, Fault *fault) {
  Check check = checkStart(memory, FN_AVERAGE_POOL2D, fault);
  checkConvStruct(&check, conv);
  checkQuantStruct(&check, quant);
  checkTensorStruct(&check, xT);
  checkTensorStruct(&check, yT);
  checkPool(&check, conv, xT, yT);
  checkProducts(&check,
                checkedField(&check, conv + CONV_KERNEL_H) * checkedField(&check, conv + CONV_KERNEL_W), 0);
  checkZeroPoints(&check, quant);
  bool quantised = checkedField(&check, quant + QUANT_MULTIPLIER) != 0;
  if (quantised) {
    checkRequantisation(&check, quant, 1, -128, 127);
    uint32_t shift = (uint32_t)checkedField(&check, quant + QUANT_SHIFT);
    checkWithin(&check, OM_BAD_QUANTISATION, checkedField(&check, shift), 1, MAX_SHIFT);
  }
  uint64_t xBytes = tensorBytes(&check, xT, 1), yBytes = tensorBytes(&check, yT, quantised ? 1 : 4);
  checkPointer(&check, x, xBytes, 1);
  checkPointer(&check, y, yBytes, quantised ? 1 : 4);
  checkOutput(&check, y, yBytes);
  checkRead(&check, x, xBytes);
  checkReadShapes(&check, conv, xT, yT);
  checkReadQuant(&check, quant);
  return check.error;
}

Error averagePool2d(const Linear *memory, uint32_t conv, uint32_t quant, uint32_t xT, uint32_t x, uint32_t yT,
                    uint32_t y, Fault *fault) {
  Error error = checkForward(memory, conv, quant, xT, x, yT, y, fault);
  if (error != OM_OK) return error;

  Window v = windowRead(memory, conv, xT);
  Quant q = quantRead(memory, quant);
  bool quantised = q.multiplier != 0;
  int32_t m = quantised ? loadI32(memory, q.multiplier) : 0;
  int32_t s = quantised ? loadI32(memory, q.shift) : 1;
  int64_t r = roundNearest(s);
  const int8_t *from = (const int8_t *)(memory->base + x);
  int8_t *y8 = (int8_t *)(memory->base + y);
  int32_t *y32 = (int32_t *)(void *)(memory->base + y);
  int32_t width = loadI32(memory, yT + TENSOR_W), yPitch = loadI32(memory, yT + TENSOR_PITCH);
  for (int32_t oy = v.y0; oy < v.y1; oy++) {
    Taps rows = tapsOfRow(&v, oy);
    for (int32_t ox = v.x0; ox < v.x1; ox++) {
      Taps2d t = tapsAt(&v, rows, tapsOfColumn(&v, ox), (size_t)v.pitch);
      int32_t zeros = q.inputZero * t.count;
      uint32_t element = (uint32_t)(oy * width + ox) * (uint32_t)v.channels;
      size_t at = (size_t)oy * (size_t)yPitch + (size_t)(ox * v.channels);
      int32_t sums[BLOCK];
      for (int32_t c = 0; c < v.channels; c += BLOCK) {
        int32_t n = v.channels - c < BLOCK ? v.channels - c : BLOCK;
        if (n == BLOCK) {
          sumBlock(&t, from + t.corner + c, sums);
        } else {
          sumEach(&t, from + t.corner + c, n, sums);
        }
        for (int32_t i = 0; i < n; i++) {
          int32_t sum = sums[i] - zeros;
          if (!quantised) {
            y32[at + (size_t)(c + i)] = sum;
            continue;
          }
          if (q.rounding != 0) r = roundStochastic(s, q.key, element + (uint32_t)(c + i));
          y8[at + (size_t)(c + i)] = meanOf(&q, m, s, r, sum, t.count);
        }
      }
    }
  }
  return OM_OK;
}

/** Windows that can meet over one input along one side, less what 1/count makes up for. */
static int32_t windowsOver(Check *check, uint32_t conv, uint32_t before, uint32_t after, uint32_t kernel,
                           uint32_t window) {
  int32_t taps = checkedField(check, conv + kernel);
  int32_t outputs = checkedField(check, conv + window + 4) - checkedField(check, conv + window);
  if ((checkedField(check, conv + before) | checkedField(check, conv + after)) == 0) return 1;
  return taps < outputs ? taps : outputs;
}

static Error checkBackward(const Linear *memory, uint32_t conv, uint32_t eT, uint32_t e, uint32_t dxT,
                           uint32_t dx, Fault *fault) {
  Check check = checkStart(memory, FN_AVERAGE_POOL2D_GRAD, fault);
  checkConvStruct(&check, conv);
  checkTensorStruct(&check, eT);
  checkTensorStruct(&check, dxT);
  checkPool(&check, conv, dxT, eT);
  int32_t most = windowsOver(&check, conv, CONV_PAD_TOP, CONV_PAD_BOTTOM, CONV_KERNEL_H, CONV_Y0) *
                 windowsOver(&check, conv, CONV_PAD_LEFT, CONV_PAD_RIGHT, CONV_KERNEL_W, CONV_X0);
  checkWithin(&check, OM_ACCUMULATOR, most, INT32_MIN, MAX_WINDOWS);
  uint64_t eBytes = tensorBytes(&check, eT, 1), dxBytes = tensorBytes(&check, dxT, 4);
  checkPointer(&check, e, eBytes, 1);
  checkPointer(&check, dx, dxBytes, 4);
  checkOutput(&check, dx, dxBytes);
  checkRead(&check, e, eBytes);
  checkReadShapes(&check, conv, eT, dxT);
  return check.error;
}

/** Adds one value for each of `n` ≤ BLOCK channels to all inputs under a window. */
static void spread(const Taps2d *t, int32_t *dx, const int32_t shares[BLOCK], int32_t n) {
  for (int32_t ky = 0; ky < t->height; ky++) {
    int32_t *tap = dx + (size_t)ky * t->pitch;
    for (int32_t kx = 0; kx < t->width; kx++, tap += t->step) {
      if (n == BLOCK) {
        for (int32_t i = 0; i < BLOCK; i++) tap[i] += shares[i];
      } else {
        for (int32_t i = 0; i < n; i++) tap[i] += shares[i];
      }
    }
  }
}

Error averagePool2dGrad(const Linear *memory, uint32_t conv, uint32_t eT, uint32_t e, uint32_t dxT,
                        uint32_t dx, Fault *fault) {
  Error error = checkBackward(memory, conv, eT, e, dxT, dx, fault);
  if (error != OM_OK) return error;

  Window v = windowRead(memory, conv, dxT);
  const int8_t *errors = (const int8_t *)(memory->base + e);
  int32_t *to = (int32_t *)(void *)(memory->base + dx);
  int32_t ePitch = loadI32(memory, eT + TENSOR_PITCH);
  for (int32_t row = 0; row < v.h; row++)
    memset(to + (size_t)row * (size_t)v.pitch, 0, (size_t)(v.w * v.channels) * sizeof *to);
  for (int32_t oy = v.y0; oy < v.y1; oy++) {
    Taps rows = tapsOfRow(&v, oy);
    for (int32_t ox = v.x0; ox < v.x1; ox++) {
      Taps2d t = tapsAt(&v, rows, tapsOfColumn(&v, ox), (size_t)v.pitch);
      if (t.count == 0) continue;
      const int8_t *from = errors + (size_t)oy * (size_t)ePitch + ox * v.channels;
      for (int32_t c = 0; c < v.channels; c += BLOCK) {
        int32_t n = v.channels - c < BLOCK ? v.channels - c : BLOCK;
        int32_t shares[BLOCK], any = 0;
        for (int32_t i = 0; i < n; i++) {
          shares[i] = floorDivide32(from[c + i] * (1 << GRADIENT_BITS) + (t.count >> 1), t.count);
          any |= from[c + i];
        }
        if (any != 0) spread(&t, to + t.corner + c, shares, n);
      }
    }
  }
  return OM_OK;
}
