// The part of CBOR that the link speaks: integers, byte and text strings, arrays, maps, booleans; definite lengths,
// no floats, no tags. The writer stops at its room, the reader at the end of its input; both remember that they did.
#ifndef OM_CBOR_H
#define OM_CBOR_H

#include <stdbool.h>
#include <stdint.h>

typedef struct CborWriter {
  uint8_t *data;
  uint32_t room, length;
  bool full; // something did not fit: the content is useless
} CborWriter;

void cborMap(CborWriter *w, uint32_t pairs);
void cborArray(CborWriter *w, uint32_t items);
void cborInt(CborWriter *w, int64_t value);
void cborBytes(CborWriter *w, const uint8_t *data, uint32_t bytes);
/** Only what precedes the bytes themselves. */
void cborBytesHead(CborWriter *w, uint32_t bytes);
void cborText(CborWriter *w, const char *text);
void cborTextN(CborWriter *w, const char *text, uint32_t bytes);
void cborBool(CborWriter *w, bool value);

typedef struct CborReader {
  const uint8_t *at, *end;
  bool bad; // malformed, or not what was asked for; everything reads as zero from then on
} CborReader;

/** Each takes one item, which must be of that kind. Integers lie in the range of int64. */
uint32_t cborReadMap(CborReader *r);
uint32_t cborReadArray(CborReader *r);
int64_t cborReadInt(CborReader *r);
bool cborReadBool(CborReader *r);
const uint8_t *cborReadBytes(CborReader *r, uint32_t *bytes);

/** Passes over one item of any kind, nested up to 8 deep. */
void cborSkip(CborReader *r);

#endif
