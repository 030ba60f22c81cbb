// 1×1 convolution, forward. Two channels at a time: scratch holds their weights as two rows of int16 (on cores with the DSP
// extension) while they meet all positions, two at a time. The zero point is taken off with the weights' sum.
#include "conv2d_pointwise.h"

#include "conv2d_output.h"

#if defined(__ARM_FEATURE_DSP)
#include "simd.h"
#endif

bool isPointwise(const Window *v) {
  return v->kernelH == 1 && v->kernelW == 1 && v->groups == 1 && v->padTop == 0 && v->padLeft == 0 &&
         v->x1 - v->x0 >= 2 && (v->y1 - 1) * v->strideH < v->h && (v->x1 - 1) * v->strideW < v->w;
}

/** The inner loop needs every register: inlined, its caller would have them in memory. */
#define APART __attribute__((noinline))

/** Two kernels of n weights as the inner loop takes them, and one or two positions' sums with them. */
typedef struct Kernels {
  const int8_t *w0, *w1;
  void *prepared;
  int32_t n;
} Kernels;

#if defined(__ARM_FEATURE_DSP)

/** Of every four weights: bytes 0 and 2 of either kernel, then bytes 1 and 3. */
static void prepare(const Kernels *k) {
  Pair *to = k->prepared;
  for (int32_t i = 0; i + 4 <= k->n; i += 4) {
    uint32_t first = wordAt(k->w0 + i), second = wordAt(k->w1 + i);
    *to++ = evenBytes(first);
    *to++ = evenBytes(second);
    *to++ = oddBytes(first);
    *to++ = oddBytes(second);
  }
}

/** sums[0 … 3] += Σ x0·w0, x0·w1, x1·w0, x1·w1. Wraps as i32 does in WebAssembly. */
APART static void dot2(const Kernels *k, const int8_t *x0, const int8_t *x1, int32_t sums[4]) {
  int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
  int32_t n = k->n;
  const Pair *w = k->prepared;
  for (const Pair *end = w + (n & ~3); w != end;) {
    uint32_t p, q, t, u, v;
    __asm__ volatile("ldr %[p], [%[x0]], #4\n\t"
                     "ldr %[q], [%[x1]], #4\n\t"
                     "ldrd %[u], %[v], [%[w]], #8\n\t"
                     "sxtb16 %[t], %[p]\n\t"
                     "smlad %[a], %[t], %[u], %[a]\n\t"
                     "smlad %[b], %[t], %[v], %[b]\n\t"
                     "sxtb16 %[t], %[q]\n\t"
                     "smlad %[c], %[t], %[u], %[c]\n\t"
                     "smlad %[d], %[t], %[v], %[d]\n\t"
                     "ldrd %[u], %[v], [%[w]], #8\n\t"
                     "sxtb16 %[p], %[p], ror #8\n\t"
                     "smlad %[a], %[p], %[u], %[a]\n\t"
                     "smlad %[b], %[p], %[v], %[b]\n\t"
                     "sxtb16 %[q], %[q], ror #8\n\t"
                     "smlad %[c], %[q], %[u], %[c]\n\t"
                     "smlad %[d], %[q], %[v], %[d]"
                     : [x0] "+r"(x0), [x1] "+r"(x1), [w] "+r"(w), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c),
                       [d] "+r"(d), [p] "=&r"(p), [q] "=&r"(q), [t] "=&r"(t), [u] "=&r"(u), [v] "=&r"(v)
                     :
                     : "memory");
  }
  for (int32_t i = n & ~3; i < n; i++) {
    int32_t p = *x0++, q = *x1++;
    a += p * k->w0[i];
    b += p * k->w1[i];
    c += q * k->w0[i];
    d += q * k->w1[i];
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

#else

static void prepare(const Kernels *k) { (void)k; }

/** sums[0 … 3] += Σ x0·w0, x0·w1, x1·w0, x1·w1. Wraps as i32 does in WebAssembly. */
APART static void dot2(const Kernels *k, const int8_t *x0, const int8_t *x1, int32_t sums[4]) {
  int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
  for (int32_t i = 0; i < k->n; i++) {
    a += x0[i] * k->w0[i];
    b += x0[i] * k->w1[i];
    c += x1[i] * k->w0[i];
    d += x1[i] * k->w1[i];
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

#endif

/** What the sum of channel o starts from: its bias, less the zero point times its n weights. */
static int32_t startOf(const Output *out, int32_t o, const int8_t *w, int32_t n) {
  int32_t sum = biasOf(out, o), zero = out->quant.inputZero;
  if (zero == 0) return sum;
  for (int32_t i = 0; i < n; i++) sum -= zero * w[i];
  return sum;
}

void pointwiseConv2d(const Linear *memory, const Window *v, uint32_t scratch, uint32_t quant, uint32_t x,
                     uint32_t w, uint32_t bias, uint32_t yT, uint32_t y) {
  Output out = outputRead(memory, quant, bias, yT, y);
  const int8_t *from = (const int8_t *)(memory->base + x);
  Kernels k = {.w0 = (const int8_t *)(memory->base + w), .n = v->channels};
  k.prepared = memory->base + (uint32_t)loadI32(memory, scratch + SCRATCH_DATA);
  size_t step = (size_t)(v->strideW * v->channels), rowStep = (size_t)v->strideH * (size_t)v->pitch;
  size_t channels = (size_t)out.channels;
  from += (size_t)v->y0 * rowStep + (size_t)v->x0 * step;

  for (int32_t o = 0, made; o < out.channels; o += made, k.w0 += made * k.n) {
    // an odd channel at the end meets itself, and is written once
    made = out.channels - o >= 2 ? 2 : 1;
    k.w1 = made == 2 ? k.w0 + k.n : k.w0;
    prepare(&k);
    int32_t first = startOf(&out, o, k.w0, k.n), second = startOf(&out, o + made - 1, k.w1, k.n);
    Two two = made == 2 ? twoOf(&out, o) : (Two){0};
    const int8_t *row = from;
    for (int32_t oy = v->y0, ox = v->x0; oy < v->y1; oy++, row += rowStep) {
      const int8_t *x0 = row + (size_t)(ox - v->x0) * step;
      size_t at = placeOf(&out, oy, ox, o);
      int32_t left = v->x1 - ox;
      ox = v->x0;
      for (; left > 0; left -= 2, x0 += 2 * step, at += 2 * channels) {
        const int8_t *x1 = x0 + step;
        size_t ahead = channels;
        if (left == 1) {
          // an odd position meets the first one of the next row, and the last of all itself
          x1 = row + rowStep;
          ahead = placeOf(&out, oy + 1, ox, o) - at;
          if (oy + 1 < v->y1) {
            ox++;
          } else {
            x1 = x0;
            ahead = 0;
          }
        }
        int32_t sums[4] = {first, second, first, second};
        dot2(&k, x0, x1, sums);
        if (two.plain) {
          putFour(&two, sums, out.y8 + at, ahead);
          continue;
        }
        putEach(&out, sums, at, elementOf(&out, oy, v->x1 - left, o), o, made);
        if (ahead == 0) continue;
        uint32_t element =
            left > 1 ? elementOf(&out, oy, v->x1 - left + 1, o) : elementOf(&out, oy + 1, v->x0, o);
        putEach(&out, sums + 2, at + ahead, element, o, made);
      }
    }
  }
}
