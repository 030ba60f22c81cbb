// Intrinsic 64: features to bit planes.
#include "intrinsics.h"
#include "sgq_check.h"

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

/** A plane: where its words go, and what of an element they tell. */
typedef struct Plane {
  uint8_t *out;
  const uint8_t *mask;
  const int8_t *x;
  int32_t threshold, h, w, c;
  size_t rowPitch;
} Plane;

static void quantizePlane(const Plane *plane) {
  uint8_t *out = plane->out;
  const uint8_t *mask = plane->mask;
  const int8_t *row = plane->x;
  uint32_t bits = 0, bit = 0;
  for (int32_t y = 0; y < plane->h; y++, row += plane->rowPitch) {
    const int8_t *at = row;
    // columns behind the row are never valid: their bits may be anything
    for (int32_t left = sgqPitch(plane->w); left > 0; left--) {
      if (left > SGQ_MARGIN) {
        bits |= (uint32_t)(*at > plane->threshold) << bit;
        at += plane->c;
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

Error sgqQuantize(const Linear *memory, uint32_t job, uint32_t xT, uint32_t x, Fault *fault) {
  Error error = checkArguments(memory, job, xT, x, fault);
  if (error != OM_OK) return error;

  Plane plane = {.mask = memory->base + (uint32_t)loadI32(memory, job + JOB_VALID),
                 .h = loadI32(memory, job + JOB_H),
                 .w = loadI32(memory, job + JOB_W),
                 .c = loadI32(memory, xT + TENSOR_C),
                 .rowPitch = (size_t)loadI32(memory, xT + TENSOR_PITCH)};
  size_t stringBytes = (size_t)sgqStringWords(plane.h, plane.w) * 4;
  uint32_t record = (uint32_t)loadI32(memory, job + JOB_RECORDS);
  plane.out = memory->base + (uint32_t)loadI32(memory, job + JOB_STRINGS) + sgqWordsAbove(plane.w) * 4;
  for (int32_t left = loadI32(memory, job + JOB_PLANES); left > 0; left--, record += RECORD_BYTES) {
    plane.x = (const int8_t *)memory->base + x + loadI16(memory, record + RECORD_CHANNEL);
    plane.threshold = loadI16(memory, record + RECORD_THRESHOLD);
    quantizePlane(&plane);
    plane.out += stringBytes;
  }
  return OM_OK;
}
