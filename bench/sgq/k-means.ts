/** Vector codebooks: Lloyd's algorithm on int8 vectors, sorted so that codes that are near stand for vectors that are alike. */
import { Random } from "../../host/data/random.ts";

const ROUNDS = 8;
const VECTORS = 12_000;

/** @returns k entries one behind the other, by their sums */
export function kMeans(all: readonly Int8Array[], k: number, seed = 1): Int8Array {
  const random = new Random(seed, 0x4b);
  const vectors = Array.from(
    { length: Math.min(VECTORS, all.length) },
    () => all[random.below(all.length)] as Int8Array,
  );
  const length = (vectors[0] as Int8Array).length;
  let centres = Array.from({ length: k }, () =>
    Float64Array.from(vectors[random.below(vectors.length)] as Int8Array),
  );
  for (let round = 0; round < ROUNDS; round++) {
    const sums = centres.map(() => new Float64Array(length));
    const counts = new Float64Array(k);
    for (const vector of vectors) {
      const n = nearest(centres, vector);
      const sum = sums[n] as Float64Array;
      for (let i = 0; i < length; i++) sum[i] = (sum[i] as number) + (vector[i] as number);
      counts[n] = (counts[n] as number) + 1;
    }
    // an entry that nobody is near to begins anew elsewhere
    centres = sums.map((sum, n) =>
      counts[n] === 0
        ? Float64Array.from(vectors[random.below(vectors.length)] as Int8Array)
        : sum.map((value) => value / (counts[n] as number)),
    );
  }
  const total = (centre: Float64Array): number => centre.reduce((sum, value) => sum + value, 0);
  centres.sort((a, b) => total(a) - total(b));
  return Int8Array.from(centres.flatMap((centre) => [...centre.map(Math.round)]));
}

export function nearest(centres: readonly ArrayLike<number>[], vector: ArrayLike<number>): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let n = 0; n < centres.length; n++) {
    const centre = centres[n] as ArrayLike<number>;
    let sum = 0;
    for (let i = 0; i < vector.length && sum < least; i++) {
      const d = (vector[i] as number) - (centre[i] as number);
      sum += d * d;
    }
    if (sum < least) {
      least = sum;
      best = n;
    }
  }
  return best;
}
