// Intrinsic 14: the fused learning step of a layer with weights: gradient (3), bias update (13), weight update (7), a
// few output channels at a time as the workspace allows. The same bits as the parts, one by one.
#include "conv2d_learn.h"

#include "conv2d_depthwise.h"
#include "window.h"

/** Arguments of conv2dLearn; those of the gradient are of the first channels, as many as the workspace holds. */
typedef struct Learning {
  WeightGradient gradient;
  int32_t channels, fanIn;
  uint32_t weightQuant, w16, w8, biasQuant, bias;
} Learning;

/** A quant struct's table: of a layer's updates, one int32. */
static Area tableOf(const Linear *memory, uint32_t quant, uint32_t field) {
  if (quant == 0) return (Area){0, 0};
  return areaOf((uint32_t)loadI32(memory, quant + field), 4);
}

/**
 * Whether something is written over something that is read, or written too. Parts don't look for all of that, and would see
 * what a part before them wrote.
 */
static bool tangled(const Linear *memory, const Learning *l) {
  const WeightGradient *g = &l->gradient;
  uint64_t weights = l->weightQuant != 0 ? (uint64_t)l->channels * (uint64_t)l->fanIn : 0;
  uint64_t biases = l->biasQuant != 0 ? (uint64_t)l->channels : 0;
  Check check = checkStart(memory, FN_CONV2D_LEARN, NULL);
  Area written[] = {areaOf(g->dw, (uint64_t)(g->c1 - g->c0) * ((uint64_t)l->fanIn + 1) * 4),
                    areaOf(l->bias, biases * 4), areaOf(l->w16, weights * 2), areaOf(l->w8, weights),
                    areaOf((uint32_t)loadI32(memory, g->scratch + SCRATCH_DATA),
                           (uint64_t)loadI32(memory, g->scratch + SCRATCH_SIZE))};
  Area read[] = {areaOf(g->x, tensorBytes(&check, g->xT, 1)),
                 areaOf(g->e, tensorBytes(&check, g->eT, 1)),
                 areaOf(g->scratch, SCRATCH_BYTES),
                 areaOf(g->conv, CONV_BYTES),
                 areaOf(g->quant, QUANT_BYTES),
                 areaOf(g->xT, TENSOR_BYTES),
                 areaOf(g->eT, TENSOR_BYTES),
                 areaOf(l->weightQuant, l->weightQuant != 0 ? QUANT_BYTES : 0),
                 areaOf(l->biasQuant, l->biasQuant != 0 ? QUANT_BYTES : 0),
                 tableOf(memory, l->weightQuant, QUANT_MULTIPLIER),
                 tableOf(memory, l->weightQuant, QUANT_SHIFT),
                 tableOf(memory, l->biasQuant, QUANT_MULTIPLIER),
                 tableOf(memory, l->biasQuant, QUANT_SHIFT)};
  for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
    for (size_t k = 0; k < sizeof read / sizeof read[0]; k++) {
      if (areasMeet(written[i], read[k])) return true;
    }
    for (size_t k = 0; k < i; k++) {
      if (areasMeet(written[i], written[k])) return true;
    }
  }
  return false;
}

/**
 * Whether no part has anything to say against any of its channels. Parts check what they are given a few channels at a time;
 * where all of it fits, once is enough.
 */
static bool allFits(const Linear *memory, const Learning *l) {
  const WeightGradient *g = &l->gradient;
  Fault fault;
  int32_t count = g->c1 - g->c0;
  if (gradWeightCheck(memory, g, &fault) != OM_OK) return false;
  if (l->biasQuant != 0 &&
      update32Check(memory, l->biasQuant, g->db, count, l->bias, (uint64_t)l->channels, &fault) != OM_OK) {
    return false;
  }
  if (l->weightQuant != 0 && updateCheck(memory, l->weightQuant, g->dw, count * l->fanIn, l->w16, l->w8,
                                         (uint64_t)l->channels * (uint64_t)l->fanIn, &fault) != OM_OK) {
    return false;
  }
  return !tangled(memory, l);
}

/** A layer with one output position, such as a dense one: weight gradients are products of an error and an input. */
static int32_t learnOuter(const Linear *memory, const Learning *l, const Window *v, Update update) {
  const WeightGradient *g = &l->gradient;
  int32_t zero = quantRead(memory, g->quant).inputZero;
  int32_t perGroup = l->channels / v->groups;
  int32_t place = v->y0 * loadI32(memory, g->eT + TENSOR_PITCH) + v->x0 * l->channels;
  const int8_t *e = (const int8_t *)(memory->base + g->e) + place;
  int16_t *patch = (int16_t *)(void *)(memory->base + (uint32_t)loadI32(memory, g->scratch + SCRATCH_DATA));
  int32_t clamped = 0, gathered = -1;
  for (int32_t o = 0; o < l->channels; o++) {
    if (l->biasQuant != 0) {
      storeI32(memory, g->db, e[o]);
      update32Run(memory, l->biasQuant, g->db, 1, (uint32_t)o, l->bias + (uint32_t)o * 4);
    }
    if (e[o] != 0) {
      int32_t group = v->groups == 1 ? 0 : o / perGroup;
      if (group != gathered) {
        windowGather(v, (const int8_t *)(memory->base + g->x), zero, group, tapsOfRow(v, v->y0),
                     tapsOfColumn(v, v->x0), patch);
        gathered = group;
      }
      clamped += updateRunOuter(&update, patch, e[o], l->fanIn);
    }
    update.master += l->fanIn;
    update.weight += l->fanIn;
    update.drawn += (uint32_t)l->fanIn * DRAW_STEP;
  }
  return clamped;
}

/** The learning step once everything has been checked. */
static int32_t learn(const Linear *memory, const Learning *l) {
  WeightGradient g = l->gradient;
  Window v = windowRead(memory, g.conv, g.xT);
  Update update = {0};
  if (l->weightQuant != 0) {
    update = updateRead(memory, l->weightQuant, 0, l->w16, l->w8);
    bool one = v.y1 - v.y0 == 1 && v.x1 - v.x0 == 1;
    if (one && update.stochastic && update.s >= 32) return learnOuter(memory, l, &v, update);
  }
  int32_t atOnce = g.c1, clamped = 0;
  for (; g.c0 < l->channels; g.c0 = g.c1) {
    g.c1 = atOnce < l->channels - g.c0 ? g.c0 + atOnce : l->channels;
    int32_t n = (g.c1 - g.c0) * l->fanIn;
    g.db = g.dw + (uint32_t)n * 4;
    gradWeightRun(memory, &g);
    if (l->biasQuant != 0) {
      update32Run(memory, l->biasQuant, g.db, g.c1 - g.c0, (uint32_t)g.c0, l->bias + (uint32_t)g.c0 * 4);
    }
    if (l->weightQuant == 0) continue;
    clamped += updateRun(&update, (const int32_t *)(const void *)(memory->base + g.dw), n);
    update.master += n;
    update.weight += n;
    update.drawn += (uint32_t)n * DRAW_STEP;
  }
  return clamped;
}

Error conv2dLearn(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t quant, uint32_t xT,
                  uint32_t x, uint32_t eT, uint32_t e, uint32_t workspace, int32_t elements,
                  uint32_t weightQuant, uint32_t w16, uint32_t w8, uint32_t biasQuant, uint32_t bias,
                  int32_t *result, Fault *fault) {
  Check check = checkStart(memory, FN_CONV2D_LEARN, fault);
  checkConvStruct(&check, conv);
  checkTensorStruct(&check, xT);
  checkTensorStruct(&check, eT);
  checkTensorShape(&check, xT);
  checkTensorShape(&check, eT);
  checkConvShape(&check, conv, xT, eT);
  if (weightQuant == 0 && biasQuant == 0) checkWithin(&check, OM_BAD_QUANTISATION, 0, 1, 1);
  int64_t kernel = kernelSize(&check, conv, xT);
  int32_t fanIn = kernel < MAX_COUNT ? (int32_t)kernel : MAX_COUNT;
  checkWithin(&check, OM_SCRATCH_SMALL, elements, fanIn + 1, INT32_MAX);
  if (check.error != OM_OK) return check.error;

  int32_t channels = loadI32(memory, eT + TENSOR_C);
  int32_t atOnce = elements / (fanIn + 1);
  int32_t clamped = 0;
  int32_t most = atOnce < channels ? atOnce : channels;
  uint32_t after = workspace + (uint32_t)most * (uint32_t)fanIn * 4;
  Learning all = {{scratch, conv, quant, xT, x, eT, e, 0, most, workspace, after},
                  channels,
                  fanIn,
                  weightQuant,
                  w16,
                  w8,
                  biasQuant,
                  bias};
  if (allFits(memory, &all)) {
    *result = learn(memory, &all);
    return OM_OK;
  }
  // the parts find and name what is wrong, in the order of the module's twin
  for (int32_t c0 = 0; c0 < channels; c0 += atOnce) {
    int32_t c1 = atOnce < channels - c0 ? c0 + atOnce : channels;
    // offsets wrap like those of the module; the parts check what they point at
    uint32_t n = (uint32_t)(c1 - c0) * (uint32_t)fanIn;
    uint32_t first = (uint32_t)c0 * (uint32_t)fanIn;
    uint32_t db = workspace + n * 4;
    Error error = conv2dGradWeight(memory, scratch, conv, quant, xT, x, eT, e, c0, c1, workspace, db, fault);
    if (error == OM_OK && biasQuant != 0) {
      error = sgdUpdate32(memory, biasQuant, db, c1 - c0, (uint32_t)c0, bias + (uint32_t)c0 * 4, fault);
    }
    int32_t count = 0;
    if (error == OM_OK && weightQuant != 0) {
      error = sgdUpdate(memory, weightQuant, workspace, (int32_t)n, first, w16 + first * 2, w8 + first,
                        &count, fault);
    }
    if (error != OM_OK) return error;
    clamped += count;
  }
  *result = clamped;
  return OM_OK;
}
