// Depthwise convolution, backward: gradients of the input and of the weights. An error meets the taps of one channel only, so
// both walk over these alone; zero errors cost one load.
#include "conv2d_depthwise.h"

/** The first tap that lies inside for one output: its input as an offset, and its place in the kernel. */
typedef struct Corner {
  Taps rows, columns;
  size_t input;
  int32_t tap;
} Corner;

static inline Corner cornerOf(const Window *v, Taps rows, Taps columns) {
  return (Corner){rows, columns,
                  (size_t)rows.start * (size_t)v->pitch + (size_t)(columns.start * v->channels),
                  rows.first * v->kernelW + columns.first};
}

void depthwiseGradInput(const Linear *memory, const Window *v, uint32_t eT, uint32_t e, uint32_t w,
                        uint32_t dx) {
  const int8_t *errors = (const int8_t *)(memory->base + e);
  const int8_t *weights = (const int8_t *)(memory->base + w);
  int32_t *to = (int32_t *)(void *)(memory->base + dx);
  int32_t channels = loadI32(memory, eT + TENSOR_C), ePitch = loadI32(memory, eT + TENSOR_PITCH);
  int32_t multiplier = channels / v->groups, step = v->dilationW * v->channels;
  size_t pitch = (size_t)v->dilationH * (size_t)v->pitch;
  for (int32_t oy = v->y0; oy < v->y1; oy++) {
    Taps rows = tapsOfRow(v, oy);
    for (int32_t ox = v->x0; ox < v->x1; ox++) {
      Corner corner = cornerOf(v, rows, tapsOfColumn(v, ox));
      if (rows.first == rows.end || corner.columns.first == corner.columns.end) continue;
      const int8_t *from = errors + (size_t)oy * (size_t)ePitch + ox * channels;
      for (int32_t o = 0; o < channels; o++) {
        int32_t error = from[o];
        if (error == 0) continue;
        const int8_t *kernel = weights + (size_t)o * (size_t)v->kernelSize + corner.tap;
        int32_t *row = to + corner.input + o / multiplier;
        int32_t width = corner.columns.end - corner.columns.first;
        for (int32_t ky = rows.first; ky < rows.end; ky++) {
          int32_t *restrict tap = row;
          for (int32_t kx = 0; kx < width; kx++, tap += step) *tap += error * kernel[kx];
          row += pitch;
          kernel += v->kernelW;
        }
      }
    }
  }
}

void depthwiseGradWeight(const Linear *memory, const Window *v, int32_t zero, uint32_t x, uint32_t eT,
                         uint32_t e, int32_t c0, int32_t c1, uint32_t dw, uint32_t db) {
  const int8_t *inputs = (const int8_t *)(memory->base + x);
  const int8_t *errors = (const int8_t *)(memory->base + e);
  int32_t *weights = (int32_t *)(void *)(memory->base + dw);
  int32_t *biases = db != 0 ? (int32_t *)(void *)(memory->base + db) : NULL;
  int32_t channels = loadI32(memory, eT + TENSOR_C), ePitch = loadI32(memory, eT + TENSOR_PITCH);
  int32_t multiplier = channels / v->groups, step = v->dilationW * v->channels;
  size_t pitch = (size_t)v->dilationH * (size_t)v->pitch;
  for (int32_t oy = v->y0; oy < v->y1; oy++) {
    Taps rows = tapsOfRow(v, oy);
    for (int32_t ox = v->x0; ox < v->x1; ox++) {
      Corner corner = cornerOf(v, rows, tapsOfColumn(v, ox));
      int32_t width = corner.columns.end - corner.columns.first;
      int32_t height = width > 0 ? rows.end - rows.first : 0;
      const int8_t *from = errors + (size_t)oy * (size_t)ePitch + ox * channels;
      for (int32_t o = c0; o < c1; o++) {
        int32_t error = from[o];
        if (error == 0) continue;
        if (biases != NULL) biases[o - c0] += error;
        int32_t *kernel = weights + (size_t)(o - c0) * (size_t)v->kernelSize + corner.tap;
        const int8_t *row = inputs + (height > 0 ? corner.input : 0) + o / multiplier;
        for (int32_t ky = 0; ky < height; ky++) {
          const int8_t *tap = row;
          for (int32_t kx = 0; kx < width; kx++, tap += step) kernel[kx] += error * (*tap - zero);
          row += pitch;
          kernel += v->kernelW;
        }
      }
    }
  }
}
