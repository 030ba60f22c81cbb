// What the intrinsics of `octo_sgq_1` check of a job.
#include "sgq_check.h"

enum { MAX_SIDE = 1024, MAX_PLANES = 3840 };

/** A tap's place is (dy + 2)·8 + dx + 3: the last that there is, and the last before the element itself. */
enum { LAST_PLACE = 30, BEFORE = 18 };

static uint32_t address(const Check *check, uint32_t at) { return (uint32_t)checkedField(check, at); }

static uint64_t recordBytes(const Check *check, uint32_t job) {
  return (uint64_t)checkedField(check, job + JOB_PLANES) * RECORD_BYTES;
}

uint64_t sgqMapBytes(const Check *check, uint32_t job) {
  return (uint64_t)sgqMapWords(checkedField(check, job + JOB_H), checkedField(check, job + JOB_W)) * 4;
}

uint64_t sgqStringsBytes(const Check *check, uint32_t job) {
  int32_t words = sgqStringWords(checkedField(check, job + JOB_H), checkedField(check, job + JOB_W));
  return (uint64_t)words * 4 * (uint64_t)checkedField(check, job + JOB_PLANES);
}

void sgqCheckJob(Check *check, uint32_t job) {
  checkStruct(check, job, JOB_BYTES);
  checkWithin(check, OM_BAD_SHAPE, checkedField(check, job + JOB_H), 1, MAX_SIDE);
  checkWithin(check, OM_BAD_SHAPE, checkedField(check, job + JOB_W), 1, MAX_SIDE);
  checkWithin(check, OM_BAD_SHAPE, checkedField(check, job + JOB_PLANES), 0, MAX_PLANES);
  checkPointer(check, address(check, job + JOB_RECORDS), recordBytes(check, job), 4);
  checkPointer(check, address(check, job + JOB_VALID), sgqMapBytes(check, job), 4);
  checkPointer(check, address(check, job + JOB_STRINGS), sgqStringsBytes(check, job), 4);
}

void sgqCheckChannels(Check *check, uint32_t job, int32_t channels) {
  uint32_t record = address(check, job + JOB_RECORDS);
  for (int32_t left = checkedField(check, job + JOB_PLANES); left > 0 && check->error == OM_OK; left--) {
    checkWithin(check, OM_BAD_SHAPE, loadI16(check->memory, record + RECORD_CHANNEL), 0, channels - 1);
    record += RECORD_BYTES;
  }
}

/** What is written: scratch and payload; both lie between `first` and `end`. */
typedef struct Written {
  uint32_t scratch, out;
  uint64_t capacity, first, end;
} Written;

static void checkWritten(Check *check, const Written *written, uint32_t at, uint64_t bytes) {
  if (at + bytes <= written->first || at >= written->end) return;
  checkApart(check, written->scratch, SGQ_SCRATCH_BYTES, at, bytes);
  checkApart(check, written->out, written->capacity, at, bytes);
}

static void checkPlane(Check *check, const Written *written, uint32_t record, int32_t index) {
  const Linear *memory = check->memory;
  int32_t previous = loadI16(memory, record + RECORD_PREVIOUS), taps = memory->base[record + RECORD_TAPS];
  if (previous < -1 || previous >= index) checkWithin(check, OM_BAD_SHAPE, previous, -1, index - 1);
  if (taps < 1 || taps > SGQ_MAX_TAPS) checkWithin(check, OM_BAD_SHAPE, taps, 1, SGQ_MAX_TAPS);
  if (check->error != OM_OK) return;
  uint32_t list = (uint32_t)loadI32(memory, record + RECORD_TAP_LIST);
  uint32_t table = (uint32_t)loadI32(memory, record + RECORD_TABLE);
  checkPointer(check, list, (uint64_t)taps * 2, 1);
  checkPointer(check, table, (uint64_t)1 << taps, 1);
  checkWritten(check, written, list, (uint64_t)taps * 2);
  checkWritten(check, written, table, (uint64_t)1 << taps);
  if (check->error != OM_OK) return;
  for (const uint8_t *tap = memory->base + list; taps > 0; taps--, tap += 2) {
    int32_t place = tap[1], last = tap[0] != 0 ? LAST_PLACE : BEFORE;
    if (place > last) checkWithin(check, OM_BAD_SHAPE, place, 0, last);
    if ((place & 7) > 2 * SGQ_MARGIN) checkWithin(check, OM_BAD_SHAPE, place & 7, 0, 2 * SGQ_MARGIN);
  }
}

void sgqCheckCoding(Check *check, uint32_t job) {
  uint32_t scratch = address(check, job + JOB_SCRATCH);
  checkPointer(check, scratch, SGQ_SCRATCH_BYTES, 4);
  int32_t capacity = checkedField(check, job + JOB_CAPACITY);
  checkCount(check, capacity);
  checkWithin(check, OM_BAD_SHAPE, checkedField(check, job + JOB_LENGTH), 0, capacity);
  uint32_t out = address(check, job + JOB_OUT);
  checkPointer(check, out, (uint64_t)capacity, 1);
  checkApart(check, out, (uint64_t)capacity, scratch, SGQ_SCRATCH_BYTES);
  Written written = {scratch, out, (uint64_t)capacity, scratch < out ? scratch : out,
                     (uint64_t)scratch + SGQ_SCRATCH_BYTES};
  if (written.end < out + written.capacity) written.end = out + written.capacity;
  uint32_t record = address(check, job + JOB_RECORDS);
  checkWritten(check, &written, job, JOB_BYTES);
  checkWritten(check, &written, record, recordBytes(check, job));
  checkWritten(check, &written, address(check, job + JOB_VALID), sgqMapBytes(check, job));
  checkWritten(check, &written, address(check, job + JOB_STRINGS), sgqStringsBytes(check, job));
  int32_t planes = checkedField(check, job + JOB_PLANES);
  for (int32_t i = 0; i < planes && check->error == OM_OK; i++, record += RECORD_BYTES)
    checkPlane(check, &written, record, i);
}
