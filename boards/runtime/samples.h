// A sensor that plays a sample file (docs/protocol.md, "Virtual devices") which lies in memory.
#ifndef OM_SAMPLES_H
#define OM_SAMPLES_H

#include "errors.h"
#include "hal.h"

typedef struct Samples {
  const uint8_t *first;
  uint32_t count, stride, position;
  uint32_t h, w, c;
  /** The greatest rate at which they are meant to be played, per second; 0: as fast as it goes. */
  uint32_t perSecond;
} Samples;

/** Reads the header; the file must stay where it is. Errors: no-sensor, with the reason as text. */
MUST_CHECK Error samplesOpen(Samples *samples, const uint8_t *file, size_t bytes, Fault *fault);

/** The sensor that plays `samples` in order, over and over. */
Sensor samplesSensor(Samples *samples);

#endif
