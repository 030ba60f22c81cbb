// The geometry of a sliding window over a tensor: which taps of a kernel fall inside for one output position. The
// rest lies in the padding, whose value is the zero point, and adds nothing.
#ifndef OM_WINDOW_H
#define OM_WINDOW_H

#include "check.h"

/** A conv struct and the tensor that the window slides over, read once after the checks. */
typedef struct Window {
  int32_t kernelH, kernelW, strideH, strideW, dilationH, dilationW, padTop, padLeft, groups;
  int32_t y0, y1, x0, x1;        // output window
  int32_t h, w, channels, pitch; // of the tensor below
  int32_t perGroup, kernelSize;  // channels per group; weights of one output channel
} Window;

/** Taps [first, end), none if equal; `start` is the row or column of tap `first`. */
typedef struct Taps {
  int32_t first, end, start;
} Taps;

static inline Window windowRead(const Linear *memory, uint32_t conv, uint32_t below) {
  Window v = {.kernelH = loadI32(memory, conv + CONV_KERNEL_H),
              .kernelW = loadI32(memory, conv + CONV_KERNEL_W),
              .strideH = loadI32(memory, conv + CONV_STRIDE_H),
              .strideW = loadI32(memory, conv + CONV_STRIDE_W),
              .dilationH = loadI32(memory, conv + CONV_DILATION_H),
              .dilationW = loadI32(memory, conv + CONV_DILATION_W),
              .padTop = loadI32(memory, conv + CONV_PAD_TOP),
              .padLeft = loadI32(memory, conv + CONV_PAD_LEFT),
              .groups = loadI32(memory, conv + CONV_GROUPS),
              .y0 = loadI32(memory, conv + CONV_Y0),
              .y1 = loadI32(memory, conv + CONV_Y1),
              .x0 = loadI32(memory, conv + CONV_X0),
              .x1 = loadI32(memory, conv + CONV_X1),
              .h = loadI32(memory, below + TENSOR_H),
              .w = loadI32(memory, below + TENSOR_W),
              .channels = loadI32(memory, below + TENSOR_C),
              .pitch = loadI32(memory, below + TENSOR_PITCH)};
  v.perGroup = v.channels / v.groups;
  v.kernelSize = v.kernelH * v.kernelW * v.perGroup;
  return v;
}

static inline Taps tapsInside(int32_t origin, int32_t dilation, int32_t kernel, int32_t length) {
  int32_t first = origin < 0 ? (dilation - 1 - origin) / dilation : 0;
  if (first > kernel) first = kernel;
  int32_t room = length - origin;
  int32_t end = room <= 0 ? 0 : (room + dilation - 1) / dilation;
  if (end > kernel) end = kernel;
  if (end < first) end = first;
  return (Taps){first, end, origin + first * dilation};
}

/** Taps of output row oy. */
static inline Taps tapsOfRow(const Window *v, int32_t oy) {
  return tapsInside(oy * v->strideH - v->padTop, v->dilationH, v->kernelH, v->h);
}

/** Taps of output column ox. */
static inline Taps tapsOfColumn(const Window *v, int32_t ox) {
  return tapsInside(ox * v->strideW - v->padLeft, v->dilationW, v->kernelW, v->w);
}

/**
 * The patch under output (oy, ox) in the kernel's own order [kernelH, kernelW, perGroup], less the zero point; 0 in
 * the padding. `to` holds kernelSize values.
 */
static inline void windowGather(const Window *v, const int8_t *x, int32_t zero, int32_t group, Taps rows,
                                Taps columns, int16_t *restrict to) {
  int32_t rowValues = v->kernelW * v->perGroup;
  if (rows.end - rows.first < v->kernelH || columns.end - columns.first < v->kernelW) {
    memset(to, 0, (size_t)v->kernelSize * sizeof *to);
  }
  bool joined = v->dilationW == 1 && v->groups == 1;
  int32_t taps = columns.end - columns.first;
  int32_t runs = joined ? 1 : taps;
  int32_t run = joined ? taps * v->perGroup : v->perGroup;
  for (int32_t ky = rows.first; ky < rows.end; ky++) {
    int32_t row = rows.start + (ky - rows.first) * v->dilationH;
    const int8_t *from =
        x + (size_t)row * (size_t)v->pitch + columns.start * v->channels + group * v->perGroup;
    int16_t *at = to + ky * rowValues + columns.first * v->perGroup;
    for (int32_t i = 0; i < runs; i++) {
      for (int32_t k = 0; k < run; k++) at[k] = (int16_t)(from[k] - zero);
      from += v->dilationW * v->channels;
      at += run;
    }
  }
}

#endif
