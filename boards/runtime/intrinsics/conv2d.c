// Intrinsic 1: 2-D convolution. The patch under an output is gathered once as int16 and meets every output channel;
// two outputs and two channels are worked on together, so that each load serves twice.
#include "conv2d_depthwise.h"
#include "conv2d_output.h"
#include "conv2d_pointwise.h"
#include "dot.h"
#include "intrinsics.h"
#include "window.h"

/** Channels whose sums wait to become outputs together: what a block prepares serves all of them. */
enum { AT_ONCE = 16 };

/** One or two neighbouring outputs of a row against the channels o0 … o1−1. */
static void channelsOf(const Output *out, const int16_t *p0, const int16_t *p1, const int8_t *w, int32_t n,
                       int32_t oy, int32_t ox, int32_t o0, int32_t o1) {
  int32_t sums[2][AT_ONCE];
  w += (size_t)o0 * (size_t)n;
  for (int32_t o = o0, count; o < o1; o += count) {
    count = o1 - o < AT_ONCE ? o1 - o : AT_ONCE;
    for (int32_t i = 0; i < count; i++) sums[0][i] = sums[1][i] = biasOf(out, o + i);
    int32_t i = 0;
    if (p1 != NULL) {
      for (; i + 2 <= count; i += 2, w += 2 * n) dot2x2(p0, p1, w, n, &sums[0][i], &sums[1][i]);
    } else {
      for (; i + 4 <= count; i += 4, w += 4 * n) dot1x4(p0, w, n, &sums[0][i]);
    }
    for (; i < count; i++, w += n) {
      sums[0][i] += dot1x1(p0, w, n);
      if (p1 != NULL) sums[1][i] += dot1x1(p1, w, n);
    }
    for (int32_t column = 0; column < (p1 != NULL ? 2 : 1); column++) {
      size_t at = placeOf(out, oy, ox + column, o);
      if (out->alike) {
        putAlike(out, sums[column], at, count);
      } else {
        putEach(out, sums[column], at, elementOf(out, oy, ox + column, o), o, count);
      }
    }
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
  checkZeroPoints(&check, quant);
  checkProducts(&check, kernel, checkedField(&check, quant + QUANT_INPUT_ZERO));
  int32_t channels = checkedField(&check, yT + TENSOR_C);
  bool quantised = checkedField(&check, quant + QUANT_MULTIPLIER) != 0;
  if (quantised) checkRequantisation(&check, quant, channels, -128, 127);
  checkScratchSize(&check, scratch, scratchNeed(kernel));
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
  checkOutput(&check, y, yBytes);
  checkOutput(&check, data, bytes);
  checkRead(&check, x, xBytes);
  checkRead(&check, w, wBytes);
  checkRead(&check, bias, biasBytes);
  checkRead(&check, scratch, SCRATCH_BYTES);
  checkReadShapes(&check, conv, xT, yT);
  checkReadQuant(&check, quant);
  return check.error;
}

Error conv2d(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t quant, uint32_t xT, uint32_t x,
             uint32_t w, uint32_t bias, uint32_t yT, uint32_t y, Fault *fault) {
  Error error = checkArguments(memory, scratch, conv, quant, xT, x, w, bias, yT, y, fault);
  if (error != OM_OK) return error;

  uint8_t *base = memory->base;
  Window v = windowRead(memory, conv, xT);
  if (isDepthwise(&v)) {
    depthwiseConv2d(memory, &v, scratch, quant, x, w, bias, yT, y);
    return OM_OK;
  }
  if (isPointwise(&v)) {
    pointwiseConv2d(memory, &v, scratch, quant, x, w, bias, yT, y);
    return OM_OK;
  }
  Output out = outputRead(memory, quant, bias, yT, y);
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
        gatherPatch(&v, from, out.quant.inputZero, g, rows, tapsOfColumn(&v, ox), p0);
        if (two) gatherPatch(&v, from, out.quant.inputZero, g, rows, tapsOfColumn(&v, ox + 1), p1);
        channelsOf(&out, p0, two ? p1 : NULL, weights, v.kernelSize, oy, ox, g * perGroup,
                   (g + 1) * perGroup);
      }
    }
  }
  return OM_OK;
}
