// Depthwise convolution, forward. Four neighbouring channels are worked on together: at one tap their inputs are one word, and
// so are their weights, once scratch holds these tap by tap.
#include "conv2d_depthwise.h"

#include "conv2d_output.h"

#if defined(__ARM_FEATURE_DSP)
#include "simd.h"
#endif

/** Channels of a block: as many as scratch has room for, 4 bytes a tap. */
enum { BLOCK = 4 };

/** The taps that lie inside for one output, and what is stepped over from one to the next. */
typedef struct Reach {
  const int8_t *corner; // input of the first tap, channel 0
  int32_t height, width, firstTap;
  size_t xPitch, xStep;
} Reach;

static inline Reach reachOf(const Window *v, const int8_t *x, Taps rows, Taps columns) {
  Reach reach = {.height = rows.end - rows.first,
                 .width = columns.end - columns.first,
                 .firstTap = rows.first * v->kernelW + columns.first,
                 .xPitch = (size_t)v->dilationH * (size_t)v->pitch,
                 .xStep = (size_t)(v->dilationW * v->channels)};
  if (reach.height > 0 && reach.width > 0)
    reach.corner = x + (size_t)rows.start * (size_t)v->pitch + columns.start * v->channels;
  return reach;
}

/** Adds Σ (x − zero)·w of four channels to sums; weights lie [tap, 4]. Wraps as i32 does in WebAssembly. */
static inline void addBlock(const Window *v, const Reach *reach, int32_t c, const int8_t *weights,
                            int32_t zero, int32_t sums[BLOCK]) {
  int32_t a = sums[0], b = sums[1], c2 = sums[2], d = sums[3];
  const int8_t *row = reach->corner + c, *kernel = weights + (size_t)reach->firstTap * BLOCK;
  size_t step = reach->xStep;
#if defined(__ARM_FEATURE_DSP)
  Pair zeros = ((uint32_t)-zero & 0xffff) * 0x10001;
  for (int32_t ky = 0; ky < reach->height; ky++) {
    const int8_t *tap = row, *at = kernel;
    for (const int8_t *end = at + reach->width * BLOCK; at != end; at += BLOCK, tap += step) {
      uint32_t inputs = wordAt(tap), word = wordAt(at);
      Pair even = addEvenBytes(zeros, inputs), odd = addOddBytes(zeros, inputs);
      Pair evenWeights = evenBytes(word), oddWeights = oddBytes(word);
      a = addLows(even, evenWeights, a);
      b = addLows(odd, oddWeights, b);
      c2 = addHighs(even, evenWeights, c2);
      d = addHighs(odd, oddWeights, d);
    }
    row += reach->xPitch;
    kernel += v->kernelW * BLOCK;
  }
#else
  for (int32_t ky = 0; ky < reach->height; ky++) {
    const int8_t *tap = row, *at = kernel;
    for (const int8_t *end = at + reach->width * BLOCK; at != end; at += BLOCK, tap += step) {
      a += (tap[0] - zero) * at[0];
      b += (tap[1] - zero) * at[1];
      c2 += (tap[2] - zero) * at[2];
      d += (tap[3] - zero) * at[3];
    }
    row += reach->xPitch;
    kernel += v->kernelW * BLOCK;
  }
#endif
  sums[0] = a;
  sums[1] = b;
  sums[2] = c2;
  sums[3] = d;
}

/** Σ (x − zero)·w of one channel; its weights are neighbours. */
static inline int32_t sumOne(const Window *v, const Reach *reach, int32_t c, const int8_t *weights,
                             int32_t zero) {
  int32_t sum = 0;
  const int8_t *row = reach->corner + c, *kernel = weights + reach->firstTap;
  for (int32_t ky = 0; ky < reach->height; ky++) {
    const int8_t *tap = row;
    for (int32_t kx = 0; kx < reach->width; kx++, tap += reach->xStep) sum += (*tap - zero) * kernel[kx];
    row += reach->xPitch;
    kernel += v->kernelW;
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

  for (int32_t o = 0, made; o < out.channels; o += made, weights += made * n) {
    made = multiplier == 1 && out.channels - o >= BLOCK ? BLOCK : 1;
    if (made == BLOCK) {
      for (int32_t i = 0; i < BLOCK; i++) {
        for (int32_t tap = 0; tap < n; tap++) byTap[tap * BLOCK + i] = weights[i * n + tap];
      }
    }
    for (int32_t oy = v->y0; oy < v->y1; oy++) {
      Taps rows = tapsOfRow(v, oy);
      for (int32_t ox = v->x0; ox < v->x1; ox++) {
        Reach reach = reachOf(v, from, rows, tapsOfColumn(v, ox));
        int32_t sums[BLOCK];
        for (int32_t i = 0; i < made; i++) sums[i] = biasOf(&out, o + i);
        if (reach.corner != NULL) {
          if (made == BLOCK) {
            addBlock(v, &reach, o, byTap, zero, sums);
          } else {
            sums[0] += sumOne(v, &reach, o / multiplier, weights, zero);
          }
        }
        size_t at = placeOf(&out, oy, ox, o);
        if (out.alike && made == BLOCK) {
          putFour(&out, sums, out.y8 + at, 2);
        } else {
          putEach(&out, sums, at, elementOf(&out, oy, ox, o), o, made);
        }
      }
    }
  }
}
