// Intrinsic 64: features to bit planes.
#include "intrinsics.h"
#include "sgq_check.h"
#include "simd.h"

static Error checkArguments(const Linear *memory, uint32_t job, uint32_t xT, uint32_t x, Fault *fault) {
  Check check = checkStart(memory, FN_SGQ_QUANTIZE, fault);
  sgqCheckJob(&check, job);
  checkTensorStruct(&check, xT);
  checkTensorShape(&check, xT);
  checkSame(&check, checkedField(&check, xT + TENSOR_H), checkedField(&check, job + JOB_H));
  checkSame(&check, checkedField(&check, xT + TENSOR_W), checkedField(&check, job + JOB_W));
  sgqCheckChannels(&check, job, checkedField(&check, xT + TENSOR_C));
  uint64_t bytes = tensorBytes(&check, xT, 1), written = sgqStringsBytes(&check, job);
  checkPointer(&check, x, bytes, 1);
  uint32_t strings = (uint32_t)checkedField(&check, job + JOB_STRINGS);
  checkApart(&check, strings, written, job, JOB_BYTES);
  checkApart(&check, strings, written, xT, TENSOR_BYTES);
  checkApart(&check, strings, written, x, bytes);
  checkApart(&check, strings, written, (uint32_t)checkedField(&check, job + JOB_VALID),
             sgqMapBytes(&check, job));
  checkApart(&check, strings, written, (uint32_t)checkedField(&check, job + JOB_RECORDS),
             (uint64_t)checkedField(&check, job + JOB_PLANES) * RECORD_BYTES);
  return check.error;
}

/** Bits under `mask` of the word at `at` become those of `bits`. */
static inline void putBits(uint8_t *at, uint32_t bits, const uint8_t *mask) {
  uint32_t old, which;
  memcpy(&old, at, sizeof old);
  memcpy(&which, mask, sizeof which);
  old ^= (old ^ bits) & which;
  memcpy(at, &old, sizeof old);
}

/** What all planes have in common. */
typedef struct Maps {
  const uint8_t *mask;
  int32_t h, w, c;
  size_t rowPitch;
} Maps;

/** A plane: where its words go, from which element of a pixel on it is told, and its threshold. */
typedef struct Plane {
  uint8_t *out;
  const int8_t *x;
  int32_t threshold;
} Plane;

static void quantizePlane(const Maps *maps, const Plane *plane) {
  uint8_t *out = plane->out;
  const uint8_t *mask = maps->mask;
  const int8_t *row = plane->x;
  uint32_t bits = 0, bit = 0;
  for (int32_t y = 0; y < maps->h; y++, row += maps->rowPitch) {
    const int8_t *at = row;
    // columns behind the row are never valid: their bits may be anything
    for (int32_t left = sgqPitch(maps->w); left > 0; left--) {
      if (left > SGQ_MARGIN) {
        bits |= (uint32_t)(*at > plane->threshold) << bit;
        at += maps->c;
      }
      if (++bit == 32) {
        putBits(out, bits, mask);
        out += 4;
        mask += 4;
        bits = bit = 0;
      }
    }
  }
  if (bit != 0) putBits(out, bits, mask);
}

#if defined(__ARM_FEATURE_DSP)

enum { LANES = 4, RUN = 8, CHUNK = 3 * RUN };

/** x > threshold of four channels that lie side by side: a byte of 0 or 1 for each. `least` has threshold + 1. */
static inline uint32_t above(const int8_t *x, uint32_t least) {
  uint32_t bytes;
  // GE flags: x ≥ threshold + 1
  __asm__("ssub8 %0, %1, %2\n\tsel %0, %3, %4"
          : "=&r"(bytes)
          : "r"(wordAt(x)), "r"(least), "r"(0x01010101), "r"(0));
  return bytes;
}

/** The same of `count` pixels, at most eight: pixel i in bit i of each byte. */
static inline uint32_t aboveRun(const int8_t *x, size_t c, int32_t count, uint32_t least) {
  uint32_t bits = 0;
#pragma GCC unroll 8
  for (int i = 0; i < RUN; i++, x += c) {
    if (i == count) break;
    bits |= above(x, least) << i;
  }
  return bits;
}

/** Four planes of neighbouring channels at a time; a lane without a plane has no `out`. */
static void quantizeLanes(const Maps *maps, const int8_t *x, uint8_t *const out[LANES], uint32_t least) {
  uint32_t bits[LANES] = {0}, position = 0;
  const uint8_t *mask = maps->mask;
  size_t word = 0, c = (size_t)maps->c;
  for (int32_t y = 0; y < maps->h; y++, x += maps->rowPitch) {
    const int8_t *at = x;
    for (int32_t left = maps->w; left > 0;) {
      // a chunk and the margin behind a row are less than a word: one word at most gets full
      int32_t count = left < CHUNK ? left : CHUNK;
      left -= count;
      uint32_t chunk[LANES] = {0}, step = (uint32_t)(left == 0 ? count + SGQ_MARGIN : count);
      for (int32_t i = 0; i < count; i += RUN, at += RUN * c) {
        uint32_t run = aboveRun(at, c, count - i, least);
#pragma GCC unroll 4
        for (int lane = 0; lane < LANES; lane++) chunk[lane] |= (run >> 8 * lane & 0xff) << i;
      }
#pragma GCC unroll 4
      for (int lane = 0; lane < LANES; lane++) bits[lane] |= chunk[lane] << position;
      position += step;
      if (position < 32) continue;
      position -= 32;
#pragma GCC unroll 4
      for (int lane = 0; lane < LANES; lane++) {
        if (out[lane] != NULL) putBits(out[lane] + word, bits[lane], mask + word);
        bits[lane] = chunk[lane] >> (step - position);
      }
      word += 4;
    }
  }
  for (int lane = 0; position > 0 && lane < LANES; lane++) {
    if (out[lane] != NULL) putBits(out[lane] + word, bits[lane], mask + word);
  }
}

/**
 * Planes of the channels first … first + 3, one of each at a time as long as there are some; `record` and `out` are those of plane 0.
 * No bit of x is beyond what a plane could be told from: all four channels are there.
 */
static void quantizeQuad(const Linear *memory, const Maps *maps, uint32_t record, int32_t planes,
                         uint8_t *out, size_t stringBytes, int32_t first, const int8_t *x) {
  int32_t next[LANES] = {0};
  for (;;) {
    uint8_t *strings[LANES] = {NULL};
    // 127 + 1 is −128 there: a lane without a plane gets any bits, and keeps none
    uint32_t least = 0;
    bool some = false;
    for (int lane = 0; lane < LANES; lane++) {
      int32_t i = next[lane];
      while (i < planes && loadI16(memory, record + (uint32_t)i * RECORD_BYTES) != first + lane) i++;
      next[lane] = i + 1;
      if (i >= planes) continue;
      int32_t threshold = loadI16(memory, record + (uint32_t)i * RECORD_BYTES + RECORD_THRESHOLD);
      strings[lane] = out + (size_t)i * stringBytes;
      some = true;
      if (threshold >= -128 && threshold < 127) {
        least |= (uint32_t)((threshold + 1) & 0xff) << 8 * lane;
        continue;
      }
      Plane plane = {strings[lane], x + lane, threshold};
      quantizePlane(maps, &plane);
      strings[lane] = NULL;
    }
    if (!some) return;
    quantizeLanes(maps, x, strings, least);
  }
}

#endif

Error sgqQuantize(const Linear *memory, uint32_t job, uint32_t xT, uint32_t x, Fault *fault) {
  Error error = checkArguments(memory, job, xT, x, fault);
  if (error != OM_OK) return error;

  Maps maps = {.mask = memory->base + (uint32_t)loadI32(memory, job + JOB_VALID),
               .h = loadI32(memory, job + JOB_H),
               .w = loadI32(memory, job + JOB_W),
               .c = loadI32(memory, xT + TENSOR_C),
               .rowPitch = (size_t)loadI32(memory, xT + TENSOR_PITCH)};
  size_t stringBytes = (size_t)sgqStringWords(maps.h, maps.w) * 4;
  uint32_t record = (uint32_t)loadI32(memory, job + JOB_RECORDS);
  int32_t planes = loadI32(memory, job + JOB_PLANES), scalar = 0;
  uint8_t *out = memory->base + (uint32_t)loadI32(memory, job + JOB_STRINGS) + sgqWordsAbove(maps.w) * 4;
  const int8_t *from = (const int8_t *)memory->base + x;
#if defined(__ARM_FEATURE_DSP)
  for (; scalar + LANES <= maps.c; scalar += LANES) {
    quantizeQuad(memory, &maps, record, planes, out, stringBytes, scalar, from + scalar);
  }
#endif
  for (int32_t left = planes; left > 0; left--, record += RECORD_BYTES, out += stringBytes) {
    int32_t channel = loadI16(memory, record + RECORD_CHANNEL);
    if (channel < scalar) continue;
    Plane plane = {out, from + channel, loadI16(memory, record + RECORD_THRESHOLD)};
    quantizePlane(&maps, &plane);
  }
  return OM_OK;
}
