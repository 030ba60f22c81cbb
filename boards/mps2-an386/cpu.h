// The core's own devices: time, sleep, reset; and the handlers that the vector table names.
#ifndef OM_MPS2_CPU_H
#define OM_MPS2_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define INTERRUPT_STATE REGISTER(0xe000ed04)
#define FAULT_STATUS REGISTER(0xe000ed28)
#define STACK_PAINT 0xa5a5a5a5u

/** Starts the clock. */
void cpuStart(void);

/** Milliseconds since the start. */
uint64_t cpuMillis(void);

/** Sleeps until `ready` says so after an interrupt, or `ms` have passed (in steps of the tick, 20 ms). */
void cpuSleep(uint32_t ms, bool (*ready)(void));

/** A number that is another one after each reset. */
uint32_t cpuBootNumber(void);

/** Paints the C stack below the caller, so that the deepest use from here on can be read. */
void cpuPaintStack(void);

/** Bytes of the C stack that were used since it was painted. */
uint32_t cpuStackUsed(void);

__attribute__((noreturn)) void cpuReset(void);

/** Prints a line on the UART and resets. */
__attribute__((noreturn)) void cpuPanic(const char *what, uint32_t a, uint32_t b);

void cpuTick(void);
void uartReceived(void);
void uartDrained(void);

#endif
