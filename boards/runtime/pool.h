// The one bounded heap of the firmware: wasm3's malloc, calloc, realloc and free are redirected here by the
// compiler's command line (host/build/firmware.ts). A module is swapped or restarted by resetting it as a whole.
#ifndef OM_POOL_H
#define OM_POOL_H

#include <stdbool.h>
#include <stddef.h>

/** Takes over `bytes` of memory, 16-byte aligned; everything in it is free. */
void poolInit(void *memory, size_t bytes);

/** Forgets all blocks at once, and opens a sealed pool. */
void poolReset(void);

/** From here on allocation fails: nothing may be allocated while a module runs. */
void poolSeal(void);

/**
 * The next allocation of exactly `bytes` is linear memory: it is placed at the pool's end, so that its byte
 * `header` lies on a 16-byte boundary.
 */
void poolExpect(size_t bytes, size_t header);

void *poolMalloc(size_t bytes);
void *poolCalloc(size_t count, size_t bytes);
void *poolRealloc(void *pointer, size_t bytes);
void poolFree(void *pointer);

/** Bytes taken, block headers included. */
size_t poolUsed(void);

/** Since the last reset: the least size that a pool must have for the same requests in the same order. */
size_t poolPeak(void);

/** Bytes in all. */
size_t poolSize(void);

#endif
