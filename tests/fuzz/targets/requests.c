// Requests as a device carries them out, on a module that runs: payloads of arbitrary bytes, with steps between them.
#include "requests.h"

#include "board.h"
#include "fuzz.h"
#include "link.h"
#include "loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  Input in = {data, data + bytes};
  boardNow = 0;
  loopInit(fuzzBoard());
  while (inputLeft(&in) > 0) {
    size_t length;
    uint8_t *payload = inputBlock(&in, inputU16(&in) % (LINK_MAX_PAYLOAD + 1), &length);
    uint8_t *room = malloc(LINK_MAX_ANSWER);
    CborWriter answer = {room, LINK_MAX_ANSWER, 0, false};
    if (requestHandle(payload, (uint32_t)length, &answer)) {
      PROMISE(!answer.full && answer.length <= LINK_MAX_ANSWER, "an answer is too long for the link");
      CborReader r = {room, room + answer.length, false};
      cborSkip(&r);
      PROMISE(!r.bad && r.at == r.end, "an answer is not one CBOR item");
    }
    free(payload);
    free(room);
    boardNow += 500;
    loopOnce();
  }
  abiUnload();
  return 0;
}
