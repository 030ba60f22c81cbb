// Requantisation, defined once (docs/abi.md): q = clamp(((i64(acc)·m + r) >> s) + zero, lo, hi).
#ifndef OM_REQUANTIZE_H
#define OM_REQUANTIZE_H

#include "../linear.h"
#include "draws.h"

/** A quant struct, read once; multiplier and shift are offsets of int32 arrays. */
typedef struct Quant {
  int32_t inputZero, outputZero, lo, hi;
  uint32_t multiplier, shift;
  int32_t channels, rounding;
  uint32_t key;
} Quant;

static inline Quant quantRead(const Linear *memory, uint32_t at) {
  return (Quant){loadI32(memory, at + 4),
                 loadI32(memory, at + 8),
                 loadI32(memory, at + 12),
                 loadI32(memory, at + 16),
                 (uint32_t)loadI32(memory, at + 20),
                 (uint32_t)loadI32(memory, at + 24),
                 loadI32(memory, at + 28),
                 loadI32(memory, at + 32),
                 (uint32_t)loadI32(memory, at + 36)};
}

/** r for rounding to nearest, halves upwards: 2^(s−1). */
static inline int64_t roundNearest(int32_t s) { return (int64_t)1 << (s - 1); }

/** r for stochastic rounding: the 16-bit draw scaled to [0, 2^s). */
static inline int64_t roundStochastic(int32_t s, uint32_t key, uint32_t index) {
  int64_t d = draw(key, index);
  return s >= 16 ? d << (s - 16) : d >> (16 - s);
}

/** (acc·m + r) >> s with 32 ≤ s ≤ 62 and r from the draw at `at` = key + index·DRAW_STEP; `scale` = 2^(s − 32). */
static inline int32_t stochasticUpper(int32_t acc, int32_t m, int32_t s, uint32_t scale, uint32_t at) {
  uint64_t r = (uint64_t)(stir(at) & 0xffff0000u) * scale;
  return (int32_t)(((int64_t)acc * m + (int64_t)r) >> 32) >> (s - 32);
}

/**
 * One value, 32 ≤ s ≤ 62, m in [2^30, 2^31). The sum's upper word is enough: acc·m lies in ±2^62 and r below 2^s, so
 * that the word lies in [−2^30, 2^30 + 2^(s−32)] and the zero point cannot make the shifted one overflow.
 */
static inline int32_t requantizeUpper(int32_t acc, int32_t m, int32_t s, int64_t r, int32_t zero, int32_t lo,
                                      int32_t hi) {
  int32_t q = ((int32_t)(((int64_t)acc * m + r) >> 32) >> (s - 32)) + zero;
  return q < lo ? lo : q > hi ? hi : q;
}

/**
 * One value to nearest, `less` = s − 33, 33 ≤ s ≤ 62. r = 2^(s−1) has no bit in the lower word, so the upper word of acc·m is
 * enough: (h + 2^less) >> (less + 1) is ((h >> less) + 1) >> 1.
 */
static inline int32_t requantizeNearest(int32_t acc, int32_t m, int32_t less, int32_t zero, int32_t lo,
                                        int32_t hi) {
  int32_t q = ((((int32_t)(((int64_t)acc * m) >> 32) >> less) + 1) >> 1) + zero;
  return q < lo ? lo : q > hi ? hi : q;
}

/**
 * One value, 1 ≤ s ≤ 62. |acc·m| ≤ 2^31·(2^31 − 1) and r < 2^62, so the sum stays below 2^63; the clamp happens in 64
 * bits because a small s can leave more than 32.
 */
static inline int32_t requantizeValue(int32_t acc, int32_t m, int32_t s, int64_t r, int32_t zero, int32_t lo,
                                      int32_t hi) {
  if (s >= 32) return requantizeUpper(acc, m, s, r, zero, lo, hi);
  int64_t q = (((int64_t)acc * m + r) >> s) + zero;
  return (int32_t)(q < lo ? lo : q > hi ? hi : q);
}

#endif
