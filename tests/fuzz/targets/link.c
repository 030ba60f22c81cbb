// The device's end of the link: arbitrary bytes, valid frames with arbitrary content, time, streams and a port that
// takes little, in any order. What leaves must be whole valid frames.
#include "link.h"

#include "cobs.h"
#include "crc32c.h"
#include "fuzz.h"

enum { RAW, FRAME, TIME, ROOM, STREAM, RECONNECT, OPERATIONS };
enum { OVERHEAD = 9, MOST_SENT = 1 << 16 };

static size_t room;
static uint8_t sent[OVERHEAD + LINK_MAX_PAYLOAD];
static CobsDecoder decoder;
static uint8_t epoch;
static uint32_t inFrame;

static void hello(CborWriter *w, uint32_t number, uint32_t count) {
  (void)count;
  cborMap(w, 1);
  cborInt(w, 1);
  cborInt(w, number);
}

static bool tellState(CborWriter *w) {
  cborMap(w, 0);
  return true;
}

/** Answers with what was asked: arbitrary lengths up to and beyond what an answer may have. */
static bool request(const uint8_t *payload, uint32_t bytes, CborWriter *answer) {
  PROMISE(bytes <= LINK_MAX_PAYLOAD, "a payload is longer than a frame can carry");
  if (bytes > 0 && payload[0] == 0xff) return false;
  cborBytes(answer, payload, bytes);
  return true;
}

static size_t take(const uint8_t *data, size_t bytes) {
  PROMISE(bytes > 0, "nothing is handed to the port");
  size_t taken = bytes < room ? bytes : room;
  room -= taken;
  for (size_t i = 0; i < taken; i++) {
    if (data[i] != 0) {
      cobsTake(&decoder, data[i]);
      inFrame++;
      continue;
    }
    if (inFrame > 0) {
      PROMISE(cobsComplete(&decoder), "a frame is sent that is no COBS");
      PROMISE(decoder.length >= OVERHEAD, "a frame is sent without header and checksum");
      uint32_t crc = 0;
      memcpy(&crc, sent + decoder.length - 4, 4);
      PROMISE(crc == crc32c(0, sent, decoder.length - 4), "a frame is sent with a wrong checksum");
      epoch = sent[2] >> 4;
    }
    cobsStart(&decoder, sent, sizeof sent);
    inFrame = 0;
  }
  return taken;
}

/** A valid frame of the current epoch (or of another, as the input says) around a payload. */
static void receiveFrame(Input *in, uint64_t now) {
  uint8_t type = inputByte(in), flags = inputByte(in);
  uint32_t sequence = inputU16(in);
  size_t bytes;
  uint8_t *payload = inputBlock(in, inputU16(in) % (LINK_MAX_PAYLOAD + 16), &bytes);
  size_t length = OVERHEAD + bytes;
  uint8_t *frame = malloc(length);
  uint8_t *wire = malloc(length + COBS_OVERHEAD(length) + 1);
  frame[0] = 1;
  frame[1] = type;
  frame[2] = (uint8_t)((flags & 0x80 ? flags >> 3 : epoch) << 4 | (flags & 7));
  frame[3] = (uint8_t)sequence;
  frame[4] = (uint8_t)(sequence >> 8);
  if (bytes > 0) memcpy(frame + 5, payload, bytes);
  uint32_t crc = crc32c(0, frame, length - 4);
  memcpy(frame + length - 4, &crc, 4);
  size_t encoded = cobsEncode(frame, length, wire);
  wire[encoded] = 0;
  linkReceive(wire, encoded + 1, now);
  free(payload);
  free(frame);
  free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static const LinkUser user = {hello, tellState, request, take};
  Input in = {data, data + bytes};
  uint64_t now = 0;
  room = MOST_SENT;
  inFrame = 0;
  epoch = 7;
  cobsStart(&decoder, sent, sizeof sent);
  linkInit(&user, 7, now);
  while (inputLeft(&in) > 0) {
    uint8_t operation = inputByte(&in) % OPERATIONS;
    if (operation == RAW) {
      size_t length;
      uint8_t *block = inputBlock(&in, inputU16(&in) % 2048, &length);
      linkReceive(block, length, now);
      free(block);
    }
    if (operation == FRAME) receiveFrame(&in, now);
    if (operation == TIME) now += inputU16(&in);
    if (operation == ROOM) room = inputU16(&in);
    if (operation == STREAM) {
      uint8_t head[8] = {0};
      size_t length;
      uint8_t type = inputByte(&in);
      uint32_t headBytes = inputByte(&in) % (sizeof head + 1);
      uint8_t *block = inputBlock(&in, inputU16(&in) % 1200, &length);
      bool queued = linkStream(type, head, headBytes, block, (uint32_t)length);
      PROMISE(queued == (headBytes + length <= LINK_MAX_PAYLOAD), "a stream frame that fits is refused");
      free(block);
    }
    if (operation == RECONNECT) {
      // the far side sees the wire anew
      cobsStart(&decoder, sent, sizeof sent);
      inFrame = 0;
      linkReset(now);
    }
    PROMISE(linkSend(now) <= 1000, "the link sleeps for longer than a second");
  }
  return 0;
}
