// UART0 (CMSDK), the link's bytes. Received by interrupt into a ring; when the ring is full, bytes stay in the UART.
#ifndef OM_MPS2_UART_H
#define OM_MPS2_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void uartStart(void);
size_t uartRead(uint8_t *data, size_t bytes);
size_t uartWrite(const uint8_t *data, size_t bytes);

/** Whether bytes have arrived. */
bool uartHasInput(void);

/** Whether bytes have arrived or the transmitter has room. */
bool uartHasWork(void);

/** Lets the transmitter wake the core when it has room. */
void uartWakeWhenDrained(void);

/** Sends all of it, waiting for room. */
void uartPrint(const char *text, size_t bytes);

#endif
