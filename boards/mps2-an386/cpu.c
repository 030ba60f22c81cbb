// SysTick as the clock, WFI to sleep, the system control block to reset.
#include "cpu.h"

#include "uart.h"

enum { CLOCK_HZ = 25000000, TICK_MS = 20, TICKS = CLOCK_HZ / 1000 * TICK_MS };

#define SYSTICK_CONTROL REGISTER(0xe000e010)
#define SYSTICK_RELOAD REGISTER(0xe000e014)
#define SYSTICK_VALUE REGISTER(0xe000e018)
#define RESET_CONTROL REGISTER(0xe000ed0c)

extern uint32_t __stack_start[], __stack_end[];

static volatile uint32_t ticks;

// survives a reset, so that the far side of the link notices one
static __attribute__((section(".noinit"))) uint32_t bootNumber;

void cpuTick(void) { ticks++; }

void cpuStart(void) {
  bootNumber++;
  SYSTICK_RELOAD = TICKS - 1;
  SYSTICK_VALUE = 0;
  SYSTICK_CONTROL = 7; // the core's clock, with interrupt
  __asm__ volatile("cpsie i" ::: "memory");
}

uint64_t cpuMillis(void) {
  uint32_t before, value;
  do {
    before = ticks;
    value = SYSTICK_VALUE;
  } while (before != ticks);
  return (uint64_t)before * TICK_MS + (TICKS - 1 - value) / (CLOCK_HZ / 1000);
}

void cpuSleep(uint32_t ms, bool (*ready)(void)) {
  uint64_t end = cpuMillis() + ms;
  while (cpuMillis() < end) {
    // with interrupts held back nothing can arrive between the question and the sleep; WFI wakes all the same
    __asm__ volatile("cpsid i" ::: "memory");
    bool done = ready();
    if (!done) __asm__ volatile("dsb\n wfi" ::: "memory");
    __asm__ volatile("cpsie i\n isb" ::: "memory");
    if (done) return;
  }
}

uint32_t cpuBootNumber(void) { return bootNumber & 0xffffff; }

// the paint may itself be a call, which needs a little below this frame
__attribute__((noinline)) void cpuPaintStack(void) {
  uint32_t *here = (uint32_t *)__builtin_frame_address(0) - 16;
  for (uint32_t *at = __stack_start; at < here; at++) *at = STACK_PAINT;
}

uint32_t cpuStackUsed(void) {
  const uint32_t *at = __stack_start;
  while (at < __stack_end && *at == STACK_PAINT) at++;
  return (uint32_t)((const char *)__stack_end - (const char *)at);
}

void cpuReset(void) {
  __asm__ volatile("dsb" ::: "memory");
  RESET_CONTROL = 0x05fa0004;
  for (;;) __asm__ volatile("dsb\n wfi");
}

static void printHex(uint32_t value) {
  for (int32_t shift = 28; shift >= 0; shift -= 4) {
    char digit = "0123456789abcdef"[value >> shift & 15];
    uartPrint(&digit, 1);
  }
}

void cpuPanic(const char *what, uint32_t a, uint32_t b) {
  // a zero first: it ends whatever frame was being sent, so that this arrives as text
  uartPrint("\0octomote: ", 11);
  while (*what != 0) uartPrint(what++, 1);
  uartPrint(" ", 1);
  printHex(a);
  uartPrint(" ", 1);
  printHex(b);
  uartPrint("\n\0", 2);
  cpuReset();
}
