// Intrinsic 96: how far the patches of one row of patches have moved from the reference.
#include "check.h"
#include "intrinsics.h"
#if defined(__ARM_FEATURE_DSP)
#include "simd.h"
#endif

enum { BLOCK = 4, STATS_BYTES = 12 };

/** Sums over a part of an image: Σ|d| and Σd with d = x − reference. */
typedef struct Sums {
  int32_t total, sum;
} Sums;

#if defined(__ARM_FEATURE_DSP)

/** Bytes with their sign bit flipped keep their differences, and are unsigned as USADA8 wants them. */
static Sums runSums(const int8_t *x, const int8_t *reference, int32_t n, Sums sums) {
  uint32_t total = (uint32_t)sums.total, above = 0, below = 0;
  for (; n >= 4; n -= 4, x += 4, reference += 4) {
    uint32_t a = wordAt(x) ^ 0x80808080u, b = wordAt(reference) ^ 0x80808080u;
    __asm__("usada8 %0, %1, %2, %0" : "+r"(total) : "r"(a), "r"(b));
    __asm__("usada8 %0, %1, %2, %0" : "+r"(above) : "r"(a), "r"(0));
    __asm__("usada8 %0, %1, %2, %0" : "+r"(below) : "r"(b), "r"(0));
  }
  sums.total = (int32_t)total;
  sums.sum += (int32_t)(above - below);
  for (; n > 0; n--) {
    int32_t d = *x++ - *reference++;
    sums.sum += d;
    sums.total += d < 0 ? -d : d;
  }
  return sums;
}

/** Four rows of four bytes: a block of an image of one channel. */
static Sums blockSums(const int8_t *x, const int8_t *reference, size_t pitch, int32_t before) {
  uint32_t total = (uint32_t)before, above = 0, below = 0;
  for (int32_t i = 0; i < BLOCK; i++, x += pitch, reference += pitch) {
    uint32_t a = wordAt(x), b = wordAt(reference);
    if (a == b) continue;
    a ^= 0x80808080u;
    b ^= 0x80808080u;
    __asm__("usada8 %0, %1, %2, %0" : "+r"(total) : "r"(a), "r"(b));
    __asm__("usada8 %0, %1, %2, %0" : "+r"(above) : "r"(a), "r"(0));
    __asm__("usada8 %0, %1, %2, %0" : "+r"(below) : "r"(b), "r"(0));
  }
  return (Sums){(int32_t)total, (int32_t)(above - below)};
}

#else

static Sums runSums(const int8_t *x, const int8_t *reference, int32_t n, Sums sums) {
  for (int32_t i = 0; i < n; i++) {
    int32_t d = x[i] - reference[i];
    sums.sum += d;
    sums.total += d < 0 ? -d : d;
  }
  return sums;
}

#endif

static int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

Error patchStats(const Linear *memory, uint32_t xT, uint32_t x, uint32_t reference, int32_t patch,
                 int32_t row, uint32_t stats, Fault *fault) {
  Check check = checkStart(memory, FN_PATCH_STATS, fault);
  checkTensorStruct(&check, xT);
  checkTensorShape(&check, xT);
  if (patch != 4 && patch != 8 && patch != 16) checkSame(&check, patch, 8);
  int32_t h = checkedField(&check, xT + TENSOR_H), w = checkedField(&check, xT + TENSOR_W);
  int32_t c = checkedField(&check, xT + TENSOR_C);
  if (check.error != OM_OK) return check.error;
  int32_t across = (w + patch - 1) / patch;
  checkWithin(&check, OM_BAD_WINDOW, row, 0, (h + patch - 1) / patch - 1);
  uint64_t bytes = tensorBytes(&check, xT, 1), statsBytes = (uint64_t)across * STATS_BYTES;
  checkPointer(&check, x, bytes, 1);
  checkPointer(&check, reference, bytes, 1);
  checkPointer(&check, stats, statsBytes, 4);
  checkOutput(&check, stats, statsBytes);
  checkRead(&check, x, bytes);
  checkRead(&check, reference, bytes);
  checkRead(&check, xT, TENSOR_BYTES);
  if (check.error != OM_OK) return check.error;

  size_t pitch = (size_t)loadI32(memory, xT + TENSOR_PITCH);
  int32_t y0 = row * patch, y1 = least(y0 + patch, h);
  const int8_t *from = (const int8_t *)(memory->base + x), *old = (const int8_t *)(memory->base + reference);
  for (int32_t x0 = 0; x0 < w; x0 += patch, stats += STATS_BYTES) {
    int32_t x1 = least(x0 + patch, w);
    Sums all = {0, 0};
    int32_t most = 0;
    for (int32_t by = y0; by < y1; by += BLOCK) {
      int32_t rows = least(BLOCK, y1 - by);
      for (int32_t bx = x0; bx < x1; bx += BLOCK) {
        size_t at = (size_t)by * pitch + (size_t)(bx * c);
        int32_t run = least(BLOCK, x1 - bx) * c;
        Sums block = {all.total, 0};
        int32_t i = 0;
#if defined(__ARM_FEATURE_DSP)
        if (run == 4 && rows == BLOCK) {
          block = blockSums(from + at, old + at, pitch, all.total);
          i = BLOCK;
        }
#endif
        for (; i < rows; i++, at += pitch) block = runSums(from + at, old + at, run, block);
        all.total = block.total;
        all.sum += block.sum;
        int32_t size = block.sum < 0 ? -block.sum : block.sum;
        if (size > most) most = size;
      }
    }
    storeI32(memory, stats, all.total);
    storeI32(memory, stats + 4, most);
    storeI32(memory, stats + 8, all.sum);
  }
  return OM_OK;
}
