// What conv2dLearn takes from the intrinsics that it is made of: their checks and their work, each by itself. Whoever asks
// for the work has seen the checks pass.
#ifndef OM_CONV2D_LEARN_H
#define OM_CONV2D_LEARN_H

#include "intrinsics.h"
#include "requantize.h"

/** Arguments of conv2dGradWeight. */
typedef struct WeightGradient {
  uint32_t scratch, conv, quant, xT, x, eT, e;
  int32_t c0, c1;
  uint32_t dw, db;
} WeightGradient;

MUST_CHECK Error gradWeightCheck(const Linear *memory, const WeightGradient *g, Fault *fault);
void gradWeightRun(const Linear *memory, const WeightGradient *g);

/** sgdUpdate: n gradients, `count` masters and weights. */
MUST_CHECK Error updateCheck(const Linear *memory, uint32_t quant, uint32_t dw, int32_t n, uint32_t w16,
                             uint32_t w8, uint64_t count, Fault *fault);

/** Masters and weights that move, by how much, and how far they may. */
typedef struct Update {
  int16_t *master;
  int8_t *weight;
  int32_t m, s, lo, hi;
  bool stochastic;
  uint32_t drawn; // counter of the first draw
} Update;

/** From weight `first` on, and draw `first`, of masters at w16 and weights at w8. */
Update updateRead(const Linear *memory, uint32_t quant, uint32_t first, uint32_t w16, uint32_t w8);

/** Moves n masters against their gradients; returns how many were clamped. */
int32_t updateRun(const Update *update, const int32_t *gradient, int32_t n);

/** The same where gradient i is e·x[i], for stochastic rounding with a shift of 32 or more. */
int32_t updateRunOuter(const Update *update, const int16_t *x, int32_t e, int32_t n);

/** sgdUpdate32: n gradients, `count` elements. */
MUST_CHECK Error update32Check(const Linear *memory, uint32_t quant, uint32_t x, int32_t n, uint32_t y,
                               uint64_t count, Fault *fault);
void update32Run(const Linear *memory, uint32_t quant, uint32_t x, int32_t n, uint32_t first, uint32_t y);

#endif
