// SHA-256 (FIPS 180-4), of bytes that lie in one piece or come in several.
#ifndef OM_SHA256_H
#define OM_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_BLOCK = 64 };

typedef struct Sha256 {
  uint32_t state[8];
  uint64_t bytes; // taken so far
  uint8_t block[SHA256_BLOCK];
} Sha256;

void sha256Start(Sha256 *hash);
void sha256Take(Sha256 *hash, const uint8_t *data, size_t bytes);

/** Writes the digest; the hash must be started again before it takes more. */
void sha256End(Sha256 *hash, uint8_t digest[SHA256_BYTES]);

#endif
