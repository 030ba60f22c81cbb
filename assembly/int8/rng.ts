// Counter-based random draws (DESIGN §2): a draw depends on its key and index alone. No state exists, so tiles,
// skipped elements and native twins change no other draw.

/** Finaliser of 32 bits ("lowbias32", C. Wellons): every input bit reaches every output bit. */
export function fin(x: u32): u32 {
  x ^= x >> 16;
  x *= 0x7feb352d;
  x ^= x >> 15;
  x *= 0x846ca68b;
  return x ^ (x >> 16);
}

/** Key of a tensor's draws at one step. */
export function drawKey(seed: u32, step: u32, tensor: u32): u32 {
  return fin(seed ^ fin(step ^ fin(tensor + 0x9e3779b9)));
}

/** The draw of element `index`: 0 … 65,535. */
// @ts-ignore: decorator
@inline
export function draw(key: u32, index: u32): u32 {
  return fin(key + index * 0x9e3779b1) >> 16;
}
