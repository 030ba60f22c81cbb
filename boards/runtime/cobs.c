// COBS in both directions.
#include "cobs.h"

size_t cobsEncode(const uint8_t *from, size_t bytes, uint8_t *to) {
  size_t code = 0, length = 1;
  for (size_t i = 0; i < bytes; i++) {
    uint8_t byte = from[i]; // read before anything is written: `to` may follow closely
    if (byte != 0) to[length++] = byte;
    if (byte != 0 && length - code < 255) continue;
    // a block of 254 bytes that ends the data needs no block after it
    if (byte != 0 && i + 1 == bytes) break;
    to[code] = (uint8_t)(length - code);
    code = length++;
  }
  to[code] = (uint8_t)(length - code);
  return length;
}

void cobsStart(CobsDecoder *decoder, uint8_t *data, size_t room) {
  decoder->data = data;
  decoder->room = room;
  decoder->length = 0;
  decoder->left = 0;
  decoder->started = decoder->bad = decoder->zeroOwed = false;
}

static void put(CobsDecoder *decoder, uint8_t byte) {
  if (decoder->length == decoder->room) {
    decoder->bad = true;
  } else {
    decoder->data[decoder->length++] = byte;
  }
}

void cobsTake(CobsDecoder *decoder, uint8_t byte) {
  if (decoder->left > 0) {
    put(decoder, byte);
    decoder->left--;
    return;
  }
  if (decoder->started && decoder->zeroOwed) put(decoder, 0);
  decoder->started = true;
  decoder->zeroOwed = byte != 255;
  decoder->left = (uint8_t)(byte - 1);
}

bool cobsComplete(const CobsDecoder *decoder) {
  return decoder->started && decoder->left == 0 && !decoder->bad;
}
