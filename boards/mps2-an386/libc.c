// The few things that newlib asks of a system. Nothing allocates outside the pool and nothing prints.
#include <errno.h>
#include <stddef.h>

#include "cpu.h"

void *_sbrk(ptrdiff_t increment) {
  (void)increment;
  errno = ENOMEM;
  return (void *)-1;
}

void abort(void) { cpuPanic("abort", (uint32_t)(uintptr_t)__builtin_return_address(0), 0); }
