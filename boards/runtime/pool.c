// The pool: first fit over one list of blocks that lie side by side; free neighbours are joined while walking.
// Modules allocate a few hundred blocks when they are loaded and none afterwards, so simple wins.
#include "pool.h"

#include <stdint.h>
#include <string.h>

// Precedes each block, which starts 4 bytes before an 8-byte boundary. The size counts this header and is a multiple
// of 8; bit 0 says that the block is in use.
typedef struct Block {
  uint32_t sizeAndUse;
} Block;

#define ALIGN 8u
#define USED 1u

static struct {
  uint8_t *base, *top, *end; // blocks fill base to top; linear memory, once placed, lies between top and end
  size_t used, peak;
  size_t expectBytes, expectHeader;
  bool sealed;
} pool;

static uint32_t sizeOf(const Block *block) { return block->sizeAndUse & ~USED; }

static bool isUsed(const Block *block) { return (block->sizeAndUse & USED) != 0; }

static Block *next(Block *block) { return (Block *)(void *)((uint8_t *)block + sizeOf(block)); }

static bool inBlocks(const Block *block) { return (const uint8_t *)block < pool.top; }

/** Counts `bytes` taken; `end` is where the highest block that is in use may end. */
static void take(size_t bytes, const uint8_t *end) {
  pool.used += bytes;
  size_t high = (size_t)(end - pool.base) + (size_t)(pool.end - pool.top);
  if (high > pool.peak) pool.peak = high;
}

/** Joins the free blocks that follow `block` to it. */
static void join(Block *block) {
  for (Block *n = next(block); inBlocks(n) && !isUsed(n); n = next(block)) block->sizeAndUse += sizeOf(n);
}

void poolReset(void) {
  pool.top = pool.end;
  pool.used = pool.peak = 0;
  pool.expectBytes = 0;
  pool.sealed = false;
  Block *all = (Block *)(void *)pool.base;
  all->sizeAndUse = (uint32_t)(pool.end - pool.base);
}

void poolInit(void *memory, size_t bytes) {
  pool.base = (uint8_t *)memory + sizeof(Block);
  pool.end = pool.base + ((bytes - sizeof(Block)) & ~(size_t)(ALIGN - 1));
  poolReset();
}

void poolSeal(void) { pool.sealed = true; }

void poolExpect(size_t bytes, size_t header) {
  pool.expectBytes = bytes;
  pool.expectHeader = header;
}

/** Linear memory: cut from the end of the last block, which must be free. */
static void *placeAtEnd(size_t bytes) {
  pool.expectBytes = 0;
  Block *last = (Block *)(void *)pool.base;
  for (Block *b = last; inBlocks(b); b = next(b)) {
    if (!isUsed(b)) join(b);
    last = b;
  }
  size_t room = (size_t)(pool.top - (uint8_t *)last);
  if (isUsed(last) || bytes + sizeof(Block) + 16 > room || pool.top != pool.end) return NULL;
  uint8_t *data = pool.end - bytes;
  data -= (uintptr_t)(data + pool.expectHeader) & 15u;
  uint8_t *top = data - ((size_t)(data - pool.base) & (ALIGN - 1));
  last->sizeAndUse = (uint32_t)(top - (uint8_t *)last);
  pool.top = top;
  take((size_t)(pool.end - top), (const uint8_t *)last);
  return data;
}

void *poolMalloc(size_t bytes) {
  if (pool.sealed || bytes > UINT32_MAX / 2) return NULL;
  if (bytes != 0 && bytes == pool.expectBytes) return placeAtEnd(bytes);
  uint32_t size = (uint32_t)((bytes + sizeof(Block) + ALIGN - 1) & ~(size_t)(ALIGN - 1));
  for (Block *b = (Block *)(void *)pool.base; inBlocks(b); b = next(b)) {
    if (isUsed(b)) continue;
    join(b);
    if (sizeOf(b) < size) continue;
    if (sizeOf(b) > size) {
      Block *rest = (Block *)(void *)((uint8_t *)b + size);
      rest->sizeAndUse = sizeOf(b) - size;
      b->sizeAndUse = size;
    }
    b->sizeAndUse |= USED;
    take(size, (const uint8_t *)next(b));
    return b + 1;
  }
  return NULL;
}

void *poolCalloc(size_t count, size_t bytes) {
  if (bytes != 0 && count > UINT32_MAX / bytes) return NULL;
  void *pointer = poolMalloc(count * bytes);
  if (pointer != NULL) memset(pointer, 0, count * bytes);
  return pointer;
}

void poolFree(void *pointer) {
  // linear memory stays where it is until the pool is reset
  if (pointer == NULL || (uint8_t *)pointer >= pool.top) return;
  Block *block = (Block *)pointer - 1;
  block->sizeAndUse &= ~USED;
  pool.used -= sizeOf(block);
}

void *poolRealloc(void *pointer, size_t bytes) {
  if (pointer == NULL) return poolMalloc(bytes);
  if ((uint8_t *)pointer >= pool.top) return NULL; // linear memory does not grow
  size_t old = sizeOf((Block *)pointer - 1) - sizeof(Block);
  if (bytes <= old) return pointer;
  void *moved = poolMalloc(bytes);
  if (moved == NULL) return NULL;
  memcpy(moved, pointer, old);
  poolFree(pointer);
  return moved;
}

size_t poolUsed(void) { return pool.used; }

size_t poolPeak(void) { return pool.peak; }

size_t poolSize(void) { return (size_t)(pool.end - pool.base); }
