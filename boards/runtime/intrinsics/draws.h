// Counter-based random draws (docs/abi.md): a draw depends on its key and its index alone.
#ifndef OM_DRAWS_H
#define OM_DRAWS_H

#include <stdint.h>

/** From the draw of one element to that of the next: 2^32 over the golden ratio. */
#define DRAW_STEP 0x9e3779b1u

/** All but the last line of the finaliser, which leaves the upper half as it is: all that draws are made of. */
static inline uint32_t stir(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  return x * 0x846ca68bu;
}

/** Finaliser of 32 bits: every input bit reaches every output bit. */
static inline uint32_t fin(uint32_t x) {
  x = stir(x);
  return x ^ x >> 16;
}

/** Key of a tensor's draws at one step. */
static inline uint32_t drawKey(uint32_t seed, uint32_t step, uint32_t tensor) {
  return fin(seed ^ fin(step ^ fin(tensor + 0x9e3779b9u)));
}

/** The draw of element `index`: 0 … 65,535. */
static inline uint32_t draw(uint32_t key, uint32_t index) { return stir(key + index * DRAW_STEP) >> 16; }

#endif
