// Intrinsic 3: gradient of a convolution's weights and biases. The patch under an output position is gathered once if
// any of its errors is not zero, and added to dw of each channel whose error is not.
#include "conv2d_depthwise.h"
#include "intrinsics.h"
#include "requantize.h"
#include "window.h"

/** dw[k] += e·p[k], four at a time: the loop itself would cost as much as what it does. */
static void accumulate(int32_t *restrict dw, const int16_t *restrict p, int32_t e, int32_t n) {
  const int32_t *fours = dw + (n & ~3);
  while (dw != fours) {
    int32_t a = dw[0] + e * p[0], b = dw[1] + e * p[1], c = dw[2] + e * p[2], d = dw[3] + e * p[3];
    dw[0] = a;
    dw[1] = b;
    dw[2] = c;
    dw[3] = d;
    dw += 4;
    p += 4;
  }
  for (int32_t k = 0; k < (n & 3); k++) dw[k] += e * p[k];
}

static Error checkArguments(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t quant,
                            uint32_t xT, uint32_t x, uint32_t eT, uint32_t e, int32_t c0, int32_t c1,
                            uint32_t dw, uint32_t db, Fault *fault) {
  Check check = checkStart(memory, FN_CONV2D_GRAD_WEIGHT, fault);
  checkScratchStruct(&check, scratch);
  checkConvStruct(&check, conv);
  checkQuantStruct(&check, quant);
  checkTensorStruct(&check, xT);
  checkTensorStruct(&check, eT);
  checkTensorShape(&check, xT);
  checkTensorShape(&check, eT);
  checkConvShape(&check, conv, xT, eT);
  checkWindow(&check, conv, eT);
  checkRange(&check, c0, c1, checkedField(&check, eT + TENSOR_C));
  int64_t rows = checkedField(&check, conv + CONV_Y1) - checkedField(&check, conv + CONV_Y0);
  int64_t columns = checkedField(&check, conv + CONV_X1) - checkedField(&check, conv + CONV_X0);
  checkProducts(&check, rows * columns);
  checkZeroPoints(&check, quant);
  int64_t kernel = kernelSize(&check, conv, xT);
  checkScratchSize(&check, scratch, kernel * 4);
  uint64_t xBytes = tensorBytes(&check, xT, 1);
  uint64_t eBytes = tensorBytes(&check, eT, 1);
  uint64_t count = check.error == OM_OK ? (uint64_t)(c1 - c0) : 0;
  uint64_t dwBytes = (uint64_t)kernel * count * 4;
  uint64_t dbBytes = db != 0 ? count * 4 : 0;
  checkPointer(&check, x, xBytes, 1);
  checkPointer(&check, e, eBytes, 1);
  checkPointer(&check, dw, dwBytes, 4);
  checkPointer(&check, db, dbBytes, 4);
  uint32_t data = (uint32_t)checkedField(&check, scratch + SCRATCH_DATA);
  uint64_t bytes = (uint64_t)checkedField(&check, scratch + SCRATCH_SIZE);
  checkApart(&check, dw, dwBytes, x, xBytes);
  checkApart(&check, dw, dwBytes, e, eBytes);
  checkApart(&check, dw, dwBytes, db, dbBytes);
  checkApart(&check, dw, dwBytes, data, bytes);
  checkApart(&check, db, dbBytes, x, xBytes);
  checkApart(&check, db, dbBytes, e, eBytes);
  checkApart(&check, db, dbBytes, data, bytes);
  checkApart(&check, data, bytes, x, xBytes);
  checkApart(&check, data, bytes, e, eBytes);
  return check.error;
}

Error conv2dGradWeight(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t quant, uint32_t xT,
                       uint32_t x, uint32_t eT, uint32_t e, int32_t c0, int32_t c1, uint32_t dw, uint32_t db,
                       Fault *fault) {
  Error error = checkArguments(memory, scratch, conv, quant, xT, x, eT, e, c0, c1, dw, db, fault);
  if (error != OM_OK) return error;

  uint8_t *base = memory->base;
  Window v = windowRead(memory, conv, xT);
  int32_t zero = quantRead(memory, quant).inputZero;
  const int8_t *from = (const int8_t *)(base + x);
  const int8_t *errors = (const int8_t *)(base + e);
  int32_t *weights = (int32_t *)(void *)(base + dw);
  int32_t *biases = db != 0 ? (int32_t *)(void *)(base + db) : NULL;
  int16_t *patch = (int16_t *)(void *)(base + (uint32_t)loadI32(memory, scratch + SCRATCH_DATA));
  int32_t channels = loadI32(memory, eT + TENSOR_C);
  int32_t ePitch = loadI32(memory, eT + TENSOR_PITCH);
  int32_t perGroup = channels / v.groups;

  memset(weights, 0, (size_t)(c1 - c0) * (size_t)v.kernelSize * sizeof *weights);
  if (biases != NULL) memset(biases, 0, (size_t)(c1 - c0) * sizeof *biases);
  if (isDepthwise(&v)) {
    depthwiseGradWeight(memory, &v, zero, x, eT, e, c0, c1, dw, db);
    return OM_OK;
  }
  for (int32_t oy = v.y0; oy < v.y1; oy++) {
    Taps rows = tapsOfRow(&v, oy);
    for (int32_t ox = v.x0; ox < v.x1; ox++) {
      const int8_t *at = errors + (size_t)oy * (size_t)ePitch + ox * channels;
      int32_t gathered = -1; // the group whose patch is in scratch
      for (int32_t o = c0; o < c1; o++) {
        if (at[o] == 0) continue;
        int32_t group = o / perGroup;
        if (group != gathered) windowGather(&v, from, zero, group, rows, tapsOfColumn(&v, ox), patch);
        gathered = group;
        accumulate(weights + (size_t)(o - c0) * (size_t)v.kernelSize, patch, at[o], v.kernelSize);
        if (biases != NULL) biases[o - c0] += at[o];
      }
    }
  }
  return OM_OK;
}
