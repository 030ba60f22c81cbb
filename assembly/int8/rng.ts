// Counter-based random draws (DESIGN §2): a draw depends on its key and index alone. No state exists, so tiles,
// skipped elements and native twins change no other draw.

/** From the draw of one element to that of the next: 2^32 over the golden ratio. */
export const DRAW_STEP: u32 = 0x9e3779b1;

/** All but the last line of the finaliser, which leaves the upper half as it is: all that draws are made of. */
// @ts-ignore: decorator
@inline
function stir(x: u32): u32 {
  x ^= x >> 16;
  x *= 0x7feb352d;
  x ^= x >> 15;
  return x * 0x846ca68b;
}

/** Finaliser of 32 bits ("lowbias32", C. Wellons): every input bit reaches every output bit. */
export function fin(x: u32): u32 {
  x = stir(x);
  return x ^ (x >> 16);
}

/** Key of a tensor's draws at one step. */
export function drawKey(seed: u32, step: u32, tensor: u32): u32 {
  return fin(seed ^ fin(step ^ fin(tensor + 0x9e3779b9)));
}

/** The draw at `at` = key + index·DRAW_STEP: 0 … 65,535. */
// @ts-ignore: decorator
@inline
export function drawAt(at: u32): u32 {
  return stir(at) >> 16;
}

/** The draw of element `index`: 0 … 65,535. */
// @ts-ignore: decorator
@inline
export function draw(key: u32, index: u32): u32 {
  return drawAt(key + index * DRAW_STEP);
}
