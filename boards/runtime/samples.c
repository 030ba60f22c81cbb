// Sample files: 32 bytes of header, then samples of one stride; played where they lie, never copied.
#include "samples.h"

#include <string.h>

enum { HEADER = 32, SAMPLE_HEADER = 4, HELD_OUT = 1, NO_LABEL = 255 };

static uint32_t u16At(const uint8_t *at) { return (uint32_t)at[0] | (uint32_t)at[1] << 8; }

static uint32_t u32At(const uint8_t *at) { return u16At(at) | u16At(at + 2) << 16; }

static Error refuse(Fault *fault, const char *why, uint32_t got, uint32_t want) {
  faultSet(fault, OM_NO_SENSOR, 0, (int32_t)got, (int32_t)want);
  faultText(fault, "sample file: ");
  faultText(fault, why);
  return OM_NO_SENSOR;
}

Error samplesOpen(Samples *samples, const uint8_t *file, size_t bytes, Fault *fault) {
  memset(samples, 0, sizeof *samples);
  if (bytes < HEADER) return refuse(fault, "shorter than its header", (uint32_t)bytes, HEADER);
  if (memcmp(file, "OMSF", 4) != 0) return refuse(fault, "no OMSF at its start", u32At(file), 0x46534d4f);
  if (u16At(file + 4) != 1) return refuse(fault, "unknown version", u16At(file + 4), 1);
  uint32_t count = u32At(file + 8), stride = u32At(file + 20);
  uint32_t h = u16At(file + 12), w = u16At(file + 14), c = u16At(file + 16);
  uint64_t pixels = (uint64_t)h * w * c;
  if (count == 0 || pixels == 0) return refuse(fault, "empty", count, 1);
  if (stride % 4 != 0 || stride < pixels + SAMPLE_HEADER) {
    return refuse(fault, "stride too small or not a multiple of 4", stride,
                  (uint32_t)(pixels + SAMPLE_HEADER));
  }
  if ((uint64_t)count * stride + HEADER > bytes) {
    return refuse(fault, "fewer samples than its header says", (uint32_t)((bytes - HEADER) / stride), count);
  }
  *samples = (Samples){file + HEADER, count, stride, 0, h, w, c, u32At(file + 24)};
  return OM_OK;
}

static bool ready(void *self) { return ((Samples *)self)->count > 0; }

static bool next(void *self, SensorFrame *frame) {
  Samples *samples = self;
  if (samples->count == 0) return false;
  const uint8_t *sample = samples->first + (size_t)samples->position * samples->stride;
  samples->position = samples->position + 1 == samples->count ? 0 : samples->position + 1;
  frame->data = (const int8_t *)(sample + SAMPLE_HEADER);
  frame->h = samples->h;
  frame->w = samples->w;
  frame->c = samples->c;
  frame->label = sample[0] == NO_LABEL ? -1 : sample[0];
  frame->heldOut = (sample[1] & HELD_OUT) != 0;
  return true;
}

static void rewindSamples(void *self) { ((Samples *)self)->position = 0; }

Sensor samplesSensor(Samples *samples) { return (Sensor){samples, ready, next, rewindSamples}; }
