// The runtime's parts on a command line, for tests: one command per line on standard input, one answer per line.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cbor.h"
#include "cobs.h"
#include "crc32c.h"
#include "intrinsics/draws.h"
#include "intrinsics/requantize.h"
#include "pool.h"
#include "sha256.h"
#include "wasm_scan.h"

enum { ROOM = 1 << 16 };

static uint8_t in[ROOM], out[ROOM + ROOM / 254 + 8];

static size_t readHex(const char *hex) {
  size_t n = 0;
  for (unsigned byte; n < ROOM && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++) in[n] = (uint8_t)byte;
  return n;
}

static void printHex(const uint8_t *data, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) printf("%02x", data[i]);
  printf("\n");
}

static void decode(const char *hex, size_t room) {
  size_t n = readHex(hex);
  CobsDecoder decoder;
  // exactly as much as it may use: a sanitizer sees a byte more
  uint8_t *data = malloc(room == 0 ? 1 : room);
  cobsStart(&decoder, data, room);
  for (size_t i = 0; i < n; i++) cobsTake(&decoder, in[i]);
  if (cobsComplete(&decoder)) {
    printHex(data, decoder.length);
  } else {
    printf("bad\n");
  }
  free(data);
}

/** Encodes with source and destination in one buffer, as the link does. */
static void encode(const char *hex) {
  size_t n = readHex(hex);
  size_t gap = COBS_OVERHEAD(n);
  memmove(out + gap, in, n);
  printHex(out, cobsEncode(out + gap, n, out));
}

/** Reads one item of any kind; tells how many bytes it took. */
static void skip(const char *hex) {
  size_t n = readHex(hex);
  uint8_t *data = malloc(n == 0 ? 1 : n);
  memcpy(data, in, n);
  CborReader r = {data, data + n, false};
  cborSkip(&r);
  if (r.bad) {
    printf("bad\n");
  } else {
    printf("%zu\n", (size_t)(r.at - data));
  }
  free(data);
}

static void integer(const char *text) {
  CborWriter w = {out, 16, 0, false};
  cborInt(&w, strtoll(text, NULL, 10));
  CborReader r = {out, out + w.length, false};
  long long back = cborReadInt(&r);
  printf("%lld%s ", back, r.bad ? " bad" : "");
  printHex(out, w.length);
}

/** The digest of the bytes, `times` over, taken in pieces of `piece` bytes. */
static void digest(uint32_t times, size_t piece, const char *hex) {
  size_t n = readHex(hex);
  uint8_t result[SHA256_BYTES];
  Sha256 hash;
  sha256Start(&hash);
  for (uint32_t i = 0; i < times; i++) {
    for (size_t at = 0; at < n; at += piece) sha256Take(&hash, in + at, piece < n - at ? piece : n - at);
  }
  sha256End(&hash, result);
  printHex(result, sizeof result);
}

static bool never(uint64_t *slots) {
  (void)slots;
  return false;
}

static void scan(const char *hex) {
  static const EngineImport allowed[] = {{"octomote_1", "fail", "v(iiii)", never}};
  size_t n = readHex(hex);
  uint8_t *data = malloc(n == 0 ? 1 : n);
  memcpy(data, in, n);
  WasmScan result;
  Fault fault;
  Error error = wasmScan(data, (uint32_t)n, allowed, 1, &result, &fault);
  if (error == OM_OK) {
    printf("ok %u %u %u %d\n", result.importCount, result.memoryBytes, result.dataEnd,
           wasmExportsFunction(data, (uint32_t)n, "step"));
  } else {
    printf("%d %s\n", (int)error, fault.text);
  }
  free(data);
}

/** Random allocations, each filled with its own byte and looked at before it goes; tells where the first was damaged. */
static void torture(uint32_t seed, uint32_t rounds) {
  enum { SLOTS = 64, POOL = 1 << 15 };
  uint8_t *memory = aligned_alloc(16, POOL);
  uint8_t *held[SLOTS] = {NULL};
  size_t bytes[SLOTS] = {0};
  uint32_t damaged = 0, refused = 0, misaligned = 0;
  poolInit(memory, POOL);
  for (uint32_t round = 0; round < rounds; round++) {
    uint32_t slot = fin(seed + round) % SLOTS, size = fin(seed ^ round * 3) % 1500, what = fin(seed - round) % 3;
    for (size_t i = 0; i < bytes[slot]; i++) damaged += held[slot][i] != (uint8_t)slot;
    uint8_t *now = NULL;
    if (what == 0) {
      poolFree(held[slot]);
      held[slot] = NULL;
      bytes[slot] = 0;
      continue;
    }
    now = what == 1 ? poolRealloc(held[slot], size) : poolCalloc(size, 1);
    if (now == NULL) {
      refused++;
      continue;
    }
    if (what == 2) poolFree(held[slot]);
    size_t kept = what == 1 ? (bytes[slot] < size ? bytes[slot] : size) : 0;
    for (size_t i = 0; i < kept; i++) damaged += now[i] != (uint8_t)slot;
    for (size_t i = 0; i < size && what == 2; i++) damaged += now[i] != 0;
    misaligned += ((uintptr_t)now & 7) != 0 || now < memory || now + size > memory + POOL;
    held[slot] = now;
    bytes[slot] = size;
    memset(now, (int)slot, size);
  }
  for (uint32_t slot = 0; slot < SLOTS; slot++) poolFree(held[slot]);
  printf("%u %u %d %zu %d\n", damaged, misaligned, refused > 0, poolUsed(), poolPeak() <= poolSize());
  free(memory);
}

/** Linear memory at the pool's end, with `header` bytes before its data. */
static void linear(size_t poolBytes, size_t bytes, size_t header) {
  uint8_t *memory = aligned_alloc(16, poolBytes);
  poolInit(memory, poolBytes);
  uint8_t *low = poolMalloc(100);
  poolExpect(bytes, header);
  uint8_t *data = poolMalloc(bytes);
  uint8_t *again = data == NULL ? NULL : poolMalloc(100);
  bool inside = data != NULL && data >= memory && data + bytes <= memory + poolBytes;
  bool apart = again != NULL && (again + 100 <= data || again >= data + bytes) && low + 100 <= data;
  bool grows = data != NULL && poolRealloc(data, bytes + 64) != NULL;
  poolSeal();
  bool sealed = poolMalloc(8) == NULL;
  poolReset();
  bool anew = poolMalloc(bytes) != NULL && poolUsed() <= poolSize();
  printf("%d %d %d %d %d %d\n", inside, data != NULL && ((uintptr_t)(data + header) & 15) == 0, apart, grows, sealed,
         anew);
  free(memory);
}

int main(void) {
  static char line[4 * ROOM];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char command[16];
    int at = 0;
    if (sscanf(line, "%15s %n", command, &at) != 1) continue;
    const char *rest = line + at;
    unsigned a = 0, b = 0, c = 0, d = 0;
    int acc, m, s, zero, lo, hi;
    if (strcmp(command, "crc") == 0) printf("%u\n", crc32c(0, in, readHex(rest)));
    if (strcmp(command, "encode") == 0) encode(rest);
    if (strcmp(command, "decode") == 0 && sscanf(rest, "%u %n", &a, &at) == 1) decode(rest + at, a);
    if (strcmp(command, "skip") == 0) skip(rest);
    if (strcmp(command, "integer") == 0) integer(rest);
    if (strcmp(command, "scan") == 0) scan(rest);
    if (strcmp(command, "sha256") == 0 && sscanf(rest, "%u %u %n", &a, &b, &at) == 2) digest(a, b, rest + at);
    if (strcmp(command, "torture") == 0 && sscanf(rest, "%u %u", &a, &b) == 2) torture(a, b);
    if (strcmp(command, "linear") == 0 && sscanf(rest, "%u %u %u", &a, &b, &c) == 3) linear(a, b, c);
    if (strcmp(command, "draw") == 0 && sscanf(rest, "%u %u %u %u", &a, &b, &c, &d) == 4) {
      printf("%u\n", draw(drawKey(a, b, c), d));
    }
    if (strcmp(command, "requantize") == 0 &&
        sscanf(rest, "%d %d %d %d %d %d %u %u %u", &acc, &m, &s, &zero, &lo, &hi, &a, &b, &c) == 9) {
      int64_t r = a == 0 ? roundNearest(s) : roundStochastic(s, b, c);
      printf("%d\n", requantizeValue(acc, m, s, r, zero, lo, hi));
    }
    fflush(stdout);
  }
  return 0;
}
