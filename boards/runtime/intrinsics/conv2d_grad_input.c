// Intrinsic 2: gradient of a convolution's input. For each output position the weights of all channels with an error
// are summed into one patch, four at a time, and the patch is added to dx; zero errors, which are most of them after
// pooling, cost one load.
#include "conv2d_depthwise.h"
#include "intrinsics.h"
#include "window.h"

/** sum[k] (+)= Σ e[i]·w[i][k] over the four kernels; the first call of a patch sets instead of adding. */
static void addFour(int32_t *restrict sum, const int8_t *const w[4], const int32_t e[4], int32_t n,
                    bool first) {
  const int8_t *restrict w0 = w[0], *restrict w1 = w[1], *restrict w2 = w[2], *restrict w3 = w[3];
  int32_t e0 = e[0], e1 = e[1], e2 = e[2], e3 = e[3];
  if (first) {
    for (int32_t k = 0; k < n; k++) sum[k] = e0 * w0[k] + e1 * w1[k] + e2 * w2[k] + e3 * w3[k];
  } else {
    for (int32_t k = 0; k < n; k++) sum[k] += e0 * w0[k] + e1 * w1[k] + e2 * w2[k] + e3 * w3[k];
  }
}

static void addOne(int32_t *restrict sum, const int8_t *restrict w, int32_t e, int32_t n, bool first) {
  if (first) {
    for (int32_t k = 0; k < n; k++) sum[k] = e * w[k];
  } else {
    for (int32_t k = 0; k < n; k++) sum[k] += e * w[k];
  }
}

/** The patch's gradient from the errors of one group at one position; false when all of them are zero. */
static bool sumPatch(int32_t *sum, const int8_t *e, const int8_t *w, int32_t channels, int32_t n) {
  const int8_t *waiting[4];
  int32_t errors[4], count = 0;
  bool first = true;
  for (int32_t o = 0; o < channels; o++) {
    if (e[o] == 0) continue;
    waiting[count] = w + (size_t)o * (size_t)n;
    errors[count++] = e[o];
    if (count < 4) continue;
    addFour(sum, waiting, errors, n, first);
    first = false;
    count = 0;
  }
  for (int32_t i = 0; i < count; i++) {
    addOne(sum, waiting[i], errors[i], n, first);
    first = false;
  }
  return !first;
}

/** Adds a patch [kernelH, kernelW, perGroup] to dx where it is inside. */
static void scatter(const Window *v, int32_t *dx, int32_t group, Taps rows, Taps columns,
                    const int32_t *sum) {
  int32_t rowValues = v->kernelW * v->perGroup;
  bool joined = v->dilationW == 1 && v->groups == 1;
  int32_t taps = columns.end - columns.first;
  int32_t runs = joined ? 1 : taps;
  int32_t run = joined ? taps * v->perGroup : v->perGroup;
  for (int32_t ky = rows.first; ky < rows.end; ky++) {
    int32_t row = rows.start + (ky - rows.first) * v->dilationH;
    int32_t *restrict to =
        dx + (size_t)row * (size_t)v->pitch + columns.start * v->channels + group * v->perGroup;
    const int32_t *restrict from = sum + ky * rowValues + columns.first * v->perGroup;
    for (int32_t i = 0; i < runs; i++) {
      for (int32_t k = 0; k < run; k++) to[k] += from[k];
      to += v->dilationW * v->channels;
      from += run;
    }
  }
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
    checkProducts(&check, area * (channels / loadI32(memory, conv + CONV_GROUPS)));
  }
  checkScratchSize(&check, scratch, kernel * 4);
  uint64_t eBytes = tensorBytes(&check, eT, 1);
  uint64_t wBytes = (uint64_t)kernel * (uint64_t)channels;
  uint64_t dxBytes = tensorBytes(&check, dxT, 4);
  checkPointer(&check, e, eBytes, 1);
  checkPointer(&check, w, wBytes, 1);
  checkPointer(&check, dx, dxBytes, 4);
  uint32_t data = (uint32_t)checkedField(&check, scratch + SCRATCH_DATA);
  uint64_t bytes = (uint64_t)checkedField(&check, scratch + SCRATCH_SIZE);
  checkApart(&check, dx, dxBytes, e, eBytes);
  checkApart(&check, dx, dxBytes, w, wBytes);
  checkApart(&check, dx, dxBytes, data, bytes);
  checkApart(&check, data, bytes, e, eBytes);
  checkApart(&check, data, bytes, w, wBytes);
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
  int32_t *sum = (int32_t *)(void *)(base + (uint32_t)loadI32(memory, scratch + SCRATCH_DATA));
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
      Taps columns = tapsOfColumn(&v, ox);
      const int8_t *at = errors + (size_t)oy * (size_t)ePitch + ox * channels;
      for (int32_t g = 0; g < v.groups; g++) {
        const int8_t *kernels = weights + (size_t)(g * perGroup) * (size_t)v.kernelSize;
        if (sumPatch(sum, at + g * perGroup, kernels, perGroup, v.kernelSize))
          scatter(&v, to, g, rows, columns, sum);
      }
    }
  }
  return OM_OK;
}
