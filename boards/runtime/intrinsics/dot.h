// The inner products of a convolution, twice: for cores with the DSP extension, and in plain C. Both give the same bits.
#ifndef OM_DOT_H
#define OM_DOT_H

#include "simd.h"
#include "window.h"

#if defined(__ARM_FEATURE_DSP)

/** n values less the zero point as int16; of every four in the order 0, 2, 1, 3, as the dot products take them. */
static inline void widen(const int8_t *from, int32_t n, int32_t zero, int16_t *to) {
  Pair zeros = ((uint32_t)zero & 0xffff) * 0x10001;
  const int8_t *fours = from + (n & ~3);
  while (from < fours) {
    uint32_t word = wordAt(from);
    Pair even = lessPair(evenBytes(word), zeros), odd = lessPair(oddBytes(word), zeros);
    memcpy(to, &even, sizeof even);
    memcpy(to + 2, &odd, sizeof odd);
    from += 4;
    to += 4;
  }
  for (int32_t k = 0; k < (n & 3); k++) to[k] = (int16_t)(from[k] - zero);
}

/**
 * The patch under an output in the kernel's own order [kernelH, kernelW, perGroup], widened. Its bytes are collected in
 * the upper half of `to` first: word by word, widening reads them before it writes there.
 */
OM_APART static void gatherPatch(const Window *v, const int8_t *x, int32_t zero, int32_t group, Taps rows,
                                 Taps columns, int16_t *to) {
  int32_t n = v->kernelSize;
  int32_t rowValues = v->kernelW * v->perGroup;
  bool inside = rows.end - rows.first == v->kernelH && columns.end - columns.first == v->kernelW;
  bool joined = v->dilationW == 1 && v->groups == 1;
  int32_t taps = columns.end - columns.first;
  int32_t runs = joined ? 1 : taps;
  int32_t run = joined ? taps * v->perGroup : v->perGroup;
  bool whole = (v->perGroup & 3) == 0 || (inside && runs == 1 && (v->kernelH == 1 || (run & 3) == 0));
  int8_t *bytes = (int8_t *)(to + n) - n;
  if (!inside) {
    if (whole) {
      memset(to, 0, (size_t)n * sizeof *to);
    } else {
      memset(bytes, zero, (size_t)n);
    }
  }
  const int8_t *corner =
      x + (size_t)rows.start * (size_t)v->pitch + columns.start * v->channels + group * v->perGroup;
  size_t rowStep = (size_t)v->dilationH * (size_t)v->pitch;
  int32_t at = rows.first * rowValues + columns.first * v->perGroup;
  for (int32_t ky = rows.first; ky < rows.end; ky++) {
    const int8_t *from = corner;
    for (int32_t i = 0; i < runs; i++) {
      if (whole) {
        widen(from, run, zero, to + at + i * run);
      } else {
        int8_t *next = bytes + at + i * run;
        int32_t k = 0;
        for (; k < (run & ~3); k += 4) memcpy(next + k, from + k, 4);
        for (; k < run; k++) next[k] = from[k];
      }
      from += v->dilationW * v->channels;
    }
    corner += rowStep;
    at += rowValues;
  }
  if (!whole) widen(bytes, n, zero, to);
}

/** The next four bytes. Loads stay where they are written: earlier ones would push sums out of the registers. */
#define NEXT_WORD(word, from) __asm__ volatile("ldr %0, [%1], #4" : "=r"(word), "+r"(from) : : "memory")

/** The next two words, from a multiple of 4: unlike one word, two may not be unaligned. */
#define NEXT_TWO(one, two, from)                                                                             \
  __asm__ volatile("ldrd %0, %1, [%2], #8" : "=r"(one), "=r"(two), "+r"(from) : : "memory")

/** s0 += Σ p0·w0, p0·w1 and s1 += Σ p1·w0, p1·w1 over n values; w1 = w0 + n. Wraps as i32 does in WebAssembly. */
OM_APART static void dot2x2(const int16_t *p0, const int16_t *p1, const int8_t *w0, int32_t n, int32_t s0[2],
                            int32_t s1[2]) {
  int32_t a = s0[0], b = s0[1], c = s1[0], d = s1[1];
  const int8_t *w1 = w0 + n;
  for (const int16_t *fours = p0 + (n & ~3); p0 != fours;) {
    Pair even0, even1, p;
    NEXT_WORD(even0, w0);
    NEXT_WORD(even1, w1);
    Pair odd0 = oddBytes(even0), odd1 = oddBytes(even1);
    even0 = evenBytes(even0);
    even1 = evenBytes(even1);
    NEXT_WORD(p, p0);
    a = addProducts(p, even0, a);
    b = addProducts(p, even1, b);
    NEXT_WORD(p, p1);
    c = addProducts(p, even0, c);
    d = addProducts(p, even1, d);
    NEXT_WORD(p, p0);
    a = addProducts(p, odd0, a);
    b = addProducts(p, odd1, b);
    NEXT_WORD(p, p1);
    c = addProducts(p, odd0, c);
    d = addProducts(p, odd1, d);
  }
  for (n &= 3; n > 0; n--) {
    int32_t p = *p0++, q = *p1++, u = *w0++, v = *w1++;
    a += p * u;
    b += p * v;
    c += q * u;
    d += q * v;
  }
  s0[0] = a;
  s0[1] = b;
  s1[0] = c;
  s1[1] = d;
}

/** sums[0 … 3] += Σ p·w0 … p·w3, where w0 … w3 lie n bytes apart; p is 4-aligned. */
OM_APART static void dot1x4(const int16_t *p0, const int8_t *w0, int32_t n, int32_t sums[4]) {
  int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
  const int8_t *w1 = w0 + n, *w2 = w1 + n, *w3 = w2 + n;
  for (const int16_t *fours = p0 + (n & ~3); p0 != fours;) {
    uint32_t word;
    Pair even, odd;
    NEXT_TWO(even, odd, p0);
    NEXT_WORD(word, w0);
    a = addProducts(even, evenBytes(word), a);
    a = addProducts(odd, oddBytes(word), a);
    NEXT_WORD(word, w1);
    b = addProducts(even, evenBytes(word), b);
    b = addProducts(odd, oddBytes(word), b);
    NEXT_WORD(word, w2);
    c = addProducts(even, evenBytes(word), c);
    c = addProducts(odd, oddBytes(word), c);
    NEXT_WORD(word, w3);
    d = addProducts(even, evenBytes(word), d);
    d = addProducts(odd, oddBytes(word), d);
  }
  for (n &= 3; n > 0; n--) {
    int32_t p = *p0++;
    a += p * *w0++;
    b += p * *w1++;
    c += p * *w2++;
    d += p * *w3++;
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

/** Σ p·w. */
OM_APART static int32_t dot1x1(const int16_t *p, const int8_t *w, int32_t n) {
  int32_t sum = 0;
  for (const int16_t *fours = p + (n & ~3); p != fours;) {
    uint32_t word;
    Pair even, odd;
    NEXT_WORD(word, w);
    NEXT_WORD(even, p);
    NEXT_WORD(odd, p);
    sum = addProducts(even, evenBytes(word), sum);
    sum = addProducts(odd, oddBytes(word), sum);
  }
  for (n &= 3; n > 0; n--) sum += *p++ * *w++;
  return sum;
}

#else

/** The patch under an output in the kernel's own order [kernelH, kernelW, perGroup]. */
static inline void gatherPatch(const Window *v, const int8_t *x, int32_t zero, int32_t group, Taps rows,
                               Taps columns, int16_t *to) {
  windowGather(v, x, zero, group, rows, columns, to);
}

/** s0 += Σ p0·w0, p0·w1 and s1 += Σ p1·w0, p1·w1 over n values; w1 = w0 + n. Wraps as i32 does in WebAssembly. */
OM_APART static void dot2x2(const int16_t *restrict p0, const int16_t *restrict p1, const int8_t *restrict w0,
                            int32_t n, int32_t s0[2], int32_t s1[2]) {
  int32_t a = s0[0], b = s0[1], c = s1[0], d = s1[1];
  const int8_t *restrict w1 = w0 + n;
  for (int32_t k = 0; k < n; k++) {
    a += p0[k] * w0[k];
    b += p0[k] * w1[k];
    c += p1[k] * w0[k];
    d += p1[k] * w1[k];
  }
  s0[0] = a;
  s0[1] = b;
  s1[0] = c;
  s1[1] = d;
}

/** sums[0 … 3] += Σ p·w0 … p·w3, where w0 … w3 lie n bytes apart. */
static inline void dot1x4(const int16_t *restrict p, const int8_t *restrict w0, int32_t n, int32_t sums[4]) {
  const int8_t *restrict w1 = w0 + n, *restrict w2 = w1 + n, *restrict w3 = w2 + n;
  int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
  for (int32_t k = 0; k < n; k++) {
    a += p[k] * w0[k];
    b += p[k] * w1[k];
    c += p[k] * w2[k];
    d += p[k] * w3[k];
  }
  sums[0] = a;
  sums[1] = b;
  sums[2] = c;
  sums[3] = d;
}

/** Σ p·w. */
static inline int32_t dot1x1(const int16_t *restrict p, const int8_t *restrict w, int32_t n) {
  int32_t sum = 0;
  for (int32_t k = 0; k < n; k++) sum += p[k] * w[k];
  return sum;
}

#endif

#endif
