// Intrinsic 67: the check value of SGQ's frames.
#include "check.h"
#include "intrinsics.h"

Error sgqCrc16(const Linear *memory, uint32_t at, int32_t n, int32_t crc, int32_t *result, Fault *fault) {
  Check check = checkStart(memory, FN_SGQ_CRC16, fault);
  checkCount(&check, n);
  checkPointer(&check, at, (uint64_t)n, 1);
  if (check.error != OM_OK) return check.error;

  uint32_t value = (uint32_t)crc & 0xffff;
  for (const uint8_t *byte = memory->base + at, *end = byte + n; byte < end; byte++) {
    uint32_t top = value >> 8 ^ *byte;
    top ^= top >> 4;
    value = (value << 8 ^ top << 12 ^ top << 5 ^ top) & 0xffff;
  }
  *result = (int32_t)value;
  return OM_OK;
}
