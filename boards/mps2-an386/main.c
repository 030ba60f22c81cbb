// mps2-an386: what the runtime needs of this board, from the boot block, UART0 and the linker script.
#include <string.h>

#include "boot_block.h"
#include "cpu.h"
#include "loop.h"
#include "samples.h"
#include "uart.h"

extern uint8_t __stack_start[], __stack_end[], __data_start[], __data_end[], __bss_start[], __bss_end[],
    __pool_start[], __pool_end[];

// STACK_RESERVE: what host functions and interrupts need below the deepest call of a module, and wasm3's compiler below the
// innermost block (`npm run bench:stack`)
enum { MODULE_STACK = 3584, STACK_RESERVE = 896 };

static void waitFor(uint32_t ms, bool outputPending) {
  cpuSleep(ms, outputPending ? uartHasWork : uartHasInput);
}

int main(void) {
  static BootBlock block;
  static Samples samples;
  static Sensor sensor;
  static Board board;
  static Fault fault;

  uartStart();
  cpuStart();
  bool found = bootBlockRead(&block);
  if (!found) uartPrint("octomote: no boot block at 0x21000000: load one (docs/protocol.md)\n", 67);
  Error error = OM_NO_SENSOR;
  if (block.samples != NULL) error = samplesOpen(&samples, block.samples, block.samplesBytes, &fault);
  sensor = samplesSensor(&samples);
  board = (Board){.id = block.id[0] != 0 ? block.id : "mps2-an386",
                  .name = "mps2-an386",
                  .module = block.module,
                  .moduleBytes = block.moduleBytes,
                  .sensor = error == OM_OK ? &sensor : NULL,
                  .pool = __pool_start,
                  .poolBytes = (size_t)(__pool_end - __pool_start),
                  .moduleStack = MODULE_STACK,
                  .stackBound = __stack_start + STACK_RESERVE,
                  .cStack = (uint32_t)(__stack_end - __stack_start),
                  .staticBytes = (uint32_t)((__data_end - __data_start) + (__bss_end - __bss_start)),
                  .autostart = block.autostart,
                  .seed = block.seed,
                  .bootNumber = cpuBootNumber(),
                  .maxStepsPerSecond = samples.perSecond,
                  .read = uartRead,
                  .write = uartWrite,
                  .millis = cpuMillis,
                  .wait = waitFor};
  loopInit(&board);
  if (block.samples != NULL && error != OM_OK) loopLog(0, fault.text);
  for (;;) loopOnce();
}
