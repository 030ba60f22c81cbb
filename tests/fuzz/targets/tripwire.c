// A target with a fault on purpose: shows that a finding ends a run, is kept and can be told again.
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  Input in = {data, data + bytes};
  size_t length;
  uint8_t *block = inputBlock(&in, 4, &length);
  volatile uint8_t beyond = length == 4 && block[0] == 'O' ? block[length] : 0;
  (void)beyond;
  free(block);
  return 0;
}
