// A firmware for tests: loads the module that it finds in external RAM, calls its export `run` and tells over
// semihosting what each gave: `done result`, or `trap code`. The pool is external RAM, so that a large module fits.
#include "engine.h"
#include "pool.h"
#include "semihosting.h"

extern uint8_t __stack_start[];

enum {
  EXTERNAL = 0x21000000,
  POOL = EXTERNAL + 0x100000,
  POOL_BYTES = 0x800000,
  LINEAR = 65536,
  STACK = 8192,
  SPARE = 1024
};

static void printNumber(const char *what, uint32_t number) {
  char digits[10], *at = digits + sizeof digits - 1;
  *at = 0;
  // hexadecimal: no sign, no division
  do *--at = "0123456789abcdef"[number & 15];
  while ((number >>= 4) != 0);
  semihostPrint(what);
  semihostPrint(at);
  semihostPrint("\n");
}

/** Words at the start of external RAM: how many calls, how many bytes of module, then what `run` is called with; the module. */
int main(void) {
  static Fault fault;
  const uint32_t *head = (const uint32_t *)(uintptr_t)EXTERNAL;
  poolInit((void *)(uintptr_t)POOL, POOL_BYTES);
  if (engineLoad((const uint8_t *)(head + 2 + head[0]), head[1], NULL, 0, LINEAR, LINEAR, STACK, &fault) !=
      OM_OK) {
    semihostPrint(fault.text);
    semihostExit(1);
  }
  engineSetStackBound(__stack_start + SPARE);
  uint32_t run = engineFind("run", "i(i)");
  for (uint32_t i = 0; i < head[0]; i++) {
    int32_t result = 0;
    Error error = engineCall(run, (int32_t)head[2 + i], &result, &fault);
    if (error == OM_OK)
      printNumber("done ", (uint32_t)result);
    else
      printNumber("trap ", (uint32_t)error);
  }
  semihostExit(0);
}
