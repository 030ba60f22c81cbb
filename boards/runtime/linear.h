// Linear memory as host functions and intrinsics see it: offsets of the module's, checked in 64 bits, and
// little-endian fields at any alignment.
#ifndef OM_LINEAR_H
#define OM_LINEAR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "linear memory is used in place: the board must be little-endian"
#endif

typedef struct Linear {
  uint8_t *base;   // on a 16-byte boundary
  uint32_t length; // bytes that pointers may reach: the module's limit, at most the real length
} Linear;

/** Whether [at, at + bytes) lies inside. */
static inline bool linearHas(const Linear *memory, uint32_t at, uint64_t bytes) {
  return (uint64_t)at + bytes <= memory->length;
}

static inline int32_t loadI32(const Linear *memory, uint32_t at) {
  int32_t value;
  memcpy(&value, memory->base + at, sizeof value);
  return value;
}

static inline void storeI32(const Linear *memory, uint32_t at, int32_t value) {
  memcpy(memory->base + at, &value, sizeof value);
}

#endif
