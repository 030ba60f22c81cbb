// Text and exit through the debugger or emulator, for the bench variant.
#ifndef OM_MPS2_SEMIHOSTING_H
#define OM_MPS2_SEMIHOSTING_H

#include <stdint.h>

static inline uint32_t semihost(uint32_t operation, const void *argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static inline void semihostPrint(const char *text) { (void)semihost(0x04, text); }

static inline __attribute__((noreturn)) void semihostExit(uint32_t status) {
  const uint32_t block[2] = {0x20026, status}; // ADP_Stopped_ApplicationExit
  for (;;) (void)semihost(0x20, block);
}

#endif
