// Intrinsic 65: bit planes to a payload. Contexts of 32 elements at a time: each tap is a shift of a bit string, and a
// transposition of bits makes bytes of eight of them (assembly/sgq/contexts.ts).
#include "intrinsics.h"
#include "sgq_check.h"
#include "simd.h"

enum { GROUP = 8, ROWS = 2 * GROUP, ELEMENTS = 32, BATCHES = ELEMENTS / GROUP };

/** Words of a plane whose taps are read together. */
enum { STRIP = 8 };

/** Below it, a byte of the range is known. */
#define RANGE_MIN (1u << 24)

#define unlikely(condition) __builtin_expect(condition, 0)

/**
 * The coder beside its range. A zero takes from the range what it adds to low, so that `high`, their sum, stays: only when bytes
 * are known somebody asks for low.
 */
typedef struct Coder {
  uint32_t high, start; // modulo 2^32; low behind the byte before: it has overflowed if it is smaller now
  uint8_t *out, *next, *end; // first byte, next byte, behind the last
  const uint8_t *table;      // of the plane that is coded
  uint8_t *contexts;         // low bytes of ELEMENTS, then high bytes
} Coder;

/** Low, once a carry has gone to the bytes written: one of them takes it, or the coder's state was not one of a coder's. */
static uint32_t lowOf(const Coder *coder, uint32_t range) {
  uint32_t low = coder->high - range;
  if (low >= coder->start) return low;
  for (uint8_t *end = coder->next; end > coder->out;) {
    *--end += 1;
    if (*end != 0) break;
  }
  return low;
}

/** Writes bytes until the range has 24 bits again. Returns the range, 0 if the payload is full. */
static OM_APART uint32_t renew(Coder *coder, uint32_t range) {
  if (range == 0) return 0;
  uint32_t low = lowOf(coder, range);
  for (; range < RANGE_MIN; low <<= 8, range <<= 8) {
    if (coder->next == coder->end) return 0;
    *coder->next++ = (uint8_t)(low >> 24);
  }
  coder->start = low;
  coder->high = low + range;
  return range;
}

static inline uint32_t loadWord(const uint8_t *from) {
  uint32_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

/** A plane: its string, where its map begins there, which elements are coded, and what its taps are told from. */
typedef struct Plane {
  const uint8_t *own, *map, *valid, *lower; // lower: map of the plane before of the same channel, or NULL
  const uint8_t *list;
  size_t stringBytes;
  int32_t index, taps, before, pitch; // before: rows that are not known to be zeros
} Plane;

/** 32 bits from bit `shift` of `low` on. */
static inline uint32_t splice(uint32_t low, uint32_t high, uint32_t shift) {
  return low >> shift | (high << 1) << (31 - shift); // two shifts: one of 32 would be none
}

/** Zeros for each word. */
static void clear(uint32_t *row, uint32_t words) {
  for (; words > 0; words--, row += ROWS) *row = 0;
}

/** What the taps of a plane read for STRIP words from bit `first` of its string on, row by row for each word. */
static OM_APART void gather(const Plane *plane, int32_t first, uint32_t words, uint32_t (*rows)[ROWS]) {
  const uint8_t *list = plane->list;
  for (int32_t i = 0; i < plane->taps; i++, list += 2) {
    uint32_t *row = &rows[0][i];
    int32_t back = list[0], place = list[1];
    if (back > plane->index) {
      clear(row, words);
      continue;
    }
    // at least 0: the zeros before a map are as many as a tap reaches
    uint32_t at = (uint32_t)(first + ((place >> 3) - 2) * plane->pitch + (place & 7) - SGQ_MARGIN);
    const uint8_t *word = plane->own - (size_t)back * plane->stringBytes + (at >> 5) * 4;
    uint32_t shift = at & 31, low = loadWord(word), high;
    for (uint32_t pairs = words / 2; pairs > 0; pairs--, word += 8, row += 2 * ROWS) {
      high = loadWord(word + 4);
      row[0] = splice(low, high, shift);
      low = loadWord(word + 8);
      row[ROWS] = splice(high, low, shift);
    }
    if (words % 2 != 0) *row = splice(low, loadWord(word + 4), shift);
  }
}

// Four transpositions of 8 × 8 bits side by side, in registers: an array would be kept in memory.
#define SWAP(a, b, shift, mask)                                                                              \
  do {                                                                                                       \
    uint32_t moved = ((a) >> (shift) ^ (b)) & (mask);                                                        \
    (a) ^= moved << (shift);                                                                                 \
    (b) ^= moved;                                                                                            \
  } while (0)

/** Bit 8b + r of row t becomes bit t of contexts[4r + b]. Returns 0, and has written nothing, if all are 0. */
static OM_APART uint32_t transpose(const uint32_t *rows, uint8_t *contexts) {
  uint32_t a = rows[0], b = rows[1], c = rows[2], d = rows[3];
  uint32_t e = rows[4], f = rows[5], g = rows[6], h = rows[7];
  uint32_t any = a | b | c | d | e | f | g | h;
  if (any == 0) return 0;
  SWAP(a, b, 1, 0x55555555);
  SWAP(c, d, 1, 0x55555555);
  SWAP(e, f, 1, 0x55555555);
  SWAP(g, h, 1, 0x55555555);
  SWAP(a, c, 2, 0x33333333);
  SWAP(b, d, 2, 0x33333333);
  SWAP(e, g, 2, 0x33333333);
  SWAP(f, h, 2, 0x33333333);
  SWAP(a, e, 4, 0x0f0f0f0f);
  SWAP(b, f, 4, 0x0f0f0f0f);
  SWAP(c, g, 4, 0x0f0f0f0f);
  SWAP(d, h, 4, 0x0f0f0f0f);
  uint32_t words[GROUP] = {a, b, c, d, e, f, g, h};
  memcpy(contexts, words, sizeof words);
  return any;
}

/** How many bits are 1. */
static inline uint32_t countBits(uint32_t word) {
  word -= word >> 1 & 0x55555555;
  word = (word & 0x33333333) + (word >> 2 & 0x33333333);
  return ((word + (word >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

/** Codes zeros of one probability: where a map is empty, all of a word. Returns the range, 0 if the payload is full. */
static OM_APART uint32_t codeZeros(Coder *coder, uint32_t range, uint32_t count) {
  uint32_t factor = 2u * coder->table[0] + 1;
#define ZERO                                                                                                 \
  range -= (range >> 9) * factor;                                                                            \
  if (unlikely(range < RANGE_MIN)) range = renew(coder, range)
  for (; count % 4 != 0; count--) {
    ZERO;
  }
  for (; count != 0; count -= 4) {
    ZERO;
    ZERO;
    ZERO;
    ZERO;
  }
#undef ZERO
  return range;
}

/** Codes those of 32 bits whose mask is 1: eight in a row without a loop. Returns the range, 0 if the payload is full. */
static inline __attribute__((always_inline)) uint32_t codeBits(Coder *coder, uint32_t range, bool wide,
                                                               uint32_t mask, uint32_t bits) {
  const uint8_t *table = coder->table, *contexts = coder->contexts, *end = contexts + BATCHES;
  uint32_t ones = mask & bits, rare = ~mask | bits, high = coder->high; // rare: not just a zero
  do {
#pragma GCC unroll 8
    for (int r = 0; r < GROUP; r++) {
      bool one = false;
      if (unlikely((rare >> r & 1) != 0)) {
        if ((ones >> r & 1) == 0) continue;
        one = true;
      }
      const uint8_t *cell = contexts + r * BATCHES;
      uint32_t context = wide ? cell[0] | (uint32_t)cell[ELEMENTS] << 8 : cell[0];
      uint32_t bound = (range >> 9) * (2u * table[context] + 1);
      if (one) {
        high -= range - bound;
        range = bound;
      } else {
        range -= bound;
      }
      if (unlikely(range < RANGE_MIN)) {
        coder->high = high;
        range = renew(coder, range);
        high = coder->high;
      }
    }
    rare >>= GROUP, ones >>= GROUP;
  } while (++contexts < end);
  coder->high = high;
  return range;
}

static OM_APART uint32_t codeNarrow(Coder *coder, uint32_t range, uint32_t mask, uint32_t bits) {
  return codeBits(coder, range, false, mask, bits);
}

static OM_APART uint32_t codeWide(Coder *coder, uint32_t range, uint32_t mask, uint32_t bits) {
  return codeBits(coder, range, true, mask, bits);
}

/** Codes some words of a plane, the first of them `from`. Returns the range, 0 if the payload is full. */
static OM_APART uint32_t codeStrip(Coder *coder, uint32_t range, const Plane *plane, size_t from,
                                   size_t words, uint32_t (*rows)[ROWS]) {
  uint8_t *contexts = coder->contexts;
  bool wide = plane->taps > GROUP;
  for (int32_t i = plane->taps; i < plane->before; i++) clear(&rows[0][i], STRIP);
  gather(plane, (int32_t)(8 * (plane->map - plane->own + 4 * from)), words, rows);
  for (size_t at = 4 * from; words > 0 && range > 0; words--, at += 4, rows++) {
    uint32_t mask = loadWord(plane->valid + at), bits = loadWord(plane->map + at);
    if (plane->lower != NULL) mask &= loadWord(plane->lower + at);
    if (mask == 0) continue;
    uint32_t any = transpose(*rows, contexts);
    uint32_t high = wide ? transpose(*rows + GROUP, contexts + ELEMENTS) : 0;
    if ((any | high | (bits & mask)) == 0) {
      range = codeZeros(coder, range, countBits(mask));
      continue;
    }
    if (any == 0) memset(contexts, 0, ELEMENTS);
    if (wide && high == 0) memset(contexts + ELEMENTS, 0, ELEMENTS);
    range = wide ? codeWide(coder, range, mask, bits) : codeNarrow(coder, range, mask, bits);
  }
  return range;
}

/** Codes the planes of a checked job. Returns the range, 0 if the payload is full. */
static uint32_t codePlanes(const Linear *memory, uint32_t job, Coder *coder, uint32_t range) {
  int32_t h = loadI32(memory, job + JOB_H), w = loadI32(memory, job + JOB_W);
  int32_t planes = loadI32(memory, job + JOB_PLANES);
  size_t words = (size_t)sgqMapWords(h, w), before = (size_t)sgqWordsAbove(w) * 4;
  const uint8_t *base = memory->base;
  uint32_t record = (uint32_t)loadI32(memory, job + JOB_RECORDS), rows[STRIP][ROWS];
  Plane plane = {.own = base + (uint32_t)loadI32(memory, job + JOB_STRINGS),
                 .valid = base + (uint32_t)loadI32(memory, job + JOB_VALID),
                 .stringBytes = (size_t)sgqStringWords(h, w) * 4,
                 .taps = ROWS,
                 .pitch = sgqPitch(w)};
  for (; plane.index < planes; plane.index++, plane.own += plane.stringBytes, record += RECORD_BYTES) {
    int32_t previous = loadI16(memory, record + RECORD_PREVIOUS);
    plane.map = plane.own + before;
    plane.lower = previous < 0 ? NULL : plane.map - (size_t)(plane.index - previous) * plane.stringBytes;
    plane.list = base + (uint32_t)loadI32(memory, record + RECORD_TAP_LIST);
    coder->table = base + (uint32_t)loadI32(memory, record + RECORD_TABLE);
    plane.before = plane.taps;
    plane.taps = base[record + RECORD_TAPS];
    for (size_t from = 0; from < words && range > 0; from += STRIP) {
      size_t left = words - from;
      range = codeStrip(coder, range, &plane, from, left < STRIP ? left : STRIP, rows);
    }
  }
  return range;
}

Error sgqEncode(const Linear *memory, uint32_t job, int32_t *result, Fault *fault) {
  Check check = checkStart(memory, FN_SGQ_ENCODE, fault);
  sgqCheckJob(&check, job);
  sgqCheckCoding(&check, job);
  if (check.error != OM_OK) return check.error;

  uint8_t *out = memory->base + (uint32_t)loadI32(memory, job + JOB_OUT);
  uint32_t low = (uint32_t)loadI32(memory, job + JOB_LOW), range = (uint32_t)loadI32(memory, job + JOB_RANGE);
  Coder coder = {.high = low + range,
                 .start = low,
                 .out = out,
                 .next = out + loadI32(memory, job + JOB_LENGTH),
                 .end = out + loadI32(memory, job + JOB_CAPACITY),
                 .contexts = memory->base + (uint32_t)loadI32(memory, job + JOB_SCRATCH)};
  range = codePlanes(memory, job, &coder, range); // of a coder without a range no bit can be told
  *result = range != 0;
  if (range == 0) return OM_OK;
  storeI32(memory, job + JOB_LOW, (int32_t)lowOf(&coder, range));
  storeI32(memory, job + JOB_RANGE, (int32_t)range);
  storeI32(memory, job + JOB_LENGTH, (int32_t)(coder.next - coder.out));
  return OM_OK;
}
