// Every error that firmware and modules can raise, by the numbers of docs/errors.md. Functions that can fail
// return an Error and are marked MUST_CHECK; what belongs to it (where, got, want) goes into a Fault.
#ifndef OM_ERRORS_H
#define OM_ERRORS_H

#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))

typedef enum Error {
  OM_OK = 0,

  // argument checks of intrinsics; `where` is the intrinsic's number
  OM_BAD_STRUCT = 1,
  OM_BAD_SHAPE = 2,
  OM_BAD_WINDOW = 3,
  OM_ACCUMULATOR = 4,
  OM_BAD_QUANTISATION = 5,
  OM_SCRATCH_SMALL = 6,
  OM_MISALIGNED = 7,
  OM_OUT_OF_RANGE = 8,
  OM_OVERLAP = 9,

  // 20 to 39 are raised by modules (assembly/device/errors.ts); this one by the firmware too, `where` a word of the header
  OM_STATE_MISMATCH = 28,

  // engine and module; `where` is an import's index or an Export
  OM_UNKNOWN_IMPORT = 40,
  OM_BAD_MODULE = 41,
  OM_OUT_OF_MEMORY = 42,
  OM_UNREACHABLE = 43,
  OM_MEMORY_ACCESS = 44,
  OM_DIVIDE_BY_ZERO = 45,
  OM_INTEGER_OVERFLOW = 46,
  OM_STACK_OVERFLOW = 47,
  OM_BAD_INDIRECT_CALL = 48,
  OM_TRAP = 49,
  OM_MISSING_EXPORT = 50,
  OM_ABI_VERSION = 51,
  OM_MEMORY_NOT_FIXED = 52,
  OM_BAD_CONFIG = 53,
  OM_COMPILE = 54,
  OM_START_SECTION = 55,
  OM_BAD_IMPORT_TYPE = 56,

  // requests
  OM_UNKNOWN_VERB = 60,
  OM_BAD_REQUEST = 61,
  OM_NOT_LOADED = 62,
  OM_NO_REGION = 63,
  OM_BAD_RANGE = 64,
  OM_NO_INBOX = 65,
  OM_MESSAGE_TOO_LONG = 66,
  OM_NO_MODULE = 67,
  OM_TOO_MANY_PARAMS = 68,
  OM_NO_SENSOR = 69,
  OM_STATE_TORN = 70,
} Error;

#define FAULT_TEXT 80

/** An error with its numbers; `text` says more where numbers do not, and is empty otherwise. */
typedef struct Fault {
  int32_t code, where, got, want;
  char text[FAULT_TEXT];
} Fault;

/** Fills `fault` (its text becomes empty) and returns the code, so that callers can write `return faultSet(…)`. */
static inline Error faultSet(Fault *fault, int32_t code, int32_t where, int32_t got, int32_t want) {
  fault->code = code;
  fault->where = where;
  fault->got = got;
  fault->want = want;
  fault->text[0] = 0;
  return (Error)code;
}

/** Appends to the fault's text as much as fits. */
static inline void faultText(Fault *fault, const char *text) {
  uint32_t at = 0;
  while (fault->text[at] != 0) at++;
  while (*text != 0 && at < FAULT_TEXT - 1) fault->text[at++] = *text++;
  fault->text[at] = 0;
}

#endif
