// Small rather than fast: one round in a loop, the message schedule in a ring of sixteen words.
#include "sha256.h"

#include <string.h>

// fractional parts of the cube roots of the first 64 primes
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, uint32_t by) { return x >> by | x << (32 - by); }

static void mix(uint32_t state[8], const uint8_t *block) {
  uint32_t w[16], v[8];
  memcpy(v, state, sizeof v);
  for (uint32_t i = 0; i < 64; i++) {
    uint32_t *word = &w[i & 15];
    if (i < 16) {
      const uint8_t *at = block + 4 * i;
      *word = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    } else {
      uint32_t a = w[(i + 1) & 15], b = w[(i + 14) & 15];
      uint32_t s0 = rotate(a, 7) ^ rotate(a, 18) ^ a >> 3;
      uint32_t s1 = rotate(b, 17) ^ rotate(b, 19) ^ b >> 10;
      *word += s0 + w[(i + 9) & 15] + s1;
    }
    uint32_t e = v[4], a = v[0];
    uint32_t t1 = v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & v[5]) ^ (~e & v[6]));
    t1 += constants[i] + *word;
    uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
    memmove(v + 1, v, 7 * sizeof v[0]);
    v[4] += t1;
    v[0] = t1 + t2;
  }
  for (uint32_t i = 0; i < 8; i++) state[i] += v[i];
}

void sha256Start(Sha256 *hash) {
  // fractional parts of the square roots of the first 8 primes
  static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, first, sizeof first);
  hash->bytes = 0;
}

void sha256Take(Sha256 *hash, const uint8_t *data, size_t bytes) {
  while (bytes > 0) {
    size_t at = (size_t)(hash->bytes % SHA256_BLOCK);
    size_t n = SHA256_BLOCK - at < bytes ? SHA256_BLOCK - at : bytes;
    memcpy(hash->block + at, data, n);
    hash->bytes += n;
    data += n;
    bytes -= n;
    if (at + n == SHA256_BLOCK) mix(hash->state, hash->block);
  }
}

void sha256End(Sha256 *hash, uint8_t digest[SHA256_BYTES]) {
  uint8_t length[8];
  for (uint32_t i = 0; i < 8; i++) length[i] = (uint8_t)(hash->bytes * 8 >> 8 * (7 - i));
  static const uint8_t padding[SHA256_BLOCK] = {0x80};
  // a one, zeros up to eight bytes before the end of a block, then the length in bits
  sha256Take(hash, padding, 1 + (size_t)((119 - hash->bytes % SHA256_BLOCK) % SHA256_BLOCK));
  sha256Take(hash, length, sizeof length);
  for (uint32_t i = 0; i < SHA256_BYTES; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> 8 * (3 - i % 4));
}
