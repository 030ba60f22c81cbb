// Mixing of 32 bits, and the keys of draws, as docs/abi.md defines them ("Draws").

export function fin(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Key of a tensor's draws at a step. */
export function drawKey(seed: number, step: number, tensor: number): number {
  return fin(seed ^ fin(step ^ fin((tensor + 0x9e3779b9) | 0)));
}
