// Frames in and out, one at a time: what arrives is decoded in place and answered at once; what leaves is encoded into
// one buffer, in this order: acknowledgement, hello, answers, state, streams.
#include "link.h"

#include <string.h>

#include "cobs.h"
#include "crc32c.h"

enum {
  ACK = 0x01,
  HELLO_REQUEST = 0x02,
  HELLO = 0x03,
  WELCOME = 0x04,
  STATE = 0x10,
  REQUEST = 0x20,
  RESPONSE = 0x21
};
enum { VERSION = 1, HEADER = 5, CRC = 4, RELIABLE = 1 };
enum { SLOTS = 2, FIRST_RESEND_MS = 250, MAX_RESEND_MS = 2000, MAX_TRIES = 10 };
enum { HELLO_MS = 500, STATE_MS = 100, IDLE_MS = 1000 };

#define MAX_FRAME (HEADER + LINK_MAX_PAYLOAD + CRC)
// a frame is built here and encoded towards the start of the buffer, behind a delimiter
#define RAW (1 + COBS_OVERHEAD(MAX_FRAME))
// one stream frame of full size, or a few small ones
#define QUEUE_BYTES 1088u

typedef struct Answer {
  uint16_t sequence, bytes;
  uint8_t payload[LINK_MAX_ANSWER];
} Answer;

static struct {
  const LinkUser *user;
  LinkCounts counts;

  uint8_t in[MAX_FRAME];
  CobsDecoder decoder;

  uint8_t out[RAW + MAX_FRAME + 1];
  size_t outLength, outSent;

  uint32_t epoch;
  uint32_t hellos; // sent in this epoch
  bool up, helloDue, ackDue;
  uint64_t helloAt, stateAt; // not before
  uint16_t expected;         // next reliable frame from the host
  uint16_t nextSequence;     // of the next answer
  uint16_t streamSequence;

  // answers that wait for their acknowledgement: the oldest first; `sent` of them have gone out since the last resend
  Answer answers[SLOTS];
  uint32_t firstAnswer, answerCount, answersSent;
  uint32_t tries, resendMs;
  uint64_t resendAt;

  // stream frames: type, length (2 bytes), payload; a ring
  uint8_t queue[QUEUE_BYTES];
  uint32_t queueStart, queueUsed;
} state;

static void startEpoch(uint64_t now) {
  state.up = false;
  state.helloDue = true;
  state.helloAt = now;
  state.hellos = 0;
  state.ackDue = false;
  state.expected = 0;
  state.nextSequence = 0;
  state.streamSequence = 0;
  state.answerCount = state.answersSent = 0;
  state.tries = 0;
  state.resendMs = FIRST_RESEND_MS;
}

void linkInit(const LinkUser *user, uint32_t bootNumber, uint64_t now) {
  memset(&state, 0, sizeof state);
  state.user = user;
  state.epoch = bootNumber;
  cobsStart(&state.decoder, state.in, sizeof state.in);
  startEpoch(now);
}

void linkReset(uint64_t now) {
  state.epoch++;
  state.outLength = state.outSent = 0;
  cobsStart(&state.decoder, state.in, sizeof state.in);
  startEpoch(now);
}

LinkCounts linkCounts(void) { return state.counts; }

bool linkPending(void) { return state.outSent < state.outLength; }

// ---- in

static void takeWelcome(const uint8_t *payload, uint32_t bytes) {
  CborReader r = {payload, payload + bytes, false};
  uint32_t pairs = cborReadMap(&r);
  for (uint32_t i = 0; i < pairs && !r.bad; i++) {
    if (cborReadInt(&r) != 0) {
      cborSkip(&r);
    } else if (cborReadInt(&r) == (int64_t)state.epoch && !r.bad) {
      state.up = true;
      state.helloDue = false;
    }
  }
}

static void takeAck(uint16_t sequence, uint64_t now) {
  uint16_t oldest = (uint16_t)(state.nextSequence - state.answerCount);
  uint16_t done = (uint16_t)(sequence - oldest + 1);
  if (done == 0 || done > state.answersSent) return;
  state.firstAnswer = (state.firstAnswer + done) % SLOTS;
  state.answerCount -= done;
  state.answersSent -= done;
  state.tries = 0;
  state.resendMs = FIRST_RESEND_MS;
  state.resendAt = now + state.resendMs;
}

static void takeRequest(uint16_t sequence, const uint8_t *payload, uint32_t bytes) {
  if (sequence != state.expected) {
    state.ackDue = true;
    return;
  }
  // without room for the answer the request is not taken: the host sends it again
  if (state.answerCount == SLOTS) return;
  state.expected++;
  state.ackDue = true;
  Answer *answer = &state.answers[(state.firstAnswer + state.answerCount) % SLOTS];
  CborWriter w = {answer->payload, sizeof answer->payload, 0, false};
  if (!state.user->request(payload, bytes, &w) || w.full) return;
  answer->sequence = state.nextSequence++;
  answer->bytes = (uint16_t)w.length;
  state.answerCount++;
}

static uint32_t load32(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void takeFrame(const uint8_t *frame, size_t bytes, uint64_t now) {
  if (bytes < HEADER + CRC || frame[0] != VERSION ||
      crc32c(0, frame, bytes - CRC) != load32(frame + bytes - CRC)) {
    state.counts.badFrames++;
    return;
  }
  uint8_t type = frame[1];
  uint16_t sequence = (uint16_t)(frame[3] | frame[4] << 8);
  const uint8_t *payload = frame + HEADER;
  uint32_t length = (uint32_t)(bytes - HEADER - CRC);
  if (type == HELLO_REQUEST) {
    if (state.up) {
      state.epoch++;
      startEpoch(now);
    }
    state.helloAt = now;
    return;
  }
  if (frame[2] >> 4 != (state.epoch & 15)) return;
  if (type == WELCOME) takeWelcome(payload, length);
  if (!state.up) return;
  if (type == ACK) takeAck(sequence, now);
  if (type == REQUEST && (frame[2] & RELIABLE) != 0) takeRequest(sequence, payload, length);
}

void linkReceive(const uint8_t *data, size_t bytes, uint64_t now) {
  for (size_t i = 0; i < bytes; i++) {
    if (data[i] != 0) {
      cobsTake(&state.decoder, data[i]);
      continue;
    }
    if (cobsComplete(&state.decoder)) {
      takeFrame(state.in, state.decoder.length, now);
    } else if (state.decoder.started) {
      state.counts.badFrames++;
    }
    cobsStart(&state.decoder, state.in, sizeof state.in);
  }
}

// ---- out

// where a frame's payload is written; only while the output buffer is empty
#define PAYLOAD (state.out + RAW + HEADER)

/** Encodes a frame into the output buffer, which must be empty. */
static void encode(uint8_t type, bool reliable, uint16_t sequence, const uint8_t *payload, uint32_t bytes) {
  uint8_t *raw = state.out + RAW;
  raw[0] = VERSION;
  raw[1] = type;
  raw[2] = (uint8_t)((state.epoch & 15) << 4 | (reliable ? RELIABLE : 0));
  raw[3] = (uint8_t)sequence;
  raw[4] = (uint8_t)(sequence >> 8);
  if (bytes > 0 && payload != raw + HEADER) memcpy(raw + HEADER, payload, bytes);
  size_t length = HEADER + bytes;
  uint32_t crc = crc32c(0, raw, length);
  for (uint32_t i = 0; i < CRC; i++) raw[length++] = (uint8_t)(crc >> 8 * i);
  state.out[0] = 0;
  size_t encoded = cobsEncode(raw, length, state.out + 1);
  state.out[1 + encoded] = 0;
  state.outLength = encoded + 2;
  state.outSent = 0;
}

static bool encodeHello(uint64_t now) {
  if (!state.helloDue || now < state.helloAt) return false;
  state.helloAt = now + HELLO_MS;
  CborWriter w = {PAYLOAD, LINK_MAX_PAYLOAD, 0, false};
  state.user->hello(&w, state.epoch, ++state.hellos);
  encode(HELLO, false, 0, w.data, w.length);
  return true;
}

static bool encodeAnswer(uint64_t now) {
  if (state.answersSent == 0) state.resendAt = now + state.resendMs;
  if (state.answersSent == state.answerCount) {
    if (state.answerCount == 0 || now < state.resendAt) return false;
    if (++state.tries > MAX_TRIES) {
      linkReset(now);
      return encodeHello(now);
    }
    state.resendMs = state.resendMs * 2 < MAX_RESEND_MS ? state.resendMs * 2 : MAX_RESEND_MS;
    state.resendAt = now + state.resendMs;
    state.answersSent = 0;
  }
  const Answer *answer = &state.answers[(state.firstAnswer + state.answersSent++) % SLOTS];
  encode(RESPONSE, true, answer->sequence, answer->payload, answer->bytes);
  return true;
}

static bool encodeState(uint64_t now) {
  if (now < state.stateAt) return false;
  CborWriter w = {PAYLOAD, LINK_MAX_PAYLOAD, 0, false};
  if (!state.user->state(&w) || w.full) return false;
  state.stateAt = now + STATE_MS;
  encode(STATE, false, state.streamSequence++, w.data, w.length);
  return true;
}

static uint8_t dequeueByte(void) {
  uint8_t byte = state.queue[state.queueStart];
  state.queueStart = (state.queueStart + 1) % QUEUE_BYTES;
  state.queueUsed--;
  return byte;
}

static void enqueueByte(uint8_t byte) {
  state.queue[(state.queueStart + state.queueUsed++) % QUEUE_BYTES] = byte;
}

static bool encodeStream(void) {
  if (state.queueUsed == 0) return false;
  uint8_t type = dequeueByte();
  uint32_t bytes = dequeueByte();
  bytes |= (uint32_t)dequeueByte() << 8;
  for (uint32_t i = 0; i < bytes; i++) PAYLOAD[i] = dequeueByte();
  encode(type, false, state.streamSequence++, PAYLOAD, bytes);
  return true;
}

bool linkStream(uint8_t type, const uint8_t *head, uint32_t headBytes, const uint8_t *data, uint32_t bytes) {
  uint32_t length = headBytes + bytes;
  if (bytes > LINK_MAX_PAYLOAD || length > LINK_MAX_PAYLOAD) return false;
  while (QUEUE_BYTES - state.queueUsed < length + 3) {
    (void)dequeueByte();
    uint32_t oldest = dequeueByte();
    oldest |= (uint32_t)dequeueByte() << 8;
    state.queueStart = (state.queueStart + oldest) % QUEUE_BYTES;
    state.queueUsed -= oldest;
    state.counts.dropped++;
  }
  enqueueByte(type);
  enqueueByte((uint8_t)length);
  enqueueByte((uint8_t)(length >> 8));
  for (uint32_t i = 0; i < headBytes; i++) enqueueByte(head[i]);
  for (uint32_t i = 0; i < bytes; i++) enqueueByte(data[i]);
  return true;
}

/** Puts the next frame that is due into the output buffer. */
static bool encodeNext(uint64_t now) {
  if (!state.up) return encodeHello(now);
  if (state.ackDue) {
    state.ackDue = false;
    encode(ACK, false, (uint16_t)(state.expected - 1), NULL, 0);
    return true;
  }
  return encodeAnswer(now) || encodeState(now) || encodeStream();
}

static uint32_t until(uint64_t due, uint64_t now, uint32_t most) {
  if (due <= now) return 0;
  return due - now < most ? (uint32_t)(due - now) : most;
}

uint32_t linkSend(uint64_t now) {
  while (linkPending() || encodeNext(now)) {
    size_t taken = state.user->write(state.out + state.outSent, state.outLength - state.outSent);
    state.outSent += taken;
    state.counts.bytesSent += taken;
    if (linkPending()) break;
  }
  if (!state.up) return until(state.helloAt, now, IDLE_MS);
  if (state.answerCount > 0) return until(state.resendAt, now, IDLE_MS);
  return IDLE_MS;
}
