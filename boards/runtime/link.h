// The device's end of the link (docs/protocol.md): frames, epochs, reliable delivery, streams. It knows delivery and
// no meanings; what frames carry is written and read by loop.c.
#ifndef OM_LINK_H
#define OM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cbor.h"

#define LINK_MAX_PAYLOAD 1024u
/** Largest answer that is kept for resending. */
#define LINK_MAX_ANSWER 560u

/** Types of frames that carry streams. */
enum { LINK_LOG = 0x11, LINK_FEATURES = 0x12 };

/** What the link needs from above. */
typedef struct LinkUser {
  /** Writes the hello of this epoch; `count` tells the how manieth. */
  void (*hello)(CborWriter *w, uint32_t epoch, uint32_t count);
  /** Writes the state; false: there is nothing new. */
  bool (*state)(CborWriter *w);
  /** Carries out a request and writes the answer, at most LINK_MAX_ANSWER bytes; false: nothing to answer. */
  bool (*request)(const uint8_t *payload, uint32_t bytes, CborWriter *answer);
  /** Hands over bytes without waiting; returns how many were taken. */
  size_t (*write)(const uint8_t *data, size_t bytes);
} LinkUser;

/** What went over the link since the start. */
typedef struct LinkCounts {
  uint64_t bytesSent;
  uint32_t dropped;   // stream frames given up under back-pressure
  uint32_t badFrames; // chunks that were no valid frame
} LinkCounts;

/** Starts the first epoch, whose number is derived from `bootNumber`; `user` must stay where it is. */
void linkInit(const LinkUser *user, uint32_t bootNumber, uint64_t now);

/** Starts a new epoch: for a board that sees its connection come and go. */
void linkReset(uint64_t now);

/** Takes bytes that have arrived; requests are carried out at once. */
void linkReceive(const uint8_t *data, size_t bytes, uint64_t now);

/** Sends what is due. Returns the milliseconds until something is due again. */
uint32_t linkSend(uint64_t now);

/** Whether bytes wait for the port to take more. */
bool linkPending(void);

/** Queues a stream frame, its payload in two parts; the oldest make room. False if it could never fit. */
bool linkStream(uint8_t type, const uint8_t *head, uint32_t headBytes, const uint8_t *data, uint32_t bytes);

LinkCounts linkCounts(void);

#endif
