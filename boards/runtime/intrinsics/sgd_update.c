// Intrinsic 7: plain SGD on int16 master weights; the INT8 weight is the master's rounded top byte.
#include "check.h"
#include "intrinsics.h"
#include "requantize.h"

/** Masters lie in ±32,512 = ±127·256, so that the rounded top byte lies in ±127. */
enum { MASTER_MAX = 32512 };

/** What moves, by how much, and how far it may. */
typedef struct Update {
  const int32_t *gradient;
  int16_t *master;
  int8_t *weight;
  int32_t n, m, s, lo, hi;
  bool stochastic;
  uint32_t drawn; // counter of the first draw
} Update;

/**
 * Stochastic rounding with s ≥ 32, the common case: the upper word of each product is enough. |step| ≤ 2^30, so that all
 * of it fits 32 bits. Apart, because its loop needs every register.
 */
static __attribute__((noinline)) int32_t updateUpper(const Update *update) {
  const int32_t *gradient = update->gradient, *end = gradient + update->n;
  int16_t *master = update->master;
  int8_t *weight = update->weight;
  int32_t m = update->m, s = update->s, lo = update->lo, clamped = 0;
  uint32_t span = (uint32_t)(update->hi - lo), scale = 1u << (s - 32), drawn = update->drawn;
  for (; gradient != end; gradient++, master++, weight++, drawn += DRAW_STEP) {
    // a zero gradient moves nothing: r < 2^s
    if (*gradient == 0) continue;
    int32_t step = stochasticUpper(*gradient, m, s, scale, drawn);
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

/** Any rounding, any shift. */
static int32_t updateAny(const Update *update) {
  int32_t s = update->s, clamped = 0;
  int64_t r = roundNearest(s);
  for (int32_t i = 0; i < update->n; i++) {
    // r < 2^s here too
    if (update->gradient[i] == 0) continue;
    if (update->stochastic) r = roundStochastic(s, update->drawn, (uint32_t)i);
    int64_t step = ((int64_t)update->gradient[i] * update->m + r) >> s;
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

Error sgdUpdate(const Linear *memory, uint32_t quant, uint32_t dw, int32_t n, uint32_t first, uint32_t w16,
                uint32_t w8, int32_t *result, Fault *fault) {
  Check check = checkStart(memory, FN_SGD_UPDATE, fault);
  uint64_t count = (uint64_t)n;
  checkQuantStruct(&check, quant);
  checkCount(&check, n);
  checkZeroPoints(&check, quant);
  checkRequantisation(&check, quant, 1, -MASTER_MAX, MASTER_MAX);
  checkPointer(&check, dw, count * 4, 4);
  checkPointer(&check, w16, count * 2, 2);
  checkPointer(&check, w8, count, 1);
  checkApart(&check, w16, count * 2, dw, count * 4);
  checkApart(&check, w16, count * 2, w8, count);
  checkApart(&check, w8, count, dw, count * 4);
  if (check.error != OM_OK) return check.error;

  Quant q = quantRead(memory, quant);
  Update update = {.gradient = (const int32_t *)(const void *)(memory->base + dw),
                   .master = (int16_t *)(void *)(memory->base + w16),
                   .weight = (int8_t *)(memory->base + w8),
                   .n = n,
                   .m = loadI32(memory, q.multiplier),
                   .s = loadI32(memory, q.shift),
                   .lo = q.lo,
                   .hi = q.hi,
                   .stochastic = q.rounding != 0,
                   .drawn = q.key + first * DRAW_STEP};
  *result = update.stochastic && update.s >= 32 ? updateUpper(&update) : updateAny(&update);
  return OM_OK;
}
