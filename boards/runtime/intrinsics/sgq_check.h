// Jobs of `octo_sgq_1` (docs/abi.md) and the checks that its intrinsics share: those of assembly/sgq/check.ts, in its order.
#ifndef OM_SGQ_CHECK_H
#define OM_SGQ_CHECK_H

#include "check.h"

// offsets in the job and in a plane's record: assembly/sgq/layout.ts says what they are
enum {
  JOB_BYTES = 52,
  JOB_H = 4,
  JOB_W = 8,
  JOB_PLANES = 12,
  JOB_RECORDS = 16,
  JOB_VALID = 20,
  JOB_STRINGS = 24,
  JOB_SCRATCH = 28,
  JOB_LOW = 32,
  JOB_RANGE = 36,
  JOB_LENGTH = 40,
  JOB_OUT = 44,
  JOB_CAPACITY = 48
};
enum {
  RECORD_BYTES = 16,
  RECORD_CHANNEL = 0,
  RECORD_THRESHOLD = 2,
  RECORD_PREVIOUS = 4,
  RECORD_TAPS = 6,
  RECORD_TAP_LIST = 8,
  RECORD_TABLE = 12
};

/** Zeros behind each row of a bit string, rows above an element that a tap reaches, most taps. */
enum { SGQ_MARGIN = 3, SGQ_ABOVE = 2, SGQ_MAX_TAPS = 14 };

/** Contexts of 32 elements: a low and a high byte of each. */
enum { SGQ_SCRATCH_BYTES = 64 };

/** Bits from one row to the next; sides are at most 1,024, so that a string has fewer than 2^21 bits. */
static inline int32_t sgqPitch(int32_t w) { return w + SGQ_MARGIN; }

/** Words of zeros before the first element. */
static inline int32_t sgqWordsAbove(int32_t w) { return (SGQ_ABOVE * sgqPitch(w) + SGQ_MARGIN + 31) >> 5; }

/** Words from the first element to the last. */
static inline int32_t sgqMapWords(int32_t h, int32_t w) { return (h * sgqPitch(w) + 31) >> 5; }

/** Words of a plane: behind the map a row below, and the word that is read with the last one. */
static inline int32_t sgqStringWords(int32_t h, int32_t w) {
  return sgqWordsAbove(w) + sgqMapWords(h, w) + ((sgqPitch(w) + SGQ_MARGIN + 31) >> 5) + 1;
}

static inline int32_t loadI16(const Linear *memory, uint32_t at) {
  int16_t value;
  memcpy(&value, memory->base + at, sizeof value);
  return value;
}

/** Struct, sides, number of planes; then where records, valid map and strings lie. */
void sgqCheckJob(Check *check, uint32_t job);

/** Bytes of all strings of a job, at most 3,840 · 2^18; 0 once a check has failed. */
uint64_t sgqStringsBytes(const Check *check, uint32_t job);

/** Bytes of the valid map; 0 once a check has failed. */
uint64_t sgqMapBytes(const Check *check, uint32_t job);

/** Every plane's channel lies below `channels`. */
void sgqCheckChannels(Check *check, uint32_t job, int32_t channels);

/** Scratch and payload, apart from all that is read beside them; then every plane's previous plane, taps and table. */
void sgqCheckCoding(Check *check, uint32_t job);

#endif
