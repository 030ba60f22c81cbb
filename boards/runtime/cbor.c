// A small CBOR writer and reader; every length is checked before it is believed.
#include "cbor.h"

#include <string.h>

enum { UNSIGNED = 0, NEGATIVE = 1, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, TAG = 6, SIMPLE = 7 };
enum { FALSE = 0xf4, TRUE = 0xf5, NIL = 0xf6, MAX_DEPTH = 8 };

static void put(CborWriter *w, const uint8_t *data, uint32_t bytes) {
  if (w->full || bytes > w->room - w->length) {
    w->full = true;
    return;
  }
  memcpy(w->data + w->length, data, bytes);
  w->length += bytes;
}

static void putHead(CborWriter *w, uint32_t major, uint64_t value) {
  uint8_t head[9];
  uint32_t extra = value < 24 ? 0 : value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xffffffff ? 4 : 8;
  static const uint8_t info[] = {0, 24, 25, 0, 26, 0, 0, 0, 27};
  head[0] = (uint8_t)(major << 5 | (extra == 0 ? (uint8_t)value : info[extra]));
  for (uint32_t i = 0; i < extra; i++) head[1 + i] = (uint8_t)(value >> 8 * (extra - 1 - i));
  put(w, head, 1 + extra);
}

void cborMap(CborWriter *w, uint32_t pairs) { putHead(w, MAP, pairs); }

void cborArray(CborWriter *w, uint32_t items) { putHead(w, ARRAY, items); }

void cborInt(CborWriter *w, int64_t value) {
  if (value >= 0) {
    putHead(w, UNSIGNED, (uint64_t)value);
  } else {
    putHead(w, NEGATIVE, ~(uint64_t)value);
  }
}

void cborBytesHead(CborWriter *w, uint32_t bytes) { putHead(w, BYTES, bytes); }

void cborBytes(CborWriter *w, const uint8_t *data, uint32_t bytes) {
  putHead(w, BYTES, bytes);
  put(w, data, bytes);
}

void cborTextN(CborWriter *w, const char *text, uint32_t bytes) {
  putHead(w, TEXT, bytes);
  put(w, (const uint8_t *)text, bytes);
}

void cborText(CborWriter *w, const char *text) { cborTextN(w, text, (uint32_t)strlen(text)); }

void cborBool(CborWriter *w, bool value) {
  uint8_t byte = value ? TRUE : FALSE;
  put(w, &byte, 1);
}

static uint64_t takeBytes(CborReader *r, uint32_t bytes) {
  uint64_t value = 0;
  if (r->bad || bytes > (size_t)(r->end - r->at)) {
    r->bad = true;
    return 0;
  }
  for (uint32_t i = 0; i < bytes; i++) value = value << 8 | *r->at++;
  return value;
}

/** The head of an item: its major type; its value in `value`. */
static uint32_t takeHead(CborReader *r, uint64_t *value) {
  uint32_t byte = (uint32_t)takeBytes(r, 1);
  uint32_t info = byte & 31;
  *value = info;
  if (info >= 24 && info <= 27) *value = takeBytes(r, 1u << (info - 24));
  if (info > 27) r->bad = true; // indefinite or reserved
  return byte >> 5;
}

static uint64_t takeKind(CborReader *r, uint32_t major) {
  uint64_t value;
  if (takeHead(r, &value) != major) r->bad = true;
  return r->bad ? 0 : value;
}

/** A count of items: each takes at least a byte, so more than there are bytes is a lie. */
static uint32_t takeCount(CborReader *r, uint32_t major) {
  uint64_t count = takeKind(r, major);
  if (count > (size_t)(r->end - r->at)) r->bad = true;
  return r->bad ? 0 : (uint32_t)count;
}

uint32_t cborReadMap(CborReader *r) { return takeCount(r, MAP); }

uint32_t cborReadArray(CborReader *r) { return takeCount(r, ARRAY); }

int64_t cborReadInt(CborReader *r) {
  uint64_t value;
  uint32_t major = takeHead(r, &value);
  if (major > NEGATIVE || value > INT64_MAX) r->bad = true;
  if (r->bad) return 0;
  return major == NEGATIVE ? -1 - (int64_t)value : (int64_t)value;
}

bool cborReadBool(CborReader *r) {
  uint8_t byte = (uint8_t)takeBytes(r, 1);
  if (byte != TRUE && byte != FALSE) r->bad = true;
  return byte == TRUE && !r->bad;
}

const uint8_t *cborReadBytes(CborReader *r, uint32_t *bytes) {
  *bytes = takeCount(r, BYTES);
  const uint8_t *start = r->at;
  r->at += *bytes;
  return r->bad ? NULL : start;
}

static void skip(CborReader *r, uint32_t depth) {
  uint64_t value;
  uint32_t major = takeHead(r, &value);
  if (depth == 0 || major == TAG) r->bad = true;
  if (major == SIMPLE && (value < (FALSE & 31) || value > (NIL & 31))) r->bad = true;
  if (r->bad || major <= NEGATIVE || major == SIMPLE) return;
  if (value > (size_t)(r->end - r->at)) {
    r->bad = true;
  } else if (major == BYTES || major == TEXT) {
    r->at += value;
  } else {
    for (uint64_t i = 0; i < (major == MAP ? 2 * value : value) && !r->bad; i++) skip(r, depth - 1);
  }
}

void cborSkip(CborReader *r) { skip(r, MAX_DEPTH); }
