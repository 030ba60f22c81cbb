// Consistent Overhead Byte Stuffing: removes zeros from a frame, so that zeros can delimit frames.
#ifndef OM_COBS_H
#define OM_COBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most bytes that are added to `bytes`. */
#define COBS_OVERHEAD(bytes) ((bytes) / 254 + 1)

/**
 * Encodes without delimiters; `to` holds bytes + COBS_OVERHEAD(bytes). Returns the encoded length. `from` may lie in the
 * same buffer, COBS_OVERHEAD(bytes) or more behind `to`.
 */
size_t cobsEncode(const uint8_t *from, size_t bytes, uint8_t *to);

/** A decoder that takes one byte at a time and never writes past its room. */
typedef struct CobsDecoder {
  uint8_t *data;
  size_t room, length;
  uint8_t left;      // bytes until the next code byte
  bool started, bad; // a code byte was seen; too long
  bool zeroOwed;     // the block before ended with a zero, unless the frame ends here
} CobsDecoder;

void cobsStart(CobsDecoder *decoder, uint8_t *data, size_t room);

/** Takes a byte that is not zero. */
void cobsTake(CobsDecoder *decoder, uint8_t byte);

/** At a delimiter: whether `data[0 … length)` is a whole frame. */
bool cobsComplete(const CobsDecoder *decoder);

#endif
