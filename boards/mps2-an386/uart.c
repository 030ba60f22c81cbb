// CMSDK APB UART: one byte of buffer in each direction.
#include "uart.h"

#include "cpu.h"

#define DATA REGISTER(0x40004000)
#define STATE REGISTER(0x40004004)
#define CONTROL REGISTER(0x40004008)
#define INTERRUPTS REGISTER(0x4000400c) // write to clear
#define DIVISOR REGISTER(0x40004010)
#define ENABLE_INTERRUPTS REGISTER(0xe000e100)

enum { TX_FULL = 1, RX_FULL = 2 };
enum { TX_ON = 1, RX_ON = 2, TX_INTERRUPT = 4, RX_INTERRUPT = 8 };

// a sender that is faster than the loop waits (in an emulator) or sends again (on a wire)
#define RING 256u

static volatile uint8_t ring[RING];
static volatile uint32_t ringIn, ringOut; // counts; the difference is what is held

void uartReceived(void) {
  INTERRUPTS = 2;
  while ((STATE & RX_FULL) != 0) {
    if (ringIn - ringOut == RING) {
      CONTROL &= ~(uint32_t)RX_INTERRUPT; // uartRead makes room and lets it on again
      return;
    }
    ring[ringIn % RING] = (uint8_t)DATA;
    ringIn++;
  }
}

void uartDrained(void) {
  // only wakes the core, once for each time that somebody waits
  INTERRUPTS = 1;
  CONTROL &= ~(uint32_t)TX_INTERRUPT;
}

void uartWakeWhenDrained(void) {
  __asm__ volatile("cpsid i" ::: "memory");
  CONTROL |= TX_INTERRUPT;
  __asm__ volatile("cpsie i" ::: "memory");
}

void uartStart(void) {
  DIVISOR = 217; // 115,200 baud at 25 MHz
  CONTROL = TX_ON | RX_ON | RX_INTERRUPT;
  ENABLE_INTERRUPTS = 3;
}

bool uartHasInput(void) { return ringIn != ringOut; }

bool uartHasWork(void) { return uartHasInput() || (STATE & TX_FULL) == 0; }

size_t uartRead(uint8_t *data, size_t bytes) {
  size_t n = 0;
  for (; n < bytes && ringIn != ringOut; n++) {
    data[n] = ring[ringOut % RING];
    ringOut++;
  }
  if ((CONTROL & RX_INTERRUPT) == 0) {
    __asm__ volatile("cpsid i" ::: "memory");
    CONTROL |= RX_INTERRUPT;
    uartReceived(); // what waited in the UART raises no interrupt again
    __asm__ volatile("cpsie i" ::: "memory");
  }
  return n;
}

size_t uartWrite(const uint8_t *data, size_t bytes) {
  size_t n = 0;
  while (n < bytes && (STATE & TX_FULL) == 0) DATA = data[n++];
  return n;
}

void uartPrint(const char *text, size_t bytes) {
  for (size_t n = 0; n < bytes;) n += uartWrite((const uint8_t *)text + n, bytes - n);
}
