// Where a batch of calls comes from, where its memory lies, and where its words go.
#ifndef OM_BATCH_HOST_H
#define OM_BATCH_HOST_H

#if defined(__arm__)

#include "semihosting.h"

/** The start of external RAM, where the emulator puts a file, and the end of it, where a memory that the pool cannot hold lies. */
#define BATCH_INPUT 0x21000000u
#define BATCH_END 0x22000000u

/** The pool, which no engine uses here. */
extern uint8_t __pool_start[];

static inline const uint8_t *batchInput(int argc, char **argv) {
  (void)argc;
  (void)argv;
  return (const uint8_t *)(uintptr_t)BATCH_INPUT;
}

static inline uint8_t *batchMemory(uint32_t bytes) {
  return bytes <= 65536 ? __pool_start : (uint8_t *)(uintptr_t)(BATCH_END - bytes);
}

static inline void batchPrint(const char *text) { semihostPrint(text); }

static inline __attribute__((noreturn)) void batchExit(uint32_t status) { semihostExit(status); }

#else

#include <stdio.h>
#include <stdlib.h>

AbiContext abiContext;

/** The file that the command line names. */
static inline const uint8_t *batchInput(int argc, char **argv) {
  FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (file == NULL) exit(2);
  fseek(file, 0, SEEK_END);
  size_t bytes = (size_t)ftell(file);
  rewind(file);
  uint8_t *input = malloc(bytes);
  if (input == NULL || fread(input, 1, bytes, file) != bytes) exit(2);
  fclose(file);
  return input;
}

static inline uint8_t *batchMemory(uint32_t bytes) { return aligned_alloc(16, bytes); }

static inline void batchPrint(const char *text) { fputs(text, stdout); }

static inline __attribute__((noreturn)) void batchExit(uint32_t status) {
  fflush(stdout);
  _Exit((int)status);
}

#endif

#endif
