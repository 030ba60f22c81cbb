// The boot block at the start of external RAM: who the device is, its module and its samples (docs/protocol.md).
#ifndef OM_MPS2_BOOT_BLOCK_H
#define OM_MPS2_BOOT_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct BootBlock {
  char id[33];
  const uint8_t *module, *samples; // NULL where absent
  uint32_t moduleBytes, samplesBytes;
  bool autostart;
  uint32_t seed;
  uint8_t *rest; // what external RAM has left behind both
  uint32_t restBytes;
} BootBlock;

/** Reads the boot block; false if there is none, or if it points outside external RAM. */
bool bootBlockRead(BootBlock *block);

#endif
