// Argument checks of the intrinsics: the same checks in the same order with the same numbers as
// assembly/int8/check.ts, so that a bad call traps alike everywhere. Sizes are computed in 64 bits.
#ifndef OM_CHECK_H
#define OM_CHECK_H

#include "../errors.h"
#include "../linear.h"

// offsets in the structs of docs/abi.md
enum { TENSOR_BYTES = 20, TENSOR_H = 4, TENSOR_W = 8, TENSOR_C = 12, TENSOR_PITCH = 16 };
enum {
  CONV_BYTES = 64,
  CONV_KERNEL_H = 4,
  CONV_KERNEL_W = 8,
  CONV_STRIDE_H = 12,
  CONV_STRIDE_W = 16,
  CONV_DILATION_H = 20,
  CONV_DILATION_W = 24,
  CONV_PAD_TOP = 28,
  CONV_PAD_LEFT = 32,
  CONV_PAD_BOTTOM = 36,
  CONV_PAD_RIGHT = 40,
  CONV_GROUPS = 44,
  CONV_Y0 = 48,
  CONV_Y1 = 52,
  CONV_X0 = 56,
  CONV_X1 = 60
};
enum {
  QUANT_BYTES = 40,
  QUANT_INPUT_ZERO = 4,
  QUANT_OUTPUT_ZERO = 8,
  QUANT_LO = 12,
  QUANT_HI = 16,
  QUANT_MULTIPLIER = 20,
  QUANT_SHIFT = 24,
  QUANT_CHANNELS = 28,
  QUANT_ROUNDING = 32
};
enum { SCRATCH_BYTES = 12, SCRATCH_DATA = 4, SCRATCH_SIZE = 8 };

/** Largest dimension of a tensor, and largest element count of a flat argument. */
enum { MAX_DIM = 32767, MAX_COUNT = 1 << 30 };

/**
 * Bytes of linear memory, the end exclusive. Where overlap is looked for, all areas have been found to lie in memory, so an end
 * fits into 32 bits.
 */
typedef struct Area {
  uint32_t at, end;
} Area;

static inline Area areaOf(uint32_t at, uint64_t bytes) { return (Area){at, at + (uint32_t)bytes}; }

/** Whether two areas share a byte. */
static inline bool areasMeet(Area a, Area b) {
  return a.at < a.end && b.at < b.end && a.at < b.end && b.at < a.end;
}

/** Who checks, where, what was found, and what the call writes. Once it has failed, further checks change nothing. */
typedef struct Check {
  const Linear *memory;
  int32_t fn;
  Fault *fault;
  Error error;
  int32_t outputs;
  Area output[4];
} Check;

static inline Check checkStart(const Linear *memory, int32_t fn, Fault *fault) {
  Check check; // the list of outputs stays as it is: a small call is not to pay for clearing it
  check.memory = memory;
  check.fn = fn;
  check.fault = fault;
  check.error = OM_OK;
  check.outputs = 0;
  return check;
}

/** A struct of at least `bytes` bytes: in memory, aligned, and as large as it says. */
void checkStruct(Check *check, uint32_t at, int32_t bytes);
void checkTensorStruct(Check *check, uint32_t tensor);
void checkConvStruct(Check *check, uint32_t conv);
void checkQuantStruct(Check *check, uint32_t quant);
void checkScratchStruct(Check *check, uint32_t scratch);

/** Dimensions 1 … 32,767; row pitch w·c … 2^30. */
void checkTensorShape(Check *check, uint32_t tensor);

/** Kernel, stride, dilation, padding, groups in range; the output's height and width are what they must be. */
void checkConvShape(Check *check, uint32_t conv, uint32_t input, uint32_t output);

/** lo ≤ value ≤ hi, else `code` with the value and the limit that it passed. */
void checkWithin(Check *check, Error code, int32_t value, int32_t lo, int32_t hi);

/** Two fields that must be equal. */
void checkSame(Check *check, int32_t got, int32_t want);

/** The output window lies in the output. */
void checkWindow(Check *check, uint32_t conv, uint32_t output);

/** Shapes and window of a pooling: as many channels come out as go in. */
void checkPool(Check *check, uint32_t conv, uint32_t input, uint32_t output);

/** 0 ≤ first ≤ end ≤ length. */
void checkRange(Check *check, int32_t first, int32_t end, int32_t length);

/**
 * At most 132,104 products meet in one accumulator at zero point 0, 66,052 at ±128: K·127·(128 + |zero|) < 2^31. The zero point
 * has been checked.
 */
void checkProducts(Check *check, int64_t count, int32_t zero);

/** Zero points are int8. */
void checkZeroPoints(Check *check, uint32_t quant);
void checkInt8(Check *check, int32_t zero);

/** Everything that requantisation to [min, max] needs; `channels` are those of the output. */
void checkRequantisation(Check *check, uint32_t quant, int32_t channels, int32_t min, int32_t max);

/** Bytes of scratch that intrinsics 1–3 ask for with n weights per output channel; native code needs 4·n of them. */
static inline int64_t scratchNeed(int64_t n) { return 11 * n + 48; }

/** The caller's scratch holds `need` bytes. */
void checkScratchSize(Check *check, uint32_t scratch, int64_t need);

/** Element count of a flat argument: 0 … 2^30. */
void checkCount(Check *check, int32_t n);

/** Alignment, then range, of one pointer. */
void checkPointer(Check *check, uint32_t at, uint64_t bytes, uint32_t align);

/** Two areas share no byte. */
void checkApart(Check *check, uint32_t a, uint64_t aBytes, uint32_t b, uint64_t bBytes);

/** What the call writes, four areas at most: each shares no byte with those before it. */
void checkOutput(Check *check, uint32_t at, uint64_t bytes);

/** What is read while the call writes its outputs shares no byte with them. */
void checkRead(Check *check, uint32_t at, uint64_t bytes);

/** The same of a conv struct and two tensor structs. */
void checkReadShapes(Check *check, uint32_t conv, uint32_t xT, uint32_t yT);

/** The same of a quant struct and, if it has a multiplier, its tables. */
void checkReadQuant(Check *check, uint32_t quant);

// Sizes; 0 once a check has failed, since the fields may be anything then.

/** Bytes from a tensor's first element to its last. */
uint64_t tensorBytes(const Check *check, uint32_t tensor, uint32_t elementBytes);

/** kernelH · kernelW · c / groups: weights of one output channel. */
int64_t kernelSize(const Check *check, uint32_t conv, uint32_t input);

/** A field of a struct, 0 once a check has failed. */
static inline int32_t checkedField(const Check *check, uint32_t at) {
  return check->error == OM_OK ? loadI32(check->memory, at) : 0;
}

#endif
