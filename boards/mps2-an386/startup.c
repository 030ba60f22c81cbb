// From reset to main: vector table, static data, and what happens on a fault.
#include <stdint.h>
#include <string.h>

#include "cpu.h"

extern uint32_t __stack_start[], __stack_end[], __data_start[], __data_end[], __data_load[], __bss_start[],
    __bss_end[];
int main(void);

__attribute__((noreturn, used)) void reset(void) {
  cpuPaintStack();
  memcpy(__data_start, __data_load, (size_t)((char *)__data_end - (char *)__data_start));
  memset(__bss_start, 0, (size_t)((char *)__bss_end - (char *)__bss_start));
  main();
  cpuReset();
}

/** Stacked registers of the code that was interrupted. */
__attribute__((used)) void faultReport(const uint32_t *frame) {
  bool inRam = frame >= __stack_start && frame + 8 <= __stack_end;
  cpuPanic("fault", inRam ? frame[6] : 0, FAULT_STATUS);
}

static __attribute__((naked)) void fault(void) {
  // a fault on an exhausted stack has nowhere to push to: begin again at its top
  __asm__ volatile("mrs r0, msp\n"
                   "ldr r1, =__stack_end\n"
                   "mov sp, r1\n"
                   "b faultReport\n");
}

static void unexpected(void) { cpuPanic("unexpected interrupt", INTERRUPT_STATE & 0x1ff, 0); }

// Cortex-M4: initial stack pointer, 15 exceptions, then interrupts 0 (UART0 receives) and 1 (UART0 has room)
__attribute__((section(".vectors"), used)) static const void *const vectors[16 + 32] = {
    __stack_end,  reset,       fault,      fault,      fault,      fault,      fault,      unexpected,
    unexpected,   unexpected,  unexpected, unexpected, unexpected, unexpected, unexpected, cpuTick,
    uartReceived, uartDrained, unexpected, unexpected, unexpected, unexpected, unexpected, unexpected,
    unexpected,   unexpected,  unexpected, unexpected, unexpected, unexpected, unexpected, unexpected,
    unexpected,   unexpected,  unexpected, unexpected, unexpected, unexpected, unexpected, unexpected,
    unexpected,   unexpected,  unexpected, unexpected, unexpected, unexpected, unexpected, unexpected,
};
