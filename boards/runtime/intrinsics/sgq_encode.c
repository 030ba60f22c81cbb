// Intrinsic 65: bit planes to a payload. Contexts of 32 elements at a time: each tap is a shift of a bit string, and a
// transposition of bits makes bytes of eight of them (assembly/sgq/contexts.ts).
#include "intrinsics.h"
#include "sgq_check.h"
#include "simd.h"

enum { GROUP = 8, ROWS = 2 * GROUP, ELEMENTS = 32, BATCHES = ELEMENTS / GROUP };

/** Below it, a byte of the range is known. */
#define RANGE_MIN (1u << 24)

#define unlikely(condition) __builtin_expect(condition, 0)

typedef struct Coder {
  uint32_t low, range;
  uint8_t *out, *next, *end; // first byte, next byte, behind the last
} Coder;

/** A tap of the plane that is coded: the word of its string that goes with the first 32 elements, and where its bits go. */
typedef struct Tap {
  const uint8_t *words;
  uint32_t shift, inverse; // right, and left by 31 − shift
  uint32_t *row;
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
static OM_APART void carry(const uint8_t *out, uint8_t *end) {
  while (end > out) {
    *--end += 1;
    if (*end != 0) return;
  }
}

// Four transpositions of 8 × 8 bits side by side, in registers: an array would be kept in memory.
#define SWAP(a, b, shift, mask)                                                                              \
  do {                                                                                                       \
    uint32_t moved = ((a) >> (shift) ^ (b)) & (mask);                                                        \
    (a) ^= moved << (shift);                                                                                 \
    (b) ^= moved;                                                                                            \
  } while (0)

/** Bit 8b + r of row t becomes bit t of contexts[4r + b]. */
static OM_APART void transpose(const uint32_t *rows, uint8_t *contexts) {
  uint32_t a = rows[0], b = rows[1], c = rows[2], d = rows[3];
  uint32_t e = rows[4], f = rows[5], g = rows[6], h = rows[7];
  SWAP(a, b, 1, 0x55555555);
  SWAP(c, d, 1, 0x55555555);
  SWAP(a, c, 2, 0x33333333);
  SWAP(b, d, 2, 0x33333333);
  SWAP(e, f, 1, 0x55555555);
  SWAP(g, h, 1, 0x55555555);
  SWAP(e, g, 2, 0x33333333);
  SWAP(f, h, 2, 0x33333333);
  SWAP(a, e, 4, 0x0f0f0f0f);
  SWAP(b, f, 4, 0x0f0f0f0f);
  SWAP(c, g, 4, 0x0f0f0f0f);
  SWAP(d, h, 4, 0x0f0f0f0f);
  uint32_t words[GROUP] = {a, b, c, d, e, f, g, h};
  memcpy(contexts, words, sizeof words);
}

/**
 * Reads the taps `at` bytes on; `contexts` gets low bytes, and high bytes behind them where there are any.
 * Returns 0 if all of them are 0.
 */
static OM_APART uint32_t gather(const Taps *taps, size_t at, uint8_t *contexts) {
  uint32_t any = 0;
  for (const Tap *tap = taps->taps, *end = tap + taps->count; tap < end; tap++) {
    const uint8_t *word = tap->words + at;
    // two shifts: one of 32 would be none
    uint32_t bits = loadWord(word) >> tap->shift | (loadWord(word + 4) << 1) << tap->inverse;
    *tap->row = bits;
    any |= bits;
  }
  if (any == 0) {
    memset(contexts, 0, taps->wide ? 2 * ELEMENTS : ELEMENTS);
    return 0;
  }
  transpose(taps->rows, contexts);
  if (taps->wide) transpose(taps->rows + GROUP, contexts + ELEMENTS);
  return any;
}

/** How many bits are 1. */
static inline uint32_t countBits(uint32_t word) {
  word -= word >> 1 & 0x55555555;
  word = (word & 0x33333333) + (word >> 2 & 0x33333333);
  return ((word + (word >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

/** Codes zeros of one probability: where a map is empty, all of a word. Returns false if the payload is full. */
static OM_APART bool codeZeros(Coder *coder, uint32_t probability, uint32_t count) {
  Coder c = *coder;
  uint32_t factor = 2 * probability + 1;
  for (; count > 0; count--) {
    uint32_t bound = (c.range >> 9) * factor;
    c.low += bound;
    c.range -= bound;
    if (unlikely(c.low < bound)) carry(c.out, c.next);
    while (unlikely(c.range < RANGE_MIN)) {
      if (c.next == c.end) return false;
      *c.next++ = (uint8_t)(c.low >> 24);
      c.low <<= 8;
      c.range <<= 8;
    }
  }
  *coder = c;
  return true;
}

/** Codes bit `r` of `bits` if its mask is 1. Returns false if the payload is full. */
static inline __attribute__((always_inline)) bool codeBit(Coder *coder, const uint8_t *table,
                                                          const uint8_t *contexts, bool wide, int r,
                                                          uint32_t mask, uint32_t bits) {
  if ((mask >> r & 1) == 0) return true;
  const uint8_t *cell = contexts + r * BATCHES;
  uint32_t context = wide ? cell[0] | (uint32_t)cell[ELEMENTS] << 8 : cell[0];
  uint32_t part = coder->range >> 9, bound = part * 2 * table[context] + part;
  coder->range -= bound;
  if (unlikely((bits >> r & 1) != 0)) {
    coder->range = bound;
  } else {
    coder->low += bound;
    if (unlikely(coder->low < bound)) carry(coder->out, coder->next);
  }
  while (unlikely(coder->range < RANGE_MIN)) {
    if (coder->next == coder->end) return false;
    *coder->next++ = (uint8_t)(coder->low >> 24);
    coder->low <<= 8;
    coder->range <<= 8;
  }
  return true;
}

/** Codes those of 32 bits whose mask is 1: eight in a row without a loop. Returns false if the payload is full. */
static inline __attribute__((always_inline)) bool codeBits(Coder *coder, const uint8_t *table,
                                                           const uint8_t *contexts, bool wide, uint32_t mask,
                                                           uint32_t bits) {
  Coder c = *coder;
#define CODE(r) codeBit(&c, table, contexts, wide, r, mask, bits)
  for (; mask != 0; contexts++, mask >>= GROUP, bits >>= GROUP) {
    if (!CODE(0) || !CODE(1) || !CODE(2) || !CODE(3)) return false;
    if (!CODE(4) || !CODE(5) || !CODE(6) || !CODE(7)) return false;
  }
#undef CODE
  *coder = c;
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
    taps->taps[taps->count++] = (Tap){word, at & 31, 31 - (at & 31), &taps->rows[i]};
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
      if (mask == 0) continue;
      uint32_t any = gather(&taps, at, contexts), bits = loadWord(own + before + at);
      if (any == 0 && (bits & mask) == 0) {
        if (!codeZeros(coder, table[0], countBits(mask))) return false;
        continue;
      }
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
