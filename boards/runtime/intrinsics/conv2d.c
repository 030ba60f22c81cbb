// Intrinsic 1: 2-D convolution. The patch under an output is gathered once as int16 and meets every output channel;
// two outputs and two channels are worked on together, so that each load serves twice.
#include "intrinsics.h"
#include "requantize.h"
#include "window.h"

/** Where an output channel's sums go. */
typedef struct Output {
  Quant quant;
  const int32_t *bias, *multiplier, *shift; // multiplier NULL: int32 accumulators
  int8_t *y8;
  int32_t *y32;
  int32_t width, channels, pitch;
} Output;

/** sums[0 … 3] = Σ p0·w0, p0·w1, p1·w0, p1·w1 over n values. Wraps as i32 does in WebAssembly. */
static void dot2x2(const int16_t *restrict p0, const int16_t *restrict p1, const int8_t *restrict w0,
                   const int8_t *restrict w1, int32_t n, int32_t sums[4]) {
  int32_t a = 0, b = 0, c = 0, d = 0;
  for (int32_t k = 0; k < n; k++) {
    a += p0[k] * w0[k];
    b += p0[k] * w1[k];
    c += p1[k] * w0[k];
    d += p1[k] * w1[k];
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

/** sums[0 … 1] = Σ p·w0, p·w1. */
static void dot1x2(const int16_t *restrict p, const int8_t *restrict w0, const int8_t *restrict w1, int32_t n,
                   int32_t sums[2]) {
  int32_t a = 0, b = 0;
  for (int32_t k = 0; k < n; k++) {
    a += p[k] * w0[k];
    b += p[k] * w1[k];
  }
  sums[0] = a;
  sums[1] = b;
}

static void put(const Output *out, int32_t oy, int32_t ox, int32_t o, int32_t sum) {
  if (out->bias != NULL) sum += out->bias[o];
  size_t at = (size_t)oy * (size_t)out->pitch + (size_t)(ox * out->channels + o);
  if (out->multiplier == NULL) {
    out->y32[at] = sum;
    return;
  }
  const Quant *q = &out->quant;
  int32_t i = q->channels == 1 ? 0 : o;
  uint32_t element = (uint32_t)(oy * out->width + ox) * (uint32_t)out->channels + (uint32_t)o;
  int32_t s = out->shift[i];
  int64_t r = q->rounding != 0 ? roundStochastic(s, q->key, element) : roundNearest(s);
  out->y8[at] = (int8_t)requantizeValue(sum, out->multiplier[i], s, r, q->outputZero, q->lo, q->hi);
}

/** One or two neighbouring outputs of a row against the channels o0 … o1−1. */
static void channelsOf(const Output *out, const int16_t *p0, const int16_t *p1, const int8_t *w, int32_t n,
                       int32_t oy, int32_t ox, int32_t o0, int32_t o1) {
  int32_t sums[4];
  for (int32_t o = o0; o < o1; o += 2) {
    bool two = o + 1 < o1;
    const int8_t *w0 = w + (size_t)o * (size_t)n;
    const int8_t *w1 = two ? w0 + n : w0;
    if (p1 != NULL) {
      dot2x2(p0, p1, w0, w1, n, sums);
      put(out, oy, ox + 1, o, sums[2]);
      if (two) put(out, oy, ox + 1, o + 1, sums[3]);
    } else {
      dot1x2(p0, w0, w1, n, sums);
    }
    put(out, oy, ox, o, sums[0]);
    if (two) put(out, oy, ox, o + 1, sums[1]);
  }
}

static Error checkArguments(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t quant,
                            uint32_t xT, uint32_t x, uint32_t w, uint32_t bias, uint32_t yT, uint32_t y,
                            Fault *fault) {
  Check check = checkStart(memory, FN_CONV2D, fault);
  checkScratchStruct(&check, scratch);
  checkConvStruct(&check, conv);
  checkQuantStruct(&check, quant);
  checkTensorStruct(&check, xT);
  checkTensorStruct(&check, yT);
  checkTensorShape(&check, xT);
  checkTensorShape(&check, yT);
  checkConvShape(&check, conv, xT, yT);
  checkWindow(&check, conv, yT);
  int64_t kernel = kernelSize(&check, conv, xT);
  checkProducts(&check, kernel);
  checkZeroPoints(&check, quant);
  int32_t channels = checkedField(&check, yT + TENSOR_C);
  bool quantised = checkedField(&check, quant + QUANT_MULTIPLIER) != 0;
  if (quantised) checkRequantisation(&check, quant, channels, -128, 127);
  checkScratchSize(&check, scratch, kernel * 4);
  uint64_t xBytes = tensorBytes(&check, xT, 1);
  uint64_t wBytes = (uint64_t)kernel * (uint64_t)channels;
  uint64_t biasBytes = bias != 0 ? (uint64_t)channels * 4 : 0;
  uint64_t yBytes = tensorBytes(&check, yT, quantised ? 1 : 4);
  checkPointer(&check, x, xBytes, 1);
  checkPointer(&check, w, wBytes, 1);
  checkPointer(&check, bias, biasBytes, 4);
  checkPointer(&check, y, yBytes, quantised ? 1 : 4);
  uint32_t data = (uint32_t)checkedField(&check, scratch + SCRATCH_DATA);
  uint64_t bytes = (uint64_t)checkedField(&check, scratch + SCRATCH_SIZE);
  checkApart(&check, y, yBytes, x, xBytes);
  checkApart(&check, y, yBytes, w, wBytes);
  checkApart(&check, y, yBytes, bias, biasBytes);
  checkApart(&check, y, yBytes, data, bytes);
  checkApart(&check, data, bytes, x, xBytes);
  checkApart(&check, data, bytes, w, wBytes);
  checkApart(&check, data, bytes, bias, biasBytes);
  return check.error;
}

Error conv2d(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t quant, uint32_t xT, uint32_t x,
             uint32_t w, uint32_t bias, uint32_t yT, uint32_t y, Fault *fault) {
  Error error = checkArguments(memory, scratch, conv, quant, xT, x, w, bias, yT, y, fault);
  if (error != OM_OK) return error;

  uint8_t *base = memory->base;
  Window v = windowRead(memory, conv, xT);
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
  }
  const int8_t *from = (const int8_t *)(base + x);
  const int8_t *weights = (const int8_t *)(base + w);
  int16_t *p0 = (int16_t *)(void *)(base + (uint32_t)loadI32(memory, scratch + SCRATCH_DATA));
  int16_t *p1 = p0 + v.kernelSize;
  int32_t perGroup = out.channels / v.groups;

  for (int32_t oy = v.y0; oy < v.y1; oy++) {
    Taps rows = tapsOfRow(&v, oy);
    for (int32_t ox = v.x0; ox < v.x1; ox += 2) {
      bool two = ox + 1 < v.x1;
      for (int32_t g = 0; g < v.groups; g++) {
        windowGather(&v, from, out.quant.inputZero, g, rows, tapsOfColumn(&v, ox), p0);
        if (two) windowGather(&v, from, out.quant.inputZero, g, rows, tapsOfColumn(&v, ox + 1), p1);
        channelsOf(&out, p0, two ? p1 : NULL, weights, v.kernelSize, oy, ox, g * perGroup,
                   (g + 1) * perGroup);
      }
    }
  }
  return OM_OK;
}
