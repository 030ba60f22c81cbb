// CRC-32C (Castagnoli), reflected, init and xorout 0xFFFFFFFF: the check value of link frames.
#ifndef OM_CRC32C_H
#define OM_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/** The CRC of `bytes` bytes that follow those that gave `crc`; start with 0. */
uint32_t crc32c(uint32_t crc, const uint8_t *data, size_t bytes);

#endif
