// Sample files: what is accepted can be played round and round without a byte outside the file.
#include "samples.h"

#include "fuzz.h"

enum { MOST_FRAMES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  Input in = {data, data + bytes};
  size_t length;
  uint8_t *file = inputBlock(&in, bytes, &length);
  Samples samples;
  Fault fault;
  Error error = samplesOpen(&samples, file, length, &fault);
  Sensor sensor = samplesSensor(&samples);
  PROMISE(sensor.ready(sensor.self) == (error == OM_OK),
          "a refused file has samples, or an accepted one none");
  if (error != OM_OK) PROMISE(fault.text[0] != 0, "a refusal does not say why");
  for (uint32_t i = 0; error == OM_OK && i < MOST_FRAMES; i++) {
    SensorFrame frame;
    PROMISE(sensor.next(sensor.self, &frame), "a sample file ends");
    PROMISE(frame.label >= -1 && frame.label < 255, "a label is out of range");
    size_t pixels = (size_t)frame.h * frame.w * frame.c;
    // both ends suffice: what lies between them is inside if they are
    volatile int8_t first = frame.data[0], last = frame.data[pixels - 1];
    (void)first;
    (void)last;
  }
  free(file);
  return 0;
}
