// Intrinsic 65: bit planes to a payload. Contexts of 32 elements at a time: each tap is a shift of a bit string, and a
// transposition of bits makes bytes of eight of them (assembly/sgq/contexts.ts).
#include "intrinsics.h"
#include "sgq_check.h"
#include "simd.h"

enum { GROUP = 8, ROWS = 2 * GROUP, ELEMENTS = 32, BATCHES = ELEMENTS / GROUP };

/** Below it, a byte of the range is known. */
#define RANGE_MIN (1u << 24)

typedef struct Coder {
  uint32_t low, range;
  uint8_t *out, *next, *end; // first byte, next byte, behind the last
} Coder;

/** A tap of the plane that is coded: the word of its string that goes with the current 32 elements. */
typedef struct Tap {
  const uint8_t *word;
  uint32_t shift, row;
} Tap;

/** Taps of a plane that read something, and the words that they read; a tap without a plane reads zeros. */
typedef struct Taps {
  Tap taps[SGQ_MAX_TAPS];
  uint32_t rows[ROWS];
  int32_t count;
  bool wide;
} Taps;

static inline uint32_t loadWord(const uint8_t *from) {
  uint32_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

/** Adds 1 to the bytes written; one of them takes it, or the coder's state was not one of a coder's. */
static void carry(const Coder *coder, uint8_t *end) {
  while (end > coder->out) {
    *--end += 1;
    if (*end != 0) return;
  }
}

static inline void swapBits(uint32_t *a, uint32_t *b, uint32_t shift, uint32_t mask) {
  uint32_t moved = (*a >> shift ^ *b) & mask;
  *a ^= moved << shift;
  *b ^= moved;
}

/** Four transpositions of 8 × 8 bits side by side: bit 8b + r of row t becomes bit t of contexts[4r + b]. */
static void transpose(const uint32_t *rows, uint8_t *contexts) {
  uint32_t a[GROUP];
  memcpy(a, rows, sizeof a);
  for (int i = 0; i < GROUP; i += 2) swapBits(&a[i], &a[i + 1], 1, 0x55555555);
  for (int i = 0; i < GROUP; i += 4) {
    swapBits(&a[i], &a[i + 2], 2, 0x33333333);
    swapBits(&a[i + 1], &a[i + 3], 2, 0x33333333);
  }
  for (int i = 0; i < GROUP / 2; i++) swapBits(&a[i], &a[i + 4], 4, 0x0f0f0f0f);
  memcpy(contexts, a, sizeof a);
}

/** Reads the taps of the next 32 elements; `contexts` gets low bytes, and high bytes behind them where there are any. */
static void gather(Taps *taps, uint8_t *contexts) {
  for (Tap *tap = taps->taps, *end = tap + taps->count; tap < end; tap++) {
    // two shifts: one of 32 would be none
    taps->rows[tap->row] = loadWord(tap->word) >> tap->shift | (loadWord(tap->word + 4) << 1)
                                                                   << (31 - tap->shift);
    tap->word += 4;
  }
  transpose(taps->rows, contexts);
  if (taps->wide) transpose(taps->rows + GROUP, contexts + ELEMENTS);
}

/** Codes those of 32 bits whose mask is 1. Returns false if the payload is full. */
static inline bool codeBits(Coder *coder, const uint8_t *table, const uint8_t *contexts, bool wide,
                            uint32_t mask, uint32_t bits) {
  uint32_t low = coder->low, range = coder->range;
  uint8_t *next = coder->next;
  for (; mask != 0; contexts++) {
    const uint8_t *cell = contexts;
    for (int left = GROUP; left > 0; left--, mask >>= 1, bits >>= 1, cell += BATCHES) {
      if ((mask & 1) == 0) continue;
      uint32_t context = wide ? cell[0] | (uint32_t)cell[ELEMENTS] << 8 : cell[0];
      uint32_t part = range >> 9, bound = part * 2 * table[context] + part;
      if ((bits & 1) != 0) {
        range = bound;
      } else {
        low += bound;
        range -= bound;
        if (low < bound) carry(coder, next);
      }
      while (range < RANGE_MIN) {
        if (next == coder->end) return false;
        *next++ = (uint8_t)(low >> 24);
        low <<= 8;
        range <<= 8;
      }
    }
  }
  coder->low = low;
  coder->range = range;
  coder->next = next;
  return true;
}

static OM_APART bool codeNarrow(Coder *coder, const uint8_t *table, const uint8_t *contexts, uint32_t mask,
                                uint32_t bits) {
  return codeBits(coder, table, contexts, false, mask, bits);
}

static OM_APART bool codeWide(Coder *coder, const uint8_t *table, const uint8_t *contexts, uint32_t mask,
                              uint32_t bits) {
  return codeBits(coder, table, contexts, true, mask, bits);
}

/** Taps of plane `index` for the first 32 elements, which begin at bit `first` of its string `own`. */
static void tapsOf(Taps *taps, const uint8_t *list, int32_t count, int32_t index, const uint8_t *own,
                   size_t stringBytes, int32_t first, int32_t pitch) {
  taps->count = 0;
  taps->wide = count > GROUP;
  memset(taps->rows, 0, sizeof taps->rows);
  for (int32_t i = 0; i < count; i++, list += 2) {
    int32_t back = list[0], place = list[1];
    if (back > index) continue;
    // at least 0: the zeros before a map are as many as a tap reaches
    uint32_t at = (uint32_t)(first + ((place >> 3) - 2) * pitch + (place & 7) - SGQ_MARGIN);
    const uint8_t *word = own - (size_t)back * stringBytes + (at >> 5) * 4;
    taps->taps[taps->count++] = (Tap){word, at & 31, (uint32_t)i};
  }
}

/** Codes the planes of a checked job. Returns false if the payload is full. */
static bool codePlanes(const Linear *memory, uint32_t job, Coder *coder) {
  int32_t h = loadI32(memory, job + JOB_H), w = loadI32(memory, job + JOB_W);
  int32_t planes = loadI32(memory, job + JOB_PLANES), words = sgqMapWords(h, w);
  uint32_t record = (uint32_t)loadI32(memory, job + JOB_RECORDS);
  const uint8_t *valid = memory->base + (uint32_t)loadI32(memory, job + JOB_VALID);
  const uint8_t *strings = memory->base + (uint32_t)loadI32(memory, job + JOB_STRINGS);
  size_t stringBytes = (size_t)sgqStringWords(h, w) * 4, before = (size_t)sgqWordsAbove(w) * 4;
  uint8_t *contexts = memory->base + (uint32_t)loadI32(memory, job + JOB_SCRATCH);
  Taps taps;
  for (int32_t i = 0; i < planes; i++, record += RECORD_BYTES) {
    const uint8_t *own = strings + (size_t)i * stringBytes;
    const uint8_t *list = memory->base + (uint32_t)loadI32(memory, record + RECORD_TAP_LIST);
    const uint8_t *table = memory->base + (uint32_t)loadI32(memory, record + RECORD_TABLE);
    int32_t previous = loadI16(memory, record + RECORD_PREVIOUS);
    const uint8_t *lower = previous < 0 ? NULL : strings + (size_t)previous * stringBytes + before;
    tapsOf(&taps, list, memory->base[record + RECORD_TAPS], i, own, stringBytes, (int32_t)before * 8,
           sgqPitch(w));
    for (size_t at = 0; at < (size_t)words * 4; at += 4) {
      uint32_t mask = loadWord(valid + at);
      if (lower != NULL) mask &= loadWord(lower + at);
      if (mask == 0) {
        for (Tap *tap = taps.taps, *end = tap + taps.count; tap < end; tap++) tap->word += 4;
        continue;
      }
      gather(&taps, contexts);
      uint32_t bits = loadWord(own + before + at);
      bool done = taps.wide ? codeWide(coder, table, contexts, mask, bits)
                            : codeNarrow(coder, table, contexts, mask, bits);
      if (!done) return false;
    }
  }
  return true;
}

Error sgqEncode(const Linear *memory, uint32_t job, int32_t *result, Fault *fault) {
  Check check = checkStart(memory, FN_SGQ_ENCODE, fault);
  sgqCheckJob(&check, job);
  sgqCheckCoding(&check, job);
  if (check.error != OM_OK) return check.error;

  uint8_t *out = memory->base + (uint32_t)loadI32(memory, job + JOB_OUT);
  Coder coder = {(uint32_t)loadI32(memory, job + JOB_LOW), (uint32_t)loadI32(memory, job + JOB_RANGE), out,
                 out + loadI32(memory, job + JOB_LENGTH), out + loadI32(memory, job + JOB_CAPACITY)};
  *result = 0;
  if (!codePlanes(memory, job, &coder)) return OM_OK;
  storeI32(memory, job + JOB_LOW, (int32_t)coder.low);
  storeI32(memory, job + JOB_RANGE, (int32_t)coder.range);
  storeI32(memory, job + JOB_LENGTH, (int32_t)(coder.next - coder.out));
  *result = 1;
  return OM_OK;
}
