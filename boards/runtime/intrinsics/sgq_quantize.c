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
static inline void putBits(uint8_t *at, uint32_t bits, uint32_t mask) {
  uint32_t old;
  memcpy(&old, at, sizeof old);
  old ^= (old ^ bits) & mask;
  memcpy(at, &old, sizeof old);
}

/** What all planes have in common. */
typedef struct Maps {
  const uint8_t *mask;
  int32_t h, w, c;
  size_t rowPitch, last; // last: offset of a map's last word
} Maps;

/** A plane: where its words go, from which element of a pixel on it is told, and its threshold. */
typedef struct Plane {
  uint8_t *out;
  const int8_t *x;
  int32_t threshold;
} Plane;

/** Records of planes, and where the first one's words go. */
typedef struct Planes {
  const uint8_t *record, *end;
  uint8_t *out;
  size_t stringBytes;
} Planes;

static inline int32_t recordI16(const uint8_t *at) {
  int16_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

/** Pixels that are told at a time. */
enum { CHUNK = 16 };

/** Where the bits of a chunk go: an unaligned word of the map, the first bit in it, and which of its bits are valid ones of the chunk. */
typedef struct Place {
  size_t at;
  uint32_t shift, mask;
} Place;

/** The place of a chunk at bit `*position`, and of the margin if it is the last one of a row; `left` pixels of that are not told yet. */
static inline Place placeOf(const Maps *maps, uint32_t *position, int32_t left) {
  // at most 19 bits, seven before them: they lie in a word, which does not begin behind the map's last
  uint32_t bits = left > CHUNK ? CHUNK : (uint32_t)left + SGQ_MARGIN, from = *position >> 3;
  Place place = {.at = from < maps->last ? from : maps->last};
  place.shift = *position - 8 * (uint32_t)place.at;
  memcpy(&place.mask, maps->mask + place.at, sizeof place.mask);
  place.mask &= ((1u << bits) - 1) << place.shift;
  *position += bits;
  return place;
}

static void quantizePlane(const Maps *maps, const Plane *plane) {
  const int8_t *row = plane->x;
  uint32_t position = 0;
  for (int32_t y = maps->h; y > 0; y--, row += maps->rowPitch) {
    const int8_t *at = row;
    for (int32_t left = maps->w; left > 0; left -= CHUNK) {
      uint32_t bits = 0;
      for (int32_t i = 0; i < CHUNK && i < left; i++, at += maps->c)
        bits |= (uint32_t)(*at > plane->threshold) << i;
      Place place = placeOf(maps, &position, left);
      putBits(plane->out + place.at, bits << place.shift, place.mask);
    }
  }
}

#if defined(__ARM_FEATURE_DSP)

enum { LANES = 4, RUN = CHUNK / 2 };

/** x > threshold of four channels that lie side by side: a byte of 0 or 1 for each. `least` has threshold + 1. */
static inline uint32_t above(const int8_t *x, uint32_t least) {
  uint32_t bytes;
  // GE flags: x ≥ threshold + 1
  __asm__("ssub8 %0, %1, %2\n\tsel %0, %3, %4"
          : "=&r"(bytes)
          : "r"(wordAt(x)), "r"(least), "r"(0x01010101), "r"(0));
  return bytes;
}

/** The same of `count` pixels, at most eight, of which `at` is the first: pixel i in bit i of each byte. */
static inline __attribute__((always_inline)) uint32_t aboveRun(const int8_t *at, size_t c, int32_t count,
                                                               uint32_t least) {
  uint32_t run = 0;
  if (count < RUN) {
    at += (size_t)count * c;
    if (count % 2 != 0) run = above(at -= c, least);
    for (count /= 2; count > 0; count--) {
      uint32_t second = above(at -= c, least);
      run = (run << 1 | second) << 1 | above(at -= c, least);
    }
    return run;
  }
#pragma GCC unroll 8
  for (int i = 0; i < RUN; i++, at += c) run |= above(at, least) << i;
  return run;
}

/** Writes a chunk of a lane; one without a plane has nowhere to. */
static inline void putLane(uint8_t *out, const Place *place, uint32_t bits) {
  if (out != NULL) putBits(out + place->at, bits << place->shift, place->mask);
}

/** Four planes of neighbouring channels at a time; a lane without a plane has no `out`. */
static OM_APART void quantizeLanes(const Maps *maps, const int8_t *x, uint8_t *const out[LANES],
                                   uint32_t least) {
  size_t c = (size_t)maps->c;
  uint32_t position = 0;
  for (int32_t y = maps->h; y > 0; y--, x += maps->rowPitch) {
    const int8_t *from = x;
    for (int32_t left = maps->w; left > 0; left -= CHUNK, from += CHUNK * c) {
      uint32_t low = aboveRun(from, c, left, least);
      uint32_t high = left > RUN ? aboveRun(from + RUN * c, c, left - RUN, least) : 0;
      // 16 pixels of lanes 0 and 2, and of lanes 1 and 3
      uint32_t even = (low & 0x00ff00ff) | (high & 0x00ff00ff) << 8;
      uint32_t odd = (low >> 8 & 0x00ff00ff) | (high & 0xff00ff00);
      Place place = placeOf(maps, &position, left);
      putLane(out[0], &place, (even & 0xffff));
      putLane(out[1], &place, (odd & 0xffff));
      putLane(out[2], &place, even >> 16);
      putLane(out[3], &place, odd >> 16);
    }
  }
}

/** Planes of a channel that are collected before they are told. */
enum { DEPTH = 4 };

/** Planes of four channels, one of each at a time. */
typedef struct Quad {
  const int8_t *x; // of the first channel
  int32_t counts[LANES];
  Plane planes[LANES][DEPTH];
} Quad;

static void quantizeQuad(const Maps *maps, const Quad *quad) {
  for (int32_t i = 0;; i++) {
    uint8_t *out[LANES] = {NULL};
    // 127 + 1 is −128 there: a lane without a plane gets any bits, and keeps none
    uint32_t least = 0;
    bool some = false;
    for (int lane = 0; lane < LANES; lane++) {
      const Plane *plane = &quad->planes[lane][i];
      if (i >= quad->counts[lane]) continue;
      some = true;
      if (plane->threshold < -128 || plane->threshold > 126) {
        quantizePlane(maps, plane);
        continue;
      }
      out[lane] = plane->out;
      least |= (uint32_t)((plane->threshold + 1) & 0xff) << 8 * lane;
    }
    if (!some) return;
    quantizeLanes(maps, quad->x, out, least);
  }
}

/** All planes of the channels `first` … `first` + 3, whose elements begin at x. */
static void quantizeQuads(const Maps *maps, const Planes *planes, int32_t first, const int8_t *x) {
  Quad quad;
  quad.x = x;
  memset(quad.counts, 0, sizeof quad.counts);
  uint8_t *out = planes->out;
  for (const uint8_t *record = planes->record; record < planes->end; record += RECORD_BYTES) {
    uint32_t lane = (uint32_t)(recordI16(record + RECORD_CHANNEL) - first);
    if (lane < LANES) {
      int32_t count = quad.counts[lane]++;
      quad.planes[lane][count] = (Plane){out, x + lane, recordI16(record + RECORD_THRESHOLD)};
      if (count == DEPTH - 1) {
        quantizeQuad(maps, &quad);
        memset(quad.counts, 0, sizeof quad.counts);
      }
    }
    out += planes->stringBytes;
  }
  quantizeQuad(maps, &quad);
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
  maps.last = (size_t)(sgqMapWords(maps.h, maps.w) - 1) * 4;
  const uint8_t *record = memory->base + (uint32_t)loadI32(memory, job + JOB_RECORDS);
  const uint8_t *end = record + (size_t)loadI32(memory, job + JOB_PLANES) * RECORD_BYTES;
  const Planes planes = {.record = record,
                         .end = end,
                         .out = memory->base + (uint32_t)loadI32(memory, job + JOB_STRINGS) +
                                sgqWordsAbove(maps.w) * 4,
                         .stringBytes = (size_t)sgqStringWords(maps.h, maps.w) * 4};
  const int8_t *from = (const int8_t *)memory->base + x;
  int32_t scalar = 0;
#if defined(__ARM_FEATURE_DSP)
  for (; scalar + LANES <= maps.c; scalar += LANES) quantizeQuads(&maps, &planes, scalar, from + scalar);
#endif
  uint8_t *out = planes.out;
  for (; record < end; record += RECORD_BYTES, out += planes.stringBytes) {
    int32_t channel = recordI16(record + RECORD_CHANNEL);
    if (channel < scalar) continue;
    Plane plane = {out, from + channel, recordI16(record + RECORD_THRESHOLD)};
    quantizePlane(&maps, &plane);
  }
  return OM_OK;
}
