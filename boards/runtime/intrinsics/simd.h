// Armv7E-M's DSP instructions, two int16 or four int8 at a time, for the intrinsics that have a form of their own for it.
#ifndef OM_SIMD_H
#define OM_SIMD_H

#include <stdint.h>
#include <string.h>

/** A loop that needs every register: inlined, its caller would have them in memory. */
#define OM_APART __attribute__((noinline))

/** Bit 0 becomes bit 31. */
static inline uint32_t reverseBits(uint32_t word) {
#if defined(__ARM_FEATURE_DSP)
  __asm__("rbit %0, %0" : "+r"(word));
#else
  word = (word >> 1 & 0x55555555) | (word & 0x55555555) << 1;
  word = (word >> 2 & 0x33333333) | (word & 0x33333333) << 2;
  word = (word >> 4 & 0x0f0f0f0f) | (word & 0x0f0f0f0f) << 4;
  word = __builtin_bswap32(word);
#endif
  return word;
}

#if defined(__ARM_FEATURE_DSP)

/** Two int16 in a register. */
typedef uint32_t Pair;

/** Two int16, cut to size. */
static inline Pair pairOf(int32_t low, int32_t high) {
  return ((uint32_t)low & 0xffff) | (uint32_t)high << 16;
}

/** Four bytes from any address: these cores load unaligned words. */
static inline uint32_t wordAt(const void *from) {
  uint32_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

/** Bytes 0 and 2, sign extended. */
static inline Pair evenBytes(uint32_t word) {
  Pair pair;
  __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
  return pair;
}

/** Bytes 1 and 3, sign extended. */
static inline Pair oddBytes(uint32_t word) {
  Pair pair;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
  return pair;
}

static inline Pair lessPair(Pair a, Pair b) {
  Pair difference;
  __asm__("ssub16 %0, %1, %2" : "=r"(difference) : "r"(a), "r"(b));
  return difference;
}

/** sum + a.low·b.low + a.high·b.high, wrapping. */
static inline int32_t addProducts(Pair a, Pair b, int32_t sum) {
  int32_t total;
  __asm__("smlad %0, %1, %2, %3" : "=r"(total) : "r"(a), "r"(b), "r"(sum));
  return total;
}

/** sum + a.low·b.low, wrapping. */
static inline int32_t addLows(Pair a, Pair b, int32_t sum) {
  int32_t total;
  __asm__("smlabb %0, %1, %2, %3" : "=r"(total) : "r"(a), "r"(b), "r"(sum));
  return total;
}

/** sum + a.high·b.high, wrapping. */
static inline int32_t addHighs(Pair a, Pair b, int32_t sum) {
  int32_t total;
  __asm__("smlatt %0, %1, %2, %3" : "=r"(total) : "r"(a), "r"(b), "r"(sum));
  return total;
}

/** sum + a.high·b.low, wrapping. */
static inline int32_t addHighLow(Pair a, Pair b, int32_t sum) {
  int32_t total;
  __asm__("smlatb %0, %1, %2, %3" : "=r"(total) : "r"(a), "r"(b), "r"(sum));
  return total;
}

/** Both halves plus bytes 0 and 2, sign extended. */
static inline Pair addEvenBytes(Pair sums, uint32_t word) {
  Pair total;
  __asm__("sxtab16 %0, %1, %2" : "=r"(total) : "r"(sums), "r"(word));
  return total;
}

/** Both halves plus bytes 1 and 3, sign extended. */
static inline Pair addOddBytes(Pair sums, uint32_t word) {
  Pair total;
  __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(total) : "r"(sums), "r"(word));
  return total;
}

/** Adds the sums of bytes 0 … 3 that two pairs hold to `sums`. */
static inline void spillPairs(Pair even, Pair odd, int32_t sums[4]) {
  sums[0] += (int16_t)even;
  sums[1] += (int16_t)odd;
  sums[2] += (int32_t)even >> 16;
  sums[3] += (int32_t)odd >> 16;
}

#endif

#endif
