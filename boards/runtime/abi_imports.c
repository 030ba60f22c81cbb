// What a module may import: `octomote_1` (frames, publishing, log, clock) and the intrinsics, as
// one allow-list. Each function takes its arguments from the engine's slots and checks every pointer.
#include "abi_imports.h"

#include "intrinsics/intrinsics.h"

const char *const abiImportModules[] = {"octomote_1", "octo_int8_1", "octo_pass_1", "octo_sgq_1", NULL};

enum { FRAME_BYTES = 36 };

static uint32_t u32(uint64_t slot) { return (uint32_t)slot; }
static int32_t i32(uint64_t slot) { return (int32_t)(uint32_t)slot; }

/** For a pointer of a host function that leaves memory: `where` 0, since no intrinsic is to blame. */
static bool outOfRange(uint32_t at, uint64_t bytes) {
  uint64_t end = at + bytes;
  faultSet(&abiContext.fault, OM_OUT_OF_RANGE, 0, end > INT32_MAX ? INT32_MAX : (int32_t)end,
           (int32_t)abiContext.memory.length);
  return false;
}

static bool hostFail(uint64_t *slots) {
  int32_t code = i32(slots[0]);
  faultSet(&abiContext.fault, code == OM_OK ? OM_TRAP : code, i32(slots[1]), i32(slots[2]), i32(slots[3]));
  return false;
}

static bool hostSensorRead(uint64_t *slots) {
  const Linear *memory = &abiContext.memory;
  const Sensor *sensor = abiContext.host->sensor;
  uint32_t at = u32(slots[1]);
  if (!linearHas(memory, at, FRAME_BYTES) || (at & 3) != 0 || loadI32(memory, at) < FRAME_BYTES) {
    return outOfRange(at, FRAME_BYTES);
  }
  uint32_t data = (uint32_t)loadI32(memory, at + 4);
  uint32_t capacity = (uint32_t)loadI32(memory, at + 8);
  if (!linearHas(memory, data, capacity)) return outOfRange(data, capacity);
  slots[0] = 0;
  SensorFrame frame;
  if (sensor == NULL || !sensor->next(sensor->self, &frame)) return true;
  uint32_t shape[3] = {frame.h, frame.w, frame.c};
  uint64_t bytes = (uint64_t)frame.h * frame.w * frame.c;
  bool fits = memcmp(shape, memory->base + at + 12, sizeof shape) == 0 && bytes <= capacity;
  if (!fits) {
    memcpy(memory->base + at + 12, shape, sizeof shape);
    slots[0] = UINT32_MAX; // −1
    return true;
  }
  memcpy(memory->base + data, frame.data, (size_t)bytes);
  storeI32(memory, at + 24, frame.label);
  storeI32(memory, at + 28, frame.heldOut ? 1 : 0);
  storeI32(memory, at + 32, (int32_t)abiContext.sequence++);
  abiContext.samples++;
  slots[0] = 1;
  return true;
}

static bool hostPublish(uint64_t *slots) {
  uint32_t at = u32(slots[2]), bytes = u32(slots[3]);
  if (!linearHas(&abiContext.memory, at, bytes)) return outOfRange(at, bytes);
  bool taken = abiContext.host->publish(i32(slots[1]), abiContext.memory.base + at, bytes);
  slots[0] = taken ? 0 : UINT32_MAX;
  return true;
}

/** UTF-16 to UTF-8, as much as fits; a lone surrogate becomes a question mark. */
static uint32_t toUtf8(const uint8_t *units, uint32_t count, char *text, uint32_t room) {
  uint32_t length = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t c = (uint32_t)units[2 * i] | (uint32_t)units[2 * i + 1] << 8;
    if ((c & 0xfc00) == 0xd800 && i + 1 < count) {
      uint32_t low = (uint32_t)units[2 * i + 2] | (uint32_t)units[2 * i + 3] << 8;
      if ((low & 0xfc00) == 0xdc00) {
        c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
        i++;
      }
    }
    if ((c & 0xfffff800) == 0xd800 || c == 0) c = '?';
    uint32_t bytes = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (length + bytes > room) break;
    if (bytes == 1) text[length++] = (char)c;
    if (bytes == 1) continue;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    text[length++] = (char)(lead[bytes] | c >> (6 * (bytes - 1)));
    for (uint32_t k = bytes - 1; k-- > 0;) text[length++] = (char)(0x80 | (c >> (6 * k) & 0x3f));
  }
  return length;
}

static bool hostLog(uint64_t *slots) {
  char text[160];
  uint32_t at = u32(slots[1]), units = u32(slots[2]);
  if (!linearHas(&abiContext.memory, at, (uint64_t)units * 2)) return outOfRange(at, (uint64_t)units * 2);
  int32_t level = i32(slots[0]);
  if (level < 0 || level > 3) level = 3;
  uint32_t bytes = toUtf8(abiContext.memory.base + at, units, text, sizeof text);
  abiContext.host->log(level, text, bytes);
  return true;
}

static bool hostClock(uint64_t *slots) {
  slots[0] = abiContext.host->millis();
  return true;
}

// One wrapper for each intrinsic: A(i) is argument i, R the result's slot count.
#define A(i) u32(slots[i])
#define INTRINSIC(wrapper, ...)                                                                              \
  static bool wrapper(uint64_t *slots) {                                                                     \
    const Linear *m = &abiContext.memory;                                                                    \
    Fault *f = &abiContext.fault;                                                                            \
    return __VA_ARGS__ == OM_OK;                                                                             \
  }
#define INTRINSIC_I32(wrapper, ...)                                                                          \
  static bool wrapper(uint64_t *slots) {                                                                     \
    const Linear *m = &abiContext.memory;                                                                    \
    Fault *f = &abiContext.fault;                                                                            \
    int32_t result = 0;                                                                                      \
    Error error = __VA_ARGS__;                                                                               \
    slots[0] = (uint32_t)result;                                                                             \
    return error == OM_OK;                                                                                   \
  }

INTRINSIC(doConv2d, conv2d(m, A(0), A(1), A(2), A(3), A(4), A(5), A(6), A(7), A(8), f))
INTRINSIC(doConv2dGradInput, conv2dGradInput(m, A(0), A(1), A(2), A(3), A(4), A(5), A(6), f))
INTRINSIC(doConv2dGradWeight, conv2dGradWeight(m, A(0), A(1), A(2), A(3), A(4), A(5), A(6), i32(slots[7]),
                                               i32(slots[8]), A(9), A(10), f))
INTRINSIC_I32(doAbsMaxS8, absMaxS8(m, A(1), i32(slots[2]), &result, f))
INTRINSIC_I32(doAbsMaxS32, absMaxS32(m, A(1), i32(slots[2]), &result, f))
INTRINSIC(doRequantize, requantize(m, A(0), A(1), i32(slots[2]), A(3), A(4), f))
INTRINSIC_I32(doSgdUpdate, sgdUpdate(m, A(1), A(2), i32(slots[3]), A(4), A(5), A(6), &result, f))
INTRINSIC(doMaxPool2d, maxPool2d(m, A(0), A(1), A(2), A(3), A(4), f))
INTRINSIC(doMaxPool2dGrad, maxPool2dGrad(m, A(0), A(1), A(2), A(3), A(4), A(5), A(6), f))
INTRINSIC(doRelu, relu(m, A(0), i32(slots[1]), i32(slots[2]), A(3), f))
INTRINSIC(doReluGrad, reluGrad(m, A(0), i32(slots[1]), i32(slots[2]), A(3), f))
INTRINSIC(doRequantize32, requantize32(m, A(0), A(1), i32(slots[2]), A(3), A(4), f))
INTRINSIC(doSgdUpdate32, sgdUpdate32(m, A(0), A(1), i32(slots[2]), A(3), A(4), f))
INTRINSIC_I32(doConv2dLearn, conv2dLearn(m, A(1), A(2), A(3), A(4), A(5), A(6), A(7), A(8), i32(slots[9]),
                                         A(10), A(11), A(12), A(13), A(14), &result, f))
INTRINSIC(doDrawMasters, drawMasters(m, A(0), i32(slots[1]), i32(slots[2]), i32(slots[3]), A(4), f))
INTRINSIC(doWeightsOf, weightsOf(m, A(0), i32(slots[1]), i32(slots[2]), A(3), f))
INTRINSIC_I32(doSoftmaxCrossEntropy,
              softmaxCrossEntropy(m, A(1), A(2), i32(slots[3]), i32(slots[4]), A(5), &result, f))
INTRINSIC(doAveragePool2d, averagePool2d(m, A(0), A(1), A(2), A(3), A(4), A(5), f))
INTRINSIC(doAveragePool2dGrad, averagePool2dGrad(m, A(0), A(1), A(2), A(3), A(4), f))
INTRINSIC(doAdd, add(m, A(0), A(1), A(2), A(3), i32(slots[4]), A(5), A(6), f))
INTRINSIC(doAddGrad, addGrad(m, A(0), A(1), i32(slots[2]), A(3), A(4), f))
INTRINSIC(doRescale, rescale(m, A(0), A(1), A(2), A(3), A(4), i32(slots[5]), f))
INTRINSIC(doPatchStats, patchStats(m, A(0), A(1), A(2), i32(slots[3]), i32(slots[4]), A(5), f))
INTRINSIC_I32(doMerge, merge(m, A(1), i32(slots[2]), A(3), A(4), A(5), A(6), A(7), &result, f))
INTRINSIC(doSgqQuantize, sgqQuantize(m, A(0), A(1), A(2), f))
INTRINSIC_I32(doSgqEncode, sgqEncode(m, A(1), &result, f))
INTRINSIC(doSgqMix, sgqMix(m, A(0), A(1), A(2), i32(slots[3]), A(4), f))
INTRINSIC_I32(doSgqCrc16, sgqCrc16(m, A(1), i32(slots[2]), i32(slots[3]), &result, f))

const EngineImport abiImports[] = {
    {"octomote_1", "fail", "v(iiii)", hostFail},
    {"octomote_1", "sensorRead", "i(i)", hostSensorRead},
    {"octomote_1", "publish", "i(iii)", hostPublish},
    {"octomote_1", "log", "v(iii)", hostLog},
    {"octomote_1", "clock", "I()", hostClock},
    {"octo_int8_1", "conv2d", "v(iiiiiiiii)", doConv2d},
    {"octo_int8_1", "conv2dGradInput", "v(iiiiiii)", doConv2dGradInput},
    {"octo_int8_1", "conv2dGradWeight", "v(iiiiiiiiiii)", doConv2dGradWeight},
    {"octo_int8_1", "absMaxS8", "i(ii)", doAbsMaxS8},
    {"octo_int8_1", "absMaxS32", "i(ii)", doAbsMaxS32},
    {"octo_int8_1", "requantize", "v(iiiii)", doRequantize},
    {"octo_int8_1", "sgdUpdate", "i(iiiiii)", doSgdUpdate},
    {"octo_int8_1", "maxPool2d", "v(iiiii)", doMaxPool2d},
    {"octo_int8_1", "maxPool2dGrad", "v(iiiiiii)", doMaxPool2dGrad},
    {"octo_int8_1", "relu", "v(iiii)", doRelu},
    {"octo_int8_1", "reluGrad", "v(iiii)", doReluGrad},
    {"octo_int8_1", "requantize32", "v(iiiii)", doRequantize32},
    {"octo_int8_1", "sgdUpdate32", "v(iiiii)", doSgdUpdate32},
    {"octo_int8_1", "conv2dLearn", "i(iiiiiiiiiiiiii)", doConv2dLearn},
    {"octo_int8_1", "drawMasters", "v(iiiii)", doDrawMasters},
    {"octo_int8_1", "weightsOf", "v(iiii)", doWeightsOf},
    {"octo_int8_1", "softmaxCrossEntropy", "i(iiiii)", doSoftmaxCrossEntropy},
    {"octo_int8_1", "averagePool2d", "v(iiiiii)", doAveragePool2d},
    {"octo_int8_1", "averagePool2dGrad", "v(iiiii)", doAveragePool2dGrad},
    {"octo_int8_1", "add", "v(iiiiiii)", doAdd},
    {"octo_int8_1", "addGrad", "v(iiiii)", doAddGrad},
    {"octo_int8_1", "rescale", "v(iiiiii)", doRescale},
    {"octo_pass_1", "patchStats", "v(iiiiii)", doPatchStats},
    {"octo_pass_1", "merge", "i(iiiiiii)", doMerge},
    {"octo_sgq_1", "sgqQuantize", "v(iii)", doSgqQuantize},
    {"octo_sgq_1", "sgqEncode", "i(i)", doSgqEncode},
    {"octo_sgq_1", "sgqMix", "v(iiiii)", doSgqMix},
    {"octo_sgq_1", "sgqCrc16", "i(iii)", doSgqCrc16},
};

const uint32_t abiImportCount = sizeof abiImports / sizeof abiImports[0];
