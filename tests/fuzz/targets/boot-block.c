// The boot block of mps2-an386, at the address where the emulator loads it: whatever it says, module and samples lie in
// external RAM.
#define _GNU_SOURCE
#include "boot_block.h"

#include <sys/mman.h>

#include "fuzz.h"
#include "samples.h"

enum { BYTES = 16 << 20 };

static uint8_t *externalRam(void) {
  static uint8_t *ram;
  if (ram != NULL) return ram;
  void *want = (void *)(uintptr_t)0x21000000u;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  ram = mmap(want, BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
  PROMISE(ram == want, "there is no room at the address of external RAM");
  return ram;
}

/** Whether a part is absent, or all of it in external RAM. */
static bool inside(const uint8_t *ram, const uint8_t *part, uint32_t bytes) {
  if (part == NULL) return bytes == 0;
  return part >= ram && bytes <= BYTES && part <= ram + BYTES - bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  uint8_t *ram = externalRam();
  size_t length = bytes < BYTES ? bytes : BYTES;
  memcpy(ram, data, length);
  BootBlock block;
  if (bootBlockRead(&block)) {
    PROMISE(memchr(block.id, 0, sizeof block.id) != NULL, "the device's id has no end");
    PROMISE(inside(ram, block.module, block.moduleBytes), "the module is outside external RAM");
    PROMISE(inside(ram, block.samples, block.samplesBytes), "the samples are outside external RAM");
    Samples samples;
    Fault fault;
    SensorFrame frame;
    if (samplesOpen(&samples, block.samples, block.samplesBytes, &fault) == OM_OK) {
      Sensor sensor = samplesSensor(&samples);
      PROMISE(sensor.next(sensor.self, &frame), "a sample file ends");
      size_t pixels = (size_t)frame.h * frame.w * frame.c;
      PROMISE(inside(ram, (const uint8_t *)frame.data, (uint32_t)pixels), "a sample is outside external RAM");
    }
  }
  memset(ram, 0, length);
  return 0;
}
