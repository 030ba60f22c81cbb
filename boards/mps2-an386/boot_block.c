// External RAM is loaded by the emulator before reset and never written here.
#include "boot_block.h"

#include <stddef.h>
#include <string.h>

#define BASE 0x21000000u
#define BYTES 0x01000000u

typedef struct Raw {
  uint32_t magic, version;
  char id[32];
  uint32_t module, moduleBytes, samples, samplesBytes, flags, seed;
} Raw;

_Static_assert(sizeof(Raw) == 64, "the boot block is 64 bytes");

static bool inside(uint32_t offset, uint32_t bytes) { return offset <= BYTES && bytes <= BYTES - offset; }

static const uint8_t *at(uint32_t offset, uint32_t bytes) {
  return bytes == 0 ? NULL : (const uint8_t *)(uintptr_t)(BASE + offset);
}

bool bootBlockRead(BootBlock *block) {
  Raw raw;
  memset(block, 0, sizeof *block);
  memcpy(&raw, (const void *)(uintptr_t)BASE, sizeof raw);
  if (raw.magic != 0x42424d4f || raw.version != 1) return false;
  if (!inside(raw.module, raw.moduleBytes) || !inside(raw.samples, raw.samplesBytes)) return false;
  memcpy(block->id, raw.id, sizeof raw.id);
  block->module = at(raw.module, raw.moduleBytes);
  block->moduleBytes = raw.moduleBytes;
  block->samples = at(raw.samples, raw.samplesBytes);
  block->samplesBytes = raw.samplesBytes;
  uint32_t end = raw.samples + raw.samplesBytes;
  if (raw.module + raw.moduleBytes > end) end = raw.module + raw.moduleBytes;
  end = end < sizeof raw ? sizeof raw : end;
  end = end > BYTES - 16 ? BYTES : (end + 15) & ~15u;
  block->rest = (uint8_t *)(uintptr_t)(BASE + end);
  block->restBytes = BYTES - end;
  block->autostart = (raw.flags & 1) != 0;
  block->seed = raw.seed;
  return true;
}
