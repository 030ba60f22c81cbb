// Intrinsics 8 and 9: max pooling, forward and backward. Where values are equal the first in row order wins.
#include "intrinsics.h"
#include "window.h"

/** Offset of a tap from the tensor's start. */
static size_t tapAt(const Window *v, Taps rows, Taps columns, int32_t ky, int32_t kx) {
  size_t row = (size_t)(rows.start + (ky - rows.first) * v->dilationH);
  return row * (size_t)v->pitch +
         (size_t)((columns.start + (kx - columns.first) * v->dilationW) * v->channels);
}

Error maxPool2d(const Linear *memory, uint32_t conv, uint32_t xT, uint32_t x, uint32_t yT, uint32_t y,
                Fault *fault) {
  Check check = checkStart(memory, FN_MAX_POOL2D, fault);
  checkConvStruct(&check, conv);
  checkTensorStruct(&check, xT);
  checkTensorStruct(&check, yT);
  checkPool(&check, conv, xT, yT);
  uint64_t xBytes = tensorBytes(&check, xT, 1), yBytes = tensorBytes(&check, yT, 1);
  checkPointer(&check, x, xBytes, 1);
  checkPointer(&check, y, yBytes, 1);
  checkOutput(&check, y, yBytes);
  checkRead(&check, x, xBytes);
  checkReadShapes(&check, conv, xT, yT);
  if (check.error != OM_OK) return check.error;

  Window v = windowRead(memory, conv, xT);
  const int8_t *from = (const int8_t *)(memory->base + x);
  int8_t *to = (int8_t *)(memory->base + y);
  int32_t yPitch = loadI32(memory, yT + TENSOR_PITCH);
  for (int32_t oy = v.y0; oy < v.y1; oy++) {
    Taps rows = tapsOfRow(&v, oy);
    for (int32_t ox = v.x0; ox < v.x1; ox++) {
      Taps columns = tapsOfColumn(&v, ox);
      int8_t *restrict most = to + (size_t)oy * (size_t)yPitch + ox * v.channels;
      memset(most, -128, (size_t)v.channels);
      for (int32_t ky = rows.first; ky < rows.end; ky++) {
        for (int32_t kx = columns.first; kx < columns.end; kx++) {
          const int8_t *restrict tap = from + tapAt(&v, rows, columns, ky, kx);
          for (int32_t c = 0; c < v.channels; c++) most[c] = tap[c] > most[c] ? tap[c] : most[c];
        }
      }
    }
  }
  return OM_OK;
}

/** The first maximum of channel c under the window: its row and column in `at`; false in padding alone. */
static bool firstMaximum(const Window *v, const int8_t *x, Taps rows, Taps columns, int32_t c,
                         int32_t at[2]) {
  int32_t most = -129;
  for (int32_t ky = rows.first; ky < rows.end; ky++) {
    for (int32_t kx = columns.first; kx < columns.end; kx++) {
      int32_t value = x[tapAt(v, rows, columns, ky, kx) + (size_t)c];
      if (value <= most) continue;
      most = value;
      at[0] = rows.start + (ky - rows.first) * v->dilationH;
      at[1] = columns.start + (kx - columns.first) * v->dilationW;
    }
  }
  return most > -129;
}

static Error checkGrad(const Linear *memory, uint32_t conv, uint32_t xT, uint32_t x, uint32_t eT, uint32_t e,
                       uint32_t dxT, uint32_t dx, Fault *fault) {
  Check check = checkStart(memory, FN_MAX_POOL2D_GRAD, fault);
  checkConvStruct(&check, conv);
  checkTensorStruct(&check, xT);
  checkTensorStruct(&check, eT);
  checkTensorStruct(&check, dxT);
  checkPool(&check, conv, xT, eT);
  checkTensorShape(&check, dxT);
  for (uint32_t at = TENSOR_H; at <= TENSOR_C; at += 4) {
    checkSame(&check, checkedField(&check, dxT + at), checkedField(&check, xT + at));
  }
  uint64_t xBytes = tensorBytes(&check, xT, 1), eBytes = tensorBytes(&check, eT, 1);
  uint64_t dxBytes = tensorBytes(&check, dxT, 1);
  checkPointer(&check, x, xBytes, 1);
  checkPointer(&check, e, eBytes, 1);
  checkPointer(&check, dx, dxBytes, 1);
  checkOutput(&check, dx, dxBytes);
  checkRead(&check, x, xBytes);
  checkRead(&check, e, eBytes);
  checkReadShapes(&check, conv, xT, eT);
  checkRead(&check, dxT, TENSOR_BYTES);
  return check.error;
}

Error maxPool2dGrad(const Linear *memory, uint32_t conv, uint32_t xT, uint32_t x, uint32_t eT, uint32_t e,
                    uint32_t dxT, uint32_t dx, Fault *fault) {
  Error error = checkGrad(memory, conv, xT, x, eT, e, dxT, dx, fault);
  if (error != OM_OK) return error;

  Window v = windowRead(memory, conv, xT);
  const int8_t *from = (const int8_t *)(memory->base + x);
  const int8_t *errors = (const int8_t *)(memory->base + e);
  int8_t *to = (int8_t *)(memory->base + dx);
  int32_t ePitch = loadI32(memory, eT + TENSOR_PITCH), dxPitch = loadI32(memory, dxT + TENSOR_PITCH);
  for (int32_t row = 0; row < v.h; row++)
    memset(to + (size_t)row * (size_t)dxPitch, 0, (size_t)(v.w * v.channels));
  for (int32_t oy = v.y0; oy < v.y1; oy++) {
    Taps rows = tapsOfRow(&v, oy);
    for (int32_t ox = v.x0; ox < v.x1; ox++) {
      Taps columns = tapsOfColumn(&v, ox);
      const int8_t *above = errors + (size_t)oy * (size_t)ePitch + ox * v.channels;
      for (int32_t c = 0; c < v.channels; c++) {
        int32_t at[2];
        if (above[c] == 0 || !firstMaximum(&v, from, rows, columns, c, at)) continue;
        int8_t *winner = to + (size_t)at[0] * (size_t)dxPitch + at[1] * v.channels + c;
        int32_t sum = *winner + above[c];
        *winner = (int8_t)(sum > 127 ? 127 : sum < -127 ? -127 : sum);
      }
    }
  }
  return OM_OK;
}
