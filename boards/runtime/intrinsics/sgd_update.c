// Intrinsic 7: plain SGD on int16 master weights; the INT8 weight is the master's rounded top byte.
#include "check.h"
#include "conv2d_learn.h"
#include "simd.h"

/** Masters lie in ±32,512 = ±127·256, so that the rounded top byte lies in ±127. */
enum { MASTER_MAX = 32512 };

/**
 * Stochastic rounding with s ≥ 32, the common case: the upper word of each product is enough. |step| ≤ 2^30, so that all of it
 * fits 32 bits. Gradient i is gradient[i], or e·x[i] where there is x: one of the two is known when this is inlined.
 */
static inline int32_t updateUpper(const Update *update, const int32_t *gradient, const int16_t *x, int32_t e,
                                  int32_t n) {
  int16_t *master = update->master, *end = master + n;
  int8_t *weight = update->weight;
  int32_t m = update->m, s = update->s, lo = update->lo, clamped = 0;
  uint32_t span = (uint32_t)(update->hi - lo), scale = 1u << (s - 32), drawn = update->drawn;
  for (; master != end; master++, weight++, drawn += DRAW_STEP) {
    int32_t slope = x != NULL ? e * *x++ : *gradient++;
    // a zero gradient moves nothing: r < 2^s
    if (slope == 0) continue;
    int32_t step = stochasticUpper(slope, m, s, scale, drawn);
    if (step == 0) continue;
    int32_t moved = *master - step;
    if ((uint32_t)(moved - lo) > span) {
      moved = moved < lo ? lo : update->hi;
      clamped++;
    }
    *master = (int16_t)moved;
    *weight = (int8_t)((moved + 128) >> 8);
  }
  return clamped;
}

// apart: the loop needs every register
OM_APART static int32_t updateListed(const Update *update, const int32_t *gradient, int32_t n) {
  return updateUpper(update, gradient, NULL, 0, n);
}

/** Any rounding, any shift. */
static int32_t updateAny(const Update *update, const int32_t *gradient, int32_t n) {
  int32_t s = update->s, clamped = 0;
  int64_t r = roundNearest(s);
  for (int32_t i = 0; i < n; i++) {
    // r < 2^s here too
    if (gradient[i] == 0) continue;
    if (update->stochastic) r = roundStochastic(s, update->drawn, (uint32_t)i);
    int64_t step = ((int64_t)gradient[i] * update->m + r) >> s;
    if (step == 0) continue;
    int64_t moved = update->master[i] - step;
    if (moved < update->lo || moved > update->hi) {
      moved = moved < update->lo ? update->lo : update->hi;
      clamped++;
    }
    update->master[i] = (int16_t)moved;
    update->weight[i] = (int8_t)((moved + 128) >> 8);
  }
  return clamped;
}

Error updateCheck(const Linear *memory, uint32_t quant, uint32_t dw, int32_t n, uint32_t w16, uint32_t w8,
                  uint64_t count, Fault *fault) {
  Check check = checkStart(memory, FN_SGD_UPDATE, fault);
  uint64_t dwBytes = (uint64_t)n * 4;
  checkQuantStruct(&check, quant);
  checkCount(&check, n);
  checkZeroPoints(&check, quant);
  checkRequantisation(&check, quant, 1, -MASTER_MAX, MASTER_MAX);
  checkPointer(&check, dw, dwBytes, 4);
  checkPointer(&check, w16, count * 2, 2);
  checkPointer(&check, w8, count, 1);
  checkOutput(&check, w16, count * 2);
  checkOutput(&check, w8, count);
  checkRead(&check, dw, dwBytes);
  checkReadQuant(&check, quant);
  return check.error;
}

Update updateRead(const Linear *memory, uint32_t quant, uint32_t first, uint32_t w16, uint32_t w8) {
  Quant q = quantRead(memory, quant);
  return (Update){.master = (int16_t *)(void *)(memory->base + w16),
                  .weight = (int8_t *)(memory->base + w8),
                  .m = loadI32(memory, q.multiplier),
                  .s = loadI32(memory, q.shift),
                  .lo = q.lo,
                  .hi = q.hi,
                  .stochastic = q.rounding != 0,
                  .drawn = q.key + first * DRAW_STEP};
}

int32_t updateRun(const Update *update, const int32_t *gradient, int32_t n) {
  if (update->stochastic && update->s >= 32) return updateListed(update, gradient, n);
  return updateAny(update, gradient, n);
}

int32_t updateRunOuter(const Update *update, const int16_t *x, int32_t e, int32_t n) {
  return updateUpper(update, NULL, x, e, n);
}

Error sgdUpdate(const Linear *memory, uint32_t quant, uint32_t dw, int32_t n, uint32_t first, uint32_t w16,
                uint32_t w8, int32_t *result, Fault *fault) {
  Error error = updateCheck(memory, quant, dw, n, w16, w8, (uint64_t)n, fault);
  if (error != OM_OK) return error;
  Update update = updateRead(memory, quant, first, w16, w8);
  *result = updateRun(&update, (const int32_t *)(const void *)(memory->base + dw), n);
  return OM_OK;
}
