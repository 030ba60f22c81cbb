/** Average precision of int8 scores, and what is needed of it for a point of a curve. */

/** Counts of positive and negative examples at each of the 256 scores: what average precision is made of. */
export class ScoreHistogram {
  readonly #positive = new Float64Array(256);
  readonly #negative = new Float64Array(256);

  /** Adds examples: int8 scores and their labels, 0 or 1. */
  add(scores: ArrayLike<number>, labels: ArrayLike<number>): void {
    if (scores.length !== labels.length)
      throw new RangeError(`${scores.length} scores, but ${labels.length} labels`);
    for (let i = 0; i < scores.length; i++) {
      (labels[i] ? this.#positive : this.#negative)[scores[i]! + 128]!++;
    }
  }

  /**
   * Σ (recall gained at a threshold) · (precision at it), thresholds falling; equal scores enter together. NaN where
   * nothing is positive.
   */
  averagePrecision(): number {
    const positives = this.#positive.reduce((sum, count) => sum + count, 0);
    let found = 0;
    let taken = 0;
    let area = 0;
    for (let score = 255; score >= 0; score--) {
      const hits = this.#positive[score]!;
      found += hits;
      taken += hits + this.#negative[score]!;
      if (hits > 0) area += (hits / positives) * (found / taken);
    }
    return positives > 0 ? area : Number.NaN;
  }
}
