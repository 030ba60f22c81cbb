// What the targets share: reading an input piece by piece, and ending with a sentence when a promise is broken.
#ifndef OM_FUZZ_H
#define OM_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/** Ends the process, as a sanitizer would, when a promise is broken. */
#define PROMISE(condition, sentence)                                                                         \
  do {                                                                                                       \
    if (!(condition)) {                                                                                      \
      fprintf(stderr, "broken promise, %s:%d: %s\n", __FILE__, __LINE__, sentence);                          \
      abort();                                                                                               \
    }                                                                                                        \
  } while (0)

/** What is left of an input; past its end everything reads as zero. */
typedef struct Input {
  const uint8_t *at, *end;
} Input;

static inline size_t inputLeft(const Input *in) { return (size_t)(in->end - in->at); }

static inline uint8_t inputByte(Input *in) { return in->at < in->end ? *in->at++ : 0; }

static inline uint32_t inputU16(Input *in) {
  uint32_t low = inputByte(in);
  return low | (uint32_t)inputByte(in) << 8;
}

static inline uint32_t inputU32(Input *in) {
  uint32_t low = inputU16(in);
  return low | inputU16(in) << 16;
}

/** Takes at most `most` bytes into a block of exactly their size, so that a sanitizer sees the first byte beyond. */
static inline uint8_t *inputBlock(Input *in, size_t most, size_t *bytes) {
  *bytes = inputLeft(in) < most ? inputLeft(in) : most;
  uint8_t *block = malloc(*bytes);
  PROMISE(block != NULL || *bytes == 0, "the target itself is out of memory");
  if (*bytes > 0) memcpy(block, in->at, *bytes);
  in->at += *bytes;
  return block;
}

#endif
