// Intrinsic 97: takes over what changed, marks it, and tells it to the positions of the next tensor that see it.
#include "check.h"
#include "intrinsics.h"
#if defined(__ARM_FEATURE_DSP)
#include "simd.h"
#endif

enum { WINDOW_BYTES = 20, WINDOW_Y0 = 4, WINDOW_Y1 = 8, WINDOW_X0 = 12, WINDOW_X1 = 16 };
enum {
  SPREAD_BYTES = 28,
  SPREAD_CONV = 4,
  SPREAD_TENSOR = 8,
  SPREAD_PENDING = 12,
  SPREAD_TODO = 16,
  SPREAD_SHIFT = 20,
  SPREAD_LIMIT = 24
};

/** The spread struct and what it points to, read once after the checks. */
typedef struct Spread {
  int32_t kernelH, kernelW, strideH, strideW, dilationH, dilationW, padTop, padLeft;
  int32_t h, w, words, shift, limit;
  uint8_t *pending, *todo;
} Spread;

static Spread spreadRead(const Linear *memory, uint32_t at) {
  Spread s;
  uint32_t next = (uint32_t)loadI32(memory, at + SPREAD_TENSOR);
  memcpy(&s, memory->base + (uint32_t)loadI32(memory, at + SPREAD_CONV) + 4, 8 * sizeof(int32_t));
  s.h = loadI32(memory, next + TENSOR_H);
  s.w = loadI32(memory, next + TENSOR_W);
  s.words = (s.w + 31) >> 5;
  s.shift = loadI32(memory, at + SPREAD_SHIFT);
  s.limit = loadI32(memory, at + SPREAD_LIMIT);
  s.pending = memory->base + (uint32_t)loadI32(memory, at + SPREAD_PENDING);
  s.todo = memory->base + (uint32_t)loadI32(memory, at + SPREAD_TODO);
  return s;
}

/** Sets bit x of a row of bits: little-endian words are bytes in the order of their bits. */
static inline void setBit(uint8_t *row, int32_t x) { row[x >> 3] |= (uint8_t)(1 << (x & 7)); }

/** Few bytes: a call would cost more. */
static inline void copyAll(int8_t *to, const int8_t *from, int32_t c) {
  for (; c >= 4; c -= 4, to += 4, from += 4) memcpy(to, from, 4);
  for (int32_t i = 0; i < c; i++) to[i] = from[i];
}

/** Σ|a − b| over c values, or 0 where none differs by more than tau. */
static inline int32_t distance(const int8_t *a, const int8_t *b, int32_t c, int32_t tau) {
  int32_t sum = 0, most = 0;
#if defined(__ARM_FEATURE_DSP)
  if (tau == 0) {
    for (; c >= 4; c -= 4, a += 4, b += 4) {
      uint32_t u = wordAt(a) ^ 0x80808080u, v = wordAt(b) ^ 0x80808080u;
      __asm__("usada8 %0, %1, %2, %0" : "+r"(sum) : "r"(u), "r"(v));
    }
    most = sum;
  }
#endif
  for (int32_t i = 0; i < c; i++) {
    int32_t d = a[i] - b[i];
    if (d < 0) d = -d;
    sum += d;
    if (d > most) most = d;
  }
  return most > tau ? sum : 0;
}

/** Columns whose changes are told together: an output's taps are added up once for all rows that it is told in. */
enum { CHUNK = 32 };

/** Positions whose kernels reach a place of the padded input. */
typedef struct Range {
  int32_t first, end;
} Range;

static inline Range rangeOf(int32_t from, int32_t to, int32_t reach, int32_t stride, int32_t size) {
  int32_t first = from - reach + 1;
  Range range = {first > 0 ? (first + stride - 1) / stride : 0, to / stride + 1};
  if (range.end > size) range.end = size;
  return range;
}

/** Adds changes e[0 … count − 1] ≤ 255 in row y, columns x0 …, to every position of the next tensor that has a tap there. */
static void tell(const Spread *s, int32_t y, int32_t x0, const uint8_t *e, int32_t count) {
  int32_t top = y + s->padTop, left = x0 + s->padLeft, gap = s->dilationW;
  Range rows = rangeOf(top, top, (s->kernelH - 1) * s->dilationH + 1, s->strideH, s->h);
  Range columns = rangeOf(left, left + count - 1, (s->kernelW - 1) * gap + 1, s->strideW, s->w);
  for (int32_t ox = columns.first; ox < columns.end; ox++) {
    int32_t change = 0, tap = ox * s->strideW - left;
    for (int32_t k = s->kernelW; k > 0; k--, tap += gap) {
      if ((uint32_t)tap < (uint32_t)count) change += e[tap];
    }
    if (change == 0) continue;
    uint8_t *pending = s->pending + (size_t)rows.first * (size_t)s->w + (size_t)ox;
    uint8_t *todo = s->todo + (size_t)(rows.first * s->words) * 4;
    for (int32_t oy = rows.first; oy < rows.end; oy++, pending += s->w, todo += (size_t)s->words * 4) {
      if (s->dilationH > 1 && (top - oy * s->strideH) % s->dilationH != 0) continue;
      // what is added one by one comes to the same: it saturates, and the limit lies below
      int32_t sum = *pending + change;
      *pending = (uint8_t)(sum > 255 ? 255 : sum);
      if (sum > s->limit) setBit(todo, ox);
    }
  }
}

/** Bytes of a bitmap over a tensor: h rows of ⌈w / 32⌉ words. */
static uint64_t mapBytes(const Check *check, uint32_t t) {
  uint64_t words = (uint64_t)((checkedField(check, t + TENSOR_W) + 31) >> 5);
  return (uint64_t)checkedField(check, t + TENSOR_H) * words * 4;
}

static Error checkArguments(const Linear *memory, uint32_t window, int32_t tau, uint32_t yT, uint32_t fresh,
                            uint32_t cache, uint32_t changed, uint32_t spread, Fault *fault) {
  Check check = checkStart(memory, FN_MERGE, fault);
  uint32_t conv = 0, next = 0;
  checkStruct(&check, window, WINDOW_BYTES);
  checkTensorStruct(&check, yT);
  if (spread != 0) {
    checkStruct(&check, spread, SPREAD_BYTES);
    conv = (uint32_t)checkedField(&check, spread + SPREAD_CONV);
    next = (uint32_t)checkedField(&check, spread + SPREAD_TENSOR);
    checkConvStruct(&check, conv);
    checkTensorStruct(&check, next);
  }
  checkTensorShape(&check, yT);
  if (spread != 0) {
    checkTensorShape(&check, next);
    checkConvShape(&check, conv, yT, next);
  }
  int32_t y0 = checkedField(&check, window + WINDOW_Y0), y1 = checkedField(&check, window + WINDOW_Y1);
  checkRange(&check, y0, y1, checkedField(&check, yT + TENSOR_H));
  checkRange(&check, checkedField(&check, window + WINDOW_X0), checkedField(&check, window + WINDOW_X1),
             checkedField(&check, yT + TENSOR_W));
  checkWithin(&check, OM_BAD_QUANTISATION, tau, 0, 255);
  if (spread != 0) {
    checkWithin(&check, OM_BAD_QUANTISATION, checkedField(&check, spread + SPREAD_SHIFT), 0, 15);
    checkWithin(&check, OM_BAD_QUANTISATION, checkedField(&check, spread + SPREAD_LIMIT), 0, 254);
  }
  uint64_t bytes = tensorBytes(&check, yT, 1);
  uint64_t row =
      (uint64_t)checkedField(&check, yT + TENSOR_W) * (uint64_t)checkedField(&check, yT + TENSOR_C);
  uint64_t pitch = (uint64_t)checkedField(&check, yT + TENSOR_PITCH);
  uint64_t freshBytes = y1 > y0 ? (uint64_t)(y1 - y0 - 1) * pitch + row : 0;
  uint64_t changedBytes = mapBytes(&check, yT);
  checkPointer(&check, fresh, freshBytes, 1);
  checkPointer(&check, cache, bytes, 1);
  checkPointer(&check, changed, changedBytes, 4);
  uint32_t pending = 0, todo = 0;
  uint64_t pendingBytes = 0, todoBytes = 0;
  if (spread != 0) {
    pending = (uint32_t)checkedField(&check, spread + SPREAD_PENDING);
    todo = (uint32_t)checkedField(&check, spread + SPREAD_TODO);
    pendingBytes =
        (uint64_t)checkedField(&check, next + TENSOR_H) * (uint64_t)checkedField(&check, next + TENSOR_W);
    todoBytes = mapBytes(&check, next);
    checkPointer(&check, pending, pendingBytes, 1);
    checkPointer(&check, todo, todoBytes, 4);
  }
  checkOutput(&check, cache, bytes);
  checkOutput(&check, changed, changedBytes);
  checkOutput(&check, pending, pendingBytes);
  checkOutput(&check, todo, todoBytes);
  checkRead(&check, fresh, freshBytes);
  checkRead(&check, window, WINDOW_BYTES);
  checkRead(&check, yT, TENSOR_BYTES);
  if (spread == 0) return check.error;
  checkRead(&check, spread, SPREAD_BYTES);
  checkRead(&check, conv, CONV_BYTES);
  checkRead(&check, next, TENSOR_BYTES);
  return check.error;
}

Error merge(const Linear *memory, uint32_t window, int32_t tau, uint32_t yT, uint32_t fresh, uint32_t cache,
            uint32_t changed, uint32_t spread, int32_t *result, Fault *fault) {
  Error error = checkArguments(memory, window, tau, yT, fresh, cache, changed, spread, fault);
  if (error != OM_OK) return error;

  Spread s = {.h = 0};
  if (spread != 0) s = spreadRead(memory, spread);
  int32_t y0 = loadI32(memory, window + WINDOW_Y0), y1 = loadI32(memory, window + WINDOW_Y1);
  int32_t x0 = loadI32(memory, window + WINDOW_X0), x1 = loadI32(memory, window + WINDOW_X1);
  int32_t c = loadI32(memory, yT + TENSOR_C);
  size_t pitch = (size_t)loadI32(memory, yT + TENSOR_PITCH);
  size_t words = (size_t)((loadI32(memory, yT + TENSOR_W) + 31) >> 5);
  int32_t count = 0, up = (1 << s.shift) - 1;
  for (int32_t y = y0; y < y1; y++) {
    const int8_t *from =
        (const int8_t *)memory->base + fresh + (size_t)(y - y0) * pitch + (size_t)x0 * (size_t)c;
    int8_t *to = (int8_t *)memory->base + cache + (size_t)y * pitch + (size_t)x0 * (size_t)c;
    uint8_t *row = memory->base + changed + (size_t)y * words * 4;
    for (int32_t start = x0, size; start < x1; start += size) {
      uint8_t changes[CHUNK];
      int32_t any = 0;
      size = x1 - start < CHUNK ? x1 - start : CHUNK;
      for (int32_t i = 0; i < size; i++, from += c, to += c) {
        int32_t change;
        changes[i] = 0;
        if (c == 1) {
          change = *from - *to;
          if (change < 0) change = -change;
          if (change <= tau) continue;
          *to = *from;
        } else {
          change = distance(from, to, c, tau);
          if (change == 0) continue;
          copyAll(to, from, c);
        }
        setBit(row, start + i);
        count++;
        any = (change + up) >> s.shift;
        changes[i] = (uint8_t)(any > 255 ? 255 : any);
      }
      if (any != 0 && spread != 0) tell(&s, y, start, changes, size);
    }
  }
  *result = count;
  return OM_OK;
}
