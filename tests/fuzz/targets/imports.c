// Everything that a module can call, with arbitrary arguments on arbitrary memory: the call finishes or is refused. A
// refusal of an intrinsic leaves memory as it was, and nothing reaches beyond linear memory, whose end is guarded.
#define _GNU_SOURCE
#include "abi_imports.h"
#include "fuzz.h"

// As large as layers of tests need, and small enough that the dearest call that the checks allow, every element of one
// half against every element of the other, takes milliseconds.
enum { MOST_MEMORY = 8 << 10, SLOTS = 24, ALIGN = 16 };

static int8_t pixels[64];

static bool ready(void *self) {
  (void)self;
  return true;
}

static bool next(void *self, SensorFrame *frame) {
  (void)self;
  *frame = (SensorFrame){pixels, 8, 8, 1, -1, true};
  return true;
}

/** Reads what it is given: a sanitizer sees a byte that is not there. */
static bool publish(int32_t channel, const uint8_t *data, uint32_t bytes) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < bytes; i++) sum += data[i];
  return ((uint32_t)channel + sum) % 2 == 0;
}

static void takeLog(int32_t level, const char *text, uint32_t bytes) {
  PROMISE(level >= 0 && level <= 3 && bytes <= 160, "a log line is out of range");
  uint32_t sum = 0;
  for (uint32_t i = 0; i < bytes; i++) sum += text[i] == 0;
  PROMISE(sum == 0, "a log line has a zero in it");
}

static uint64_t millis(void) { return 1; }

/** Input: which import (1 byte), memory's length (2), an argument for each `i` of its signature (4), memory. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static const Sensor sensor = {NULL, ready, next, NULL};
  static const AbiHost host = {&sensor, publish, takeLog, millis};
  Input in = {data, data + bytes};
  const EngineImport *import = &abiImports[inputByte(&in) % abiImportCount];
  uint32_t length = inputU16(&in) % (MOST_MEMORY + 1);
  uint64_t slots[SLOTS] = {0};
  uint32_t slot = import->signature[0] == 'v' ? 0 : 1;
  for (const char *s = strchr(import->signature, '(') + 1; *s != ')'; s++) {
    PROMISE(slot < SLOTS, "an import takes more arguments than the target has room for");
    slots[slot++] = inputU32(&in);
  }

  uint8_t *memory = NULL, *before = malloc(length == 0 ? 1 : length);
  PROMISE(posix_memalign((void **)&memory, ALIGN, length == 0 ? 1 : length) == 0 && before != NULL,
          "the target itself is out of memory");
  memset(memory, 0, length);
  size_t filled = inputLeft(&in) < length ? inputLeft(&in) : length;
  memcpy(memory, in.at, filled);
  memcpy(before, memory, length);

  memset(&abiContext, 0, sizeof abiContext);
  abiContext.host = &host;
  abiContext.memory = (Linear){memory, length};
  bool finished = import->call(slots);
  PROMISE(finished == (abiContext.fault.code == OM_OK),
          "a refusal has no error, or a call that finished has one");
  // conv2dLearn is made of others, channels after channels, and each of those checks for itself
  bool composed = strcmp(import->name, "conv2dLearn") == 0;
  if (!finished && !composed) {
    PROMISE(memcmp(before, memory, length) == 0, "a call that was refused has written");
  }
  free(memory);
  free(before);
  return 0;
}
