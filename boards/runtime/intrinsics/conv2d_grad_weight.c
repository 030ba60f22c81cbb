// Intrinsic 3: gradient of a convolution's weights and biases. Neighbouring output positions go in twos: their patches lie
// in scratch value by value, and both are added to dw of each channel that has an error at either. A patch is gathered
// when the first error asks for it.
#include "conv2d_depthwise.h"
#include "conv2d_learn.h"
#include "simd.h"
#include "window.h"

#if defined(__ARM_FEATURE_DSP)

/** n values less the zero point as int16, into every second place. */
static inline void widenApart(const int8_t *from, int32_t n, int32_t zero, int16_t *to) {
  Pair zeros = pairOf(zero, zero);
  for (const int8_t *fours = from + (n & ~3); from != fours; from += 4, to += 8) {
    uint32_t word = wordAt(from);
    Pair even = lessPair(evenBytes(word), zeros), odd = lessPair(oddBytes(word), zeros);
    to[0] = (int16_t)even;
    to[2] = (int16_t)odd;
    to[4] = (int16_t)(even >> 16);
    to[6] = (int16_t)(odd >> 16);
  }
  for (n &= 3; n > 0; n--, to += 2) *to = (int16_t)(*from++ - zero);
}

/** sum[k] += e0·pairs[2k] + e1·pairs[2k + 1] for n sums. */
OM_APART static void addPairs(int32_t *sum, const int16_t *pairs, int32_t e0, int32_t e1, int32_t n) {
  Pair e = pairOf(e0, e1);
  for (const int32_t *fours = sum + (n & ~3); sum != fours;) {
    __asm__ volatile("ldmia %[pairs]!, {r4, r5, r6, r8}\n\t"
                     "ldmia %[sum], {r9, r10, r11, r12}\n\t"
                     "smlad r9, r4, %[e], r9\n\t"
                     "smlad r10, r5, %[e], r10\n\t"
                     "smlad r11, r6, %[e], r11\n\t"
                     "smlad r12, r8, %[e], r12\n\t"
                     "stmia %[sum]!, {r9, r10, r11, r12}"
                     : [sum] "+r"(sum), [pairs] "+r"(pairs)
                     : [e] "r"(e)
                     : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "memory");
  }
  for (n &= 3; n > 0; n--, sum++, pairs += 2) *sum = addProducts(wordAt(pairs), e, *sum);
}

#else

/** n values less the zero point as int16, into every second place. */
static inline void widenApart(const int8_t *restrict from, int32_t n, int32_t zero, int16_t *restrict to) {
  for (int32_t k = 0; k < n; k++) to[2 * k] = (int16_t)(from[k] - zero);
}

/** sum[k] += e0·pairs[2k] + e1·pairs[2k + 1] for n sums. */
static inline void addPairs(int32_t *restrict sum, const int16_t *restrict pairs, int32_t e0, int32_t e1,
                            int32_t n) {
  for (int32_t k = 0; k < n; k++) sum[k] += e0 * pairs[2 * k] + e1 * pairs[2 * k + 1];
}

#endif

/** The patch under an output in the kernel's own order, less the zero point, into every second place of `to`. */
OM_APART static void gatherApart(const Window *v, const int8_t *x, int32_t zero, int32_t group, Taps rows,
                                 Taps columns, int16_t *to) {
  int32_t rowValues = v->kernelW * v->perGroup;
  int32_t taps = columns.end - columns.first;
  if (rows.end - rows.first < v->kernelH || taps < v->kernelW) {
    for (int32_t k = 0; k < v->kernelSize; k++) to[2 * k] = 0;
  }
  bool joined = v->dilationW == 1 && v->groups == 1;
  int32_t runs = joined ? 1 : taps;
  int32_t run = joined ? taps * v->perGroup : v->perGroup;
  const int8_t *corner =
      x + (size_t)rows.start * (size_t)v->pitch + columns.start * v->channels + group * v->perGroup;
  to += 2 * (rows.first * rowValues + columns.first * v->perGroup);
  for (int32_t ky = rows.first; ky < rows.end; ky++) {
    const int8_t *from = corner;
    for (int32_t i = 0; i < runs; i++) {
      widenApart(from, run, zero, to + 2 * i * run);
      from += v->dilationW * v->channels;
    }
    corner += (size_t)v->dilationH * (size_t)v->pitch;
    to += 2 * rowValues;
  }
}

Error gradWeightCheck(const Linear *memory, const WeightGradient *g, Fault *fault) {
  uint32_t scratch = g->scratch, conv = g->conv, quant = g->quant, xT = g->xT, eT = g->eT;
  Check check = checkStart(memory, FN_CONV2D_GRAD_WEIGHT, fault);
  checkScratchStruct(&check, scratch);
  checkConvStruct(&check, conv);
  checkQuantStruct(&check, quant);
  checkTensorStruct(&check, xT);
  checkTensorStruct(&check, eT);
  checkTensorShape(&check, xT);
  checkTensorShape(&check, eT);
  checkConvShape(&check, conv, xT, eT);
  checkWindow(&check, conv, eT);
  checkRange(&check, g->c0, g->c1, checkedField(&check, eT + TENSOR_C));
  int64_t rows = checkedField(&check, conv + CONV_Y1) - checkedField(&check, conv + CONV_Y0);
  int64_t columns = checkedField(&check, conv + CONV_X1) - checkedField(&check, conv + CONV_X0);
  checkZeroPoints(&check, quant);
  checkProducts(&check, rows * columns, checkedField(&check, quant + QUANT_INPUT_ZERO));
  int64_t kernel = kernelSize(&check, conv, xT);
  checkScratchSize(&check, scratch, scratchNeed(kernel));
  uint64_t xBytes = tensorBytes(&check, xT, 1);
  uint64_t eBytes = tensorBytes(&check, eT, 1);
  uint64_t count = check.error == OM_OK ? (uint64_t)(g->c1 - g->c0) : 0;
  uint64_t dwBytes = (uint64_t)kernel * count * 4;
  uint64_t dbBytes = g->db != 0 ? count * 4 : 0;
  checkPointer(&check, g->x, xBytes, 1);
  checkPointer(&check, g->e, eBytes, 1);
  checkPointer(&check, g->dw, dwBytes, 4);
  checkPointer(&check, g->db, dbBytes, 4);
  uint32_t data = (uint32_t)checkedField(&check, scratch + SCRATCH_DATA);
  uint64_t bytes = (uint64_t)checkedField(&check, scratch + SCRATCH_SIZE);
  checkOutput(&check, g->dw, dwBytes);
  checkOutput(&check, g->db, dbBytes);
  checkOutput(&check, data, bytes);
  checkRead(&check, g->x, xBytes);
  checkRead(&check, g->e, eBytes);
  checkRead(&check, scratch, SCRATCH_BYTES);
  checkReadShapes(&check, conv, xT, eT);
  checkRead(&check, quant, QUANT_BYTES); // only its zero point is used, so it may have no tables
  return check.error;
}

void gradWeightRun(const Linear *memory, const WeightGradient *g) {
  uint8_t *base = memory->base;
  Window v = windowRead(memory, g->conv, g->xT);
  int32_t zero = quantRead(memory, g->quant).inputZero, c0 = g->c0, c1 = g->c1;
  const int8_t *from = (const int8_t *)(base + g->x);
  const int8_t *errors = (const int8_t *)(base + g->e);
  int32_t *weights = (int32_t *)(void *)(base + g->dw);
  int32_t *biases = g->db != 0 ? (int32_t *)(void *)(base + g->db) : NULL;
  int16_t *pairs = (int16_t *)(void *)(base + (uint32_t)loadI32(memory, g->scratch + SCRATCH_DATA));
  int32_t channels = loadI32(memory, g->eT + TENSOR_C);
  int32_t ePitch = loadI32(memory, g->eT + TENSOR_PITCH);
  int32_t perGroup = channels / v.groups;

  memset(weights, 0, (size_t)(c1 - c0) * (size_t)v.kernelSize * sizeof *weights);
  if (biases != NULL) memset(biases, 0, (size_t)(c1 - c0) * sizeof *biases);
  if (isDepthwise(&v)) {
    depthwiseGradWeight(memory, &v, zero, g->x, g->eT, g->e, c0, c1, g->dw, g->db);
    return;
  }
  for (int32_t oy = v.y0; oy < v.y1; oy++) {
    Taps rows = tapsOfRow(&v, oy);
    for (int32_t ox = v.x0; ox < v.x1; ox += 2) {
      const int8_t *at = errors + (size_t)oy * (size_t)ePitch + ox * channels;
      bool two = ox + 1 < v.x1;
      int32_t gathered[2] = {-1, -1}; // the groups whose patches are in scratch
      for (int32_t o = c0; o < c1; o++) {
        int32_t e[2] = {at[o], two ? at[o + channels] : 0};
        if ((e[0] | e[1]) == 0) continue;
        int32_t group = v.groups == 1 ? 0 : o / perGroup;
        for (int32_t i = 0; i < 2; i++) {
          // what an error of 0 meets does not matter
          if (e[i] == 0 || gathered[i] == group) continue;
          gatherApart(&v, from, zero, group, rows, tapsOfColumn(&v, ox + i), pairs + i);
          gathered[i] = group;
        }
        addPairs(weights + (size_t)(o - c0) * (size_t)v.kernelSize, pairs, e[0], e[1], v.kernelSize);
        if (biases != NULL) biases[o - c0] += e[0] + e[1];
      }
    }
  }
}

Error conv2dGradWeight(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t quant, uint32_t xT,
                       uint32_t x, uint32_t eT, uint32_t e, int32_t c0, int32_t c1, uint32_t dw, uint32_t db,
                       Fault *fault) {
  WeightGradient g = {scratch, conv, quant, xT, x, eT, e, c0, c1, dw, db};
  Error error = gradWeightCheck(memory, &g, fault);
  if (error == OM_OK) gradWeightRun(memory, &g);
  return error;
}
