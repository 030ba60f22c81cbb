// Intrinsic 2: gradient of a convolution's input. For each output position the channels with an error are listed; run by
// run of neighbouring inputs, their weights times their errors are added to dx. Zero errors, which are most of them after
// pooling, cost one load.
#include "conv2d_depthwise.h"
#include "intrinsics.h"
#include "simd.h"
#include "window.h"

/** Errors listed at once; the list is padded to an even number by an error of 0. */
enum { AT_ONCE = 16 };

/** An error and the kernel that it comes from. */
typedef struct Term {
  const int8_t *w;
  int32_t e;
} Term;

/** dx[k] += Σ e·w[at + k] over the terms, for n neighbouring inputs. */
OM_APART static void addTerms(int32_t *restrict dx, const Term *terms, int32_t count, int32_t at, int32_t n) {
  const Term *end = terms + count;
  int32_t k = 0;
#if defined(__ARM_FEATURE_DSP)
  for (; k + 4 <= n; k += 4, at += 4, dx += 4) {
    int32_t a = dx[0], b = dx[1], c = dx[2], d = dx[3];
    for (const Term *term = terms; term != end;) {
      register const int8_t *w0 __asm__("r8"), *w1 __asm__("r10");
      register int32_t e0 __asm__("r9"), e1 __asm__("r11");
      // two terms in one load
      __asm__ volatile("ldmia %4!, {%0, %1, %2, %3}"
                       : "=r"(w0), "=r"(e0), "=r"(w1), "=r"(e1), "+r"(term)
                       :
                       : "memory");
      uint32_t first = wordAt(w0 + at), second = wordAt(w1 + at);
      Pair even = evenBytes(first), odd = oddBytes(first);
      a = addLows(even, (Pair)e0, a);
      b = addLows(odd, (Pair)e0, b);
      c = addHighLow(even, (Pair)e0, c);
      d = addHighLow(odd, (Pair)e0, d);
      even = evenBytes(second);
      odd = oddBytes(second);
      a = addLows(even, (Pair)e1, a);
      b = addLows(odd, (Pair)e1, b);
      c = addHighLow(even, (Pair)e1, c);
      d = addHighLow(odd, (Pair)e1, d);
    }
    dx[0] = a;
    dx[1] = b;
    dx[2] = c;
    dx[3] = d;
  }
#else
  // two terms a turn: dx is read and written half as often
  for (; terms != end; terms += 2) {
    const int8_t *restrict w0 = terms[0].w + at, *restrict w1 = terms[1].w + at;
    for (int32_t i = 0; i < n; i++) dx[i] += terms[0].e * w0[i] + terms[1].e * w1[i];
  }
  k = n;
#endif
  for (; k < n; k++, at++, dx++) {
    int32_t sum = *dx;
    for (const Term *term = terms; term != end; term++) sum += term->e * term->w[at];
    *dx = sum;
  }
}

/** Runs of fewer inputs are summed in a patch first: for them alone a turn of addTerms would not pay. */
enum { SHORT_RUN = 8 };

/** What an output position reaches in dx. */
typedef struct Reach {
  const Window *v;
  int32_t *patch; // kernelSize sums
  int32_t *dx;    // first input of the group's first tap
  Taps rows, columns;
} Reach;

/** Adds the terms of one position to everything that it reaches. */
static void scatter(const Reach *reach, const Term *terms, int32_t count) {
  const Window *v = reach->v;
  int32_t taps = reach->columns.end - reach->columns.first;
  bool joined = v->dilationW == 1 && v->groups == 1;
  int32_t runs = joined ? 1 : taps;
  int32_t run = joined ? taps * v->perGroup : v->perGroup;
  int32_t *row = reach->dx;
  int32_t at = (reach->rows.first * v->kernelW + reach->columns.first) * v->perGroup;
  bool patched = run < SHORT_RUN;
  if (patched) {
    memset(reach->patch, 0, (size_t)v->kernelSize * sizeof *reach->patch);
    addTerms(reach->patch, terms, count, 0, v->kernelSize);
  }
  for (int32_t ky = reach->rows.first; ky < reach->rows.end; ky++) {
    int32_t *to = row;
    for (int32_t i = 0; i < runs; i++) {
      const int32_t *from = reach->patch + at + i * run;
      if (patched) {
        for (int32_t k = 0; k < run; k++) to[k] += from[k];
      } else {
        addTerms(to, terms, count, at + i * run, run);
      }
      to += v->dilationW * v->channels;
    }
    row += (size_t)v->dilationH * (size_t)v->pitch;
    at += v->kernelW * v->perGroup;
  }
}

/** The errors of one group of channels at one position. */
static void spread(const Reach *reach, const int8_t *e, const int8_t *w, int32_t channels) {
  Term terms[AT_ONCE];
  int32_t count = 0, n = reach->v->kernelSize;
  for (int32_t o = 0; o < channels; o++, w += n) {
    if (e[o] == 0) continue;
    terms[count++] = (Term){w, e[o]};
    if (count < AT_ONCE) continue;
    scatter(reach, terms, count);
    count = 0;
  }
  if (count == 0) return;
  if (count & 1) {
    terms[count] = (Term){terms[0].w, 0};
    count++;
  }
  scatter(reach, terms, count);
}

static Error checkArguments(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t eT, uint32_t e,
                            uint32_t w, uint32_t dxT, uint32_t dx, Fault *fault) {
  Check check = checkStart(memory, FN_CONV2D_GRAD_INPUT, fault);
  checkScratchStruct(&check, scratch);
  checkConvStruct(&check, conv);
  checkTensorStruct(&check, eT);
  checkTensorStruct(&check, dxT);
  checkTensorShape(&check, eT);
  checkTensorShape(&check, dxT);
  checkConvShape(&check, conv, dxT, eT);
  checkWindow(&check, conv, eT);
  int32_t channels = checkedField(&check, eT + TENSOR_C);
  int64_t kernel = kernelSize(&check, conv, dxT);
  if (check.error == OM_OK) {
    int64_t area = loadI32(memory, conv + CONV_KERNEL_H) * loadI32(memory, conv + CONV_KERNEL_W);
    checkProducts(&check, area * (channels / loadI32(memory, conv + CONV_GROUPS)), 0);
  }
  checkScratchSize(&check, scratch, scratchNeed(kernel));
  uint64_t eBytes = tensorBytes(&check, eT, 1);
  uint64_t wBytes = (uint64_t)kernel * (uint64_t)channels;
  uint64_t dxBytes = tensorBytes(&check, dxT, 4);
  checkPointer(&check, e, eBytes, 1);
  checkPointer(&check, w, wBytes, 1);
  checkPointer(&check, dx, dxBytes, 4);
  uint32_t data = (uint32_t)checkedField(&check, scratch + SCRATCH_DATA);
  uint64_t bytes = (uint64_t)checkedField(&check, scratch + SCRATCH_SIZE);
  checkOutput(&check, dx, dxBytes);
  checkOutput(&check, data, bytes);
  checkRead(&check, e, eBytes);
  checkRead(&check, w, wBytes);
  checkRead(&check, scratch, SCRATCH_BYTES);
  checkReadShapes(&check, conv, eT, dxT);
  return check.error;
}

Error conv2dGradInput(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t eT, uint32_t e,
                      uint32_t w, uint32_t dxT, uint32_t dx, Fault *fault) {
  Error error = checkArguments(memory, scratch, conv, eT, e, w, dxT, dx, fault);
  if (error != OM_OK) return error;

  uint8_t *base = memory->base;
  Window v = windowRead(memory, conv, dxT);
  const int8_t *errors = (const int8_t *)(base + e);
  const int8_t *weights = (const int8_t *)(base + w);
  int32_t *to = (int32_t *)(void *)(base + dx);
  int32_t *patch = (int32_t *)(void *)(base + (uint32_t)loadI32(memory, scratch + SCRATCH_DATA));
  int32_t channels = loadI32(memory, eT + TENSOR_C);
  int32_t ePitch = loadI32(memory, eT + TENSOR_PITCH);
  int32_t perGroup = channels / v.groups;

  for (int32_t row = 0; row < v.h; row++) {
    memset(to + (size_t)row * (size_t)v.pitch, 0, (size_t)(v.w * v.channels) * sizeof *to);
  }
  if (isDepthwise(&v)) {
    depthwiseGradInput(memory, &v, eT, e, w, dx);
    return OM_OK;
  }
  for (int32_t oy = v.y0; oy < v.y1; oy++) {
    Taps rows = tapsOfRow(&v, oy);
    for (int32_t ox = v.x0; ox < v.x1; ox++) {
      const int8_t *at = errors + (size_t)oy * (size_t)ePitch + ox * channels;
      Reach reach = {.v = &v, .patch = patch, .rows = rows, .columns = tapsOfColumn(&v, ox)};
      reach.dx = to + (size_t)rows.start * (size_t)v.pitch + reach.columns.start * v.channels;
      for (int32_t g = 0; g < v.groups; g++, reach.dx += v.perGroup) {
        spread(&reach, at + g * perGroup, weights + (size_t)(g * perGroup) * (size_t)v.kernelSize, perGroup);
      }
    }
  }
  return OM_OK;
}
