// The checks. A failed one keeps the first error; later ones do nothing, so that callers read as a list.
#include "check.h"

enum { MAX_CONV = 1024, MANTISSA_MIN = 1 << 30 };

/** By itself: no call that is right comes here, and the checks stay small. */
static __attribute__((noinline)) void failWith(Check *check, Error code, int32_t got, int32_t want) {
  if (check->error == OM_OK) check->error = faultSet(check->fault, code, check->fn, got, want);
}

static int32_t field(const Check *check, uint32_t at) { return checkedField(check, at); }

void checkWithin(Check *check, Error code, int32_t value, int32_t lo, int32_t hi) {
  if (check->error != OM_OK) return;
  if (value < lo) {
    failWith(check, code, value, lo);
  } else if (value > hi) {
    failWith(check, code, value, hi);
  }
}

void checkStruct(Check *check, uint32_t at, int32_t bytes) {
  if (check->error != OM_OK) return;
  if (!linearHas(check->memory, at, (uint64_t)bytes)) {
    failWith(check, OM_BAD_STRUCT, (int32_t)at, (int32_t)check->memory->length);
  } else if (at & 3) {
    failWith(check, OM_BAD_STRUCT, (int32_t)at, 4);
  } else if (loadI32(check->memory, at) < bytes) {
    failWith(check, OM_BAD_STRUCT, loadI32(check->memory, at), bytes);
  }
}

void checkTensorStruct(Check *check, uint32_t tensor) { checkStruct(check, tensor, TENSOR_BYTES); }

void checkConvStruct(Check *check, uint32_t conv) { checkStruct(check, conv, CONV_BYTES); }

void checkQuantStruct(Check *check, uint32_t quant) { checkStruct(check, quant, QUANT_BYTES); }

void checkScratchStruct(Check *check, uint32_t scratch) { checkStruct(check, scratch, SCRATCH_BYTES); }

void checkTensorShape(Check *check, uint32_t t) {
  for (uint32_t at = TENSOR_H; at <= TENSOR_C; at += 4)
    checkWithin(check, OM_BAD_SHAPE, field(check, t + at), 1, MAX_DIM);
  if (check->error != OM_OK) return; // only now is w·c known to fit
  checkWithin(check, OM_BAD_SHAPE, field(check, t + TENSOR_PITCH),
              field(check, t + TENSOR_W) * field(check, t + TENSOR_C), MAX_COUNT);
}

/** Output length of a sliding window, 0 if the window does not fit once. */
static int32_t outputLength(int32_t input, int32_t before, int32_t after, int32_t kernel, int32_t stride,
                            int32_t dilation) {
  int32_t room = input + before + after - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

void checkConvShape(Check *check, uint32_t conv, uint32_t input, uint32_t output) {
  for (uint32_t at = CONV_KERNEL_H; at <= CONV_DILATION_W; at += 4) {
    checkWithin(check, OM_BAD_SHAPE, field(check, conv + at), 1, MAX_CONV);
  }
  for (uint32_t at = CONV_PAD_TOP; at <= CONV_PAD_RIGHT; at += 4) {
    checkWithin(check, OM_BAD_SHAPE, field(check, conv + at), 0, MAX_CONV);
  }
  int32_t groups = field(check, conv + CONV_GROUPS);
  checkWithin(check, OM_BAD_SHAPE, groups, 1, MAX_DIM);
  if (check->error != OM_OK) return;
  int32_t inputChannels = field(check, input + TENSOR_C), outputChannels = field(check, output + TENSOR_C);
  if (inputChannels % groups != 0) failWith(check, OM_BAD_SHAPE, inputChannels, groups);
  if (outputChannels % groups != 0) failWith(check, OM_BAD_SHAPE, outputChannels, groups);
  if (check->error != OM_OK) return;
  checkSame(check, field(check, output + TENSOR_H),
            outputLength(field(check, input + TENSOR_H), field(check, conv + CONV_PAD_TOP),
                         field(check, conv + CONV_PAD_BOTTOM), field(check, conv + CONV_KERNEL_H),
                         field(check, conv + CONV_STRIDE_H), field(check, conv + CONV_DILATION_H)));
  if (check->error != OM_OK) return;
  checkSame(check, field(check, output + TENSOR_W),
            outputLength(field(check, input + TENSOR_W), field(check, conv + CONV_PAD_LEFT),
                         field(check, conv + CONV_PAD_RIGHT), field(check, conv + CONV_KERNEL_W),
                         field(check, conv + CONV_STRIDE_W), field(check, conv + CONV_DILATION_W)));
}

void checkSame(Check *check, int32_t got, int32_t want) {
  if (got != want) failWith(check, OM_BAD_SHAPE, got, want);
}

void checkWindow(Check *check, uint32_t conv, uint32_t output) {
  checkRange(check, field(check, conv + CONV_Y0), field(check, conv + CONV_Y1),
             field(check, output + TENSOR_H));
  checkRange(check, field(check, conv + CONV_X0), field(check, conv + CONV_X1),
             field(check, output + TENSOR_W));
}

void checkPool(Check *check, uint32_t conv, uint32_t input, uint32_t output) {
  checkTensorShape(check, input);
  checkTensorShape(check, output);
  checkConvShape(check, conv, input, output);
  checkSame(check, field(check, output + TENSOR_C), field(check, input + TENSOR_C));
  checkWindow(check, conv, output);
}

void checkRange(Check *check, int32_t first, int32_t end, int32_t length) {
  if (first < 0 || first > end) failWith(check, OM_BAD_WINDOW, first, end);
  if (end > length) failWith(check, OM_BAD_WINDOW, end, length);
}

void checkProducts(Check *check, int64_t count, int32_t zero) {
  if (check->error != OM_OK) return;
  int32_t most = 16909320 / (128 + (zero < 0 ? -zero : zero));
  if (count > most) failWith(check, OM_ACCUMULATOR, count > INT32_MAX ? INT32_MAX : (int32_t)count, most);
}

void checkZeroPoints(Check *check, uint32_t quant) {
  checkInt8(check, field(check, quant + QUANT_INPUT_ZERO));
  checkInt8(check, field(check, quant + QUANT_OUTPUT_ZERO));
}

void checkInt8(Check *check, int32_t zero) { checkWithin(check, OM_BAD_QUANTISATION, zero, -128, 127); }

void checkRequantisation(Check *check, uint32_t quant, int32_t channels, int32_t min, int32_t max) {
  int32_t n = field(check, quant + QUANT_CHANNELS);
  if (n != 1 && n != channels) failWith(check, OM_BAD_QUANTISATION, n, channels);
  checkWithin(check, OM_BAD_QUANTISATION, field(check, quant + QUANT_ROUNDING), 0, 1);
  int32_t lo = field(check, quant + QUANT_LO);
  checkWithin(check, OM_BAD_QUANTISATION, lo, min, max);
  checkWithin(check, OM_BAD_QUANTISATION, field(check, quant + QUANT_HI), lo, max);
  uint32_t m = (uint32_t)field(check, quant + QUANT_MULTIPLIER);
  uint32_t s = (uint32_t)field(check, quant + QUANT_SHIFT);
  checkPointer(check, m, (uint64_t)n * 4, 4);
  checkPointer(check, s, (uint64_t)n * 4, 4);
  for (uint32_t i = 0; check->error == OM_OK && i < (uint32_t)n * 4; i += 4) {
    checkWithin(check, OM_BAD_QUANTISATION, field(check, m + i), MANTISSA_MIN, INT32_MAX);
    checkWithin(check, OM_BAD_QUANTISATION, field(check, s + i), 1, 62);
  }
}

void checkScratchSize(Check *check, uint32_t scratch, int64_t need) {
  int32_t bytes = field(check, scratch + SCRATCH_SIZE);
  if (bytes < 0 || bytes < need) {
    failWith(check, OM_SCRATCH_SMALL, bytes, need > INT32_MAX ? INT32_MAX : (int32_t)need);
  }
  checkPointer(check, (uint32_t)field(check, scratch + SCRATCH_DATA), (uint64_t)bytes, 4);
}

void checkCount(Check *check, int32_t n) { checkWithin(check, OM_BAD_SHAPE, n, 0, MAX_COUNT); }

void checkPointer(Check *check, uint32_t at, uint64_t bytes, uint32_t align) {
  if (at & (align - 1)) {
    failWith(check, OM_MISALIGNED, (int32_t)at, (int32_t)align);
  } else if (!linearHas(check->memory, at, bytes)) {
    failWith(check, OM_OUT_OF_RANGE, (int32_t)at, (int32_t)check->memory->length);
  }
}

void checkApart(Check *check, uint32_t a, uint64_t aBytes, uint32_t b, uint64_t bBytes) {
  if (aBytes == 0 || bBytes == 0) return;
  if (a < b + bBytes && b < a + aBytes) failWith(check, OM_OVERLAP, (int32_t)a, (int32_t)b);
}

/** A read area that is not empty, against all outputs; none of those is empty either. */
static inline void clear(Check *check, uint32_t at, uint32_t end) {
  const Area *last = check->output + check->outputs;
  for (const Area *output = check->output; output < last; output++) {
    if (at < output->end && output->at < end) failWith(check, OM_OVERLAP, (int32_t)output->at, (int32_t)at);
  }
}

void checkOutput(Check *check, uint32_t at, uint64_t bytes) {
  if (bytes == 0) return;
  Area area = areaOf(at, bytes);
  clear(check, area.at, area.end);
  check->output[check->outputs++] = area;
}

void checkRead(Check *check, uint32_t at, uint64_t bytes) {
  if (bytes != 0) clear(check, at, at + (uint32_t)bytes);
}

void checkReadShapes(Check *check, uint32_t conv, uint32_t xT, uint32_t yT) {
  clear(check, conv, conv + CONV_BYTES);
  clear(check, xT, xT + TENSOR_BYTES);
  clear(check, yT, yT + TENSOR_BYTES);
}

void checkReadQuant(Check *check, uint32_t quant) {
  if (check->error != OM_OK) return;
  clear(check, quant, quant + QUANT_BYTES);
  uint32_t multiplier = (uint32_t)field(check, quant + QUANT_MULTIPLIER);
  if (multiplier == 0) return;
  uint32_t n = (uint32_t)field(check, quant + QUANT_CHANNELS) * 4;
  uint32_t shift = (uint32_t)field(check, quant + QUANT_SHIFT);
  clear(check, multiplier, multiplier + n);
  clear(check, shift, shift + n);
}

uint64_t tensorBytes(const Check *check, uint32_t t, uint32_t elementBytes) {
  if (check->error != OM_OK) return 0;
  uint64_t rows = (uint64_t)(field(check, t + TENSOR_H) - 1) * (uint64_t)field(check, t + TENSOR_PITCH);
  return (rows + (uint64_t)(field(check, t + TENSOR_W) * field(check, t + TENSOR_C))) * elementBytes;
}

int64_t kernelSize(const Check *check, uint32_t conv, uint32_t input) {
  if (check->error != OM_OK) return 0;
  return (int64_t)(field(check, conv + CONV_KERNEL_H) * field(check, conv + CONV_KERNEL_W)) *
         (field(check, input + TENSOR_C) / field(check, conv + CONV_GROUPS));
}
