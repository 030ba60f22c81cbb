// Depthwise convolution, forward. Four neighbouring channels are worked on together: at one tap their inputs are one word, and
// so are their weights, once scratch holds these tap by tap.
#include "conv2d_depthwise.h"

#include "conv2d_output.h"

#include "simd.h"

/** Channels of a block: as many as scratch has room for, 4 bytes a tap. */
enum { BLOCK = 4 };

/** What is stepped over from one tap to the next, and from one row of taps to the next: of inputs, and of weights. */
typedef struct Steps {
  size_t xPitch, xStep;
  int32_t wPitch, height, width;
} Steps;

/** sums = starts + Σ (x − zero)·w of four channels; weights lie [tap, 4]. Wraps as i32 does in WebAssembly. */
OM_APART static void sumFour(const Steps *steps, const int8_t *x, const int8_t *w, int32_t zero,
                             const int32_t starts[BLOCK], int32_t sums[BLOCK]) {
  int32_t a = starts[0], b = starts[1], c = starts[2], d = starts[3];
  size_t step = steps->xStep;
#if defined(__ARM_FEATURE_DSP)
  Pair zeros = ((uint32_t)-zero & 0xffff) * 0x10001;
#endif
  for (int32_t ky = steps->height; ky > 0; ky--) {
    const int8_t *tap = x, *at = w;
    for (const int8_t *end = at + steps->width * BLOCK; at != end; at += BLOCK, tap += step) {
#if defined(__ARM_FEATURE_DSP)
      uint32_t inputs = wordAt(tap), word = wordAt(at);
      Pair even = addEvenBytes(zeros, inputs), odd = addOddBytes(zeros, inputs);
      Pair evenWeights = evenBytes(word), oddWeights = oddBytes(word);
      a = addLows(even, evenWeights, a);
      b = addLows(odd, oddWeights, b);
      c = addHighs(even, evenWeights, c);
      d = addHighs(odd, oddWeights, d);
#else
      a += (tap[0] - zero) * at[0];
      b += (tap[1] - zero) * at[1];
      c += (tap[2] - zero) * at[2];
      d += (tap[3] - zero) * at[3];
#endif
    }
    x += steps->xPitch;
    w += steps->wPitch;
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

/** Σ (x − zero)·w of one channel; its weights are neighbours. */
static int32_t sumOne(const Steps *steps, const int8_t *x, const int8_t *w, int32_t zero) {
  int32_t sum = 0;
  for (int32_t ky = 0; ky < steps->height; ky++) {
    const int8_t *tap = x;
    for (int32_t kx = 0; kx < steps->width; kx++, tap += steps->xStep) sum += (*tap - zero) * w[kx];
    x += steps->xPitch;
    w += steps->wPitch;
  }
  return sum;
}

void depthwiseConv2d(const Linear *memory, const Window *v, uint32_t scratch, uint32_t quant, uint32_t x,
                     uint32_t w, uint32_t bias, uint32_t yT, uint32_t y) {
  Output out = outputRead(memory, quant, bias, yT, y);
  int32_t zero = out.quant.inputZero, n = v->kernelSize;
  const int8_t *from = (const int8_t *)(memory->base + x);
  const int8_t *weights = (const int8_t *)(memory->base + w);
  int8_t *byTap = (int8_t *)(memory->base + (uint32_t)loadI32(memory, scratch + SCRATCH_DATA));
  int32_t multiplier = out.channels / v->groups;
  Steps steps = {.xPitch = (size_t)v->dilationH * (size_t)v->pitch,
                 .xStep = (size_t)(v->dilationW * v->channels)};
  // a kernel that starts in column 0 … lastWhole lies inside
  int32_t lastWhole = v->w - 1 - (v->kernelW - 1) * v->dilationW;

  for (int32_t o = 0, made; o < out.channels; o += made, weights += made * n) {
    int32_t starts[BLOCK] = {0}, sums[BLOCK];
    made = multiplier == 1 && out.channels - o >= BLOCK ? BLOCK : 1;
    for (int32_t i = 0; i < made; i++) starts[i] = biasOf(&out, o + i);
    if (made == BLOCK) {
      for (int32_t i = 0; i < BLOCK; i++) {
        for (int32_t tap = 0; tap < n; tap++) byTap[tap * BLOCK + i] = weights[i * n + tap];
      }
    }
    const int8_t *kernel = made == BLOCK ? byTap : weights;
    const int8_t *channel = from + (made == BLOCK ? o : o / multiplier);
    steps.wPitch = v->kernelW * made;
    for (int32_t oy = v->y0; oy < v->y1; oy++) {
      Taps rows = tapsOfRow(v, oy);
      const int8_t *row = channel + (size_t)rows.start * (size_t)v->pitch;
      const int8_t *first = kernel + rows.first * steps.wPitch;
      size_t at = placeOf(&out, oy, v->x0, o);
      uint32_t element = elementOf(&out, oy, v->x0, o);
      int32_t left = v->x0 * v->strideW - v->padLeft;
      for (int32_t ox = v->x0; ox < v->x1; ox++) {
        Taps columns = {0, v->kernelW, left};
        if (left < 0 || left > lastWhole) columns = tapsOfColumn(v, ox);
        steps.width = columns.end - columns.first;
        // without a tap inside there is no input to point to
        steps.height = steps.width > 0 ? rows.end - rows.first : 0;
        const int8_t *corner = steps.height > 0 ? row + columns.start * v->channels : from;
        const int8_t *tap = first + columns.first * made;
        if (made == BLOCK) {
          sumFour(&steps, corner, tap, zero, starts, sums);
        } else {
          sums[0] = starts[0] + sumOne(&steps, corner, tap, zero);
        }
        putEach(&out, sums, at, element, o, made);
        at += (size_t)out.channels;
        element += (uint32_t)out.channels;
        left += v->strideW;
      }
    }
  }
}
