// Seeded numbers for data: integers only, so that every machine draws the same. Not for secrets.

/** A 32-bit mixer: every input bit reaches every output bit. */
function mix(x: number): number {
  let z = x >>> 0;
  z = Math.imul(z ^ (z >>> 16), 0x7feb352d);
  z = Math.imul(z ^ (z >>> 15), 0x846ca68b);
  return (z ^ (z >>> 16)) >>> 0;
}

/** A sequence that depends on its seed and purpose alone. */
export class Random {
  #key: number;
  #index = 0;

  /** @param stream tells sequences of the same seed apart, such as one for each image. */
  constructor(seed: number, stream = 0) {
    this.#key = mix(seed ^ mix(stream ^ 0x9e3779b9));
  }

  /** 0 … 2^32 − 1. */
  next(): number {
    return mix(this.#key + Math.imul(this.#index++, 0x9e3779b1));
  }

  /** An integer in 0 … n − 1, n ≤ 2^20. */
  below(n: number): number {
    // 2^32·2^20 < 2^53: exact.
    return Math.floor((this.next() * n) / 0x100000000);
  }

  /** An integer in low … high, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }
}

/** 0 … count − 1 in an order that depends on the seed alone (Fisher and Yates). */
export function permutation(count: number, seed: number, stream = 0): Uint32Array {
  const random = new Random(seed, stream);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
  return order;
}
