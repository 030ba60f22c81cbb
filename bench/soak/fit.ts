/** Whether a figure that was sampled over time is flat: a straight line, and the floors of its first and last third. */

export interface Sample {
  /** Seconds. */
  time: number;
  /** Bytes. */
  bytes: number;
}

export interface Trend {
  /** Medians of the first and of the last third. */
  first: number;
  last: number;
  /** Least squares, bytes per minute. */
  slope: number;
  /**
   * The least of the last third less the least of the first, bytes per minute: what a heap keeps, whatever its collector
   * has not come to yet.
   */
  floor: number;
}

/** @throws RangeError with fewer than three samples, or none that lie apart in time */
export function trendOf(samples: readonly Sample[]): Trend {
  const n = samples.length;
  const [first, last] = [samples[0], samples[n - 1]];
  if (n < 3 || first === undefined || last === undefined || last.time <= first.time) {
    throw new RangeError(`${n} samples make no trend: measure longer`);
  }
  const mean = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / n;
  const [time, bytes] = [mean((sample) => sample.time), mean((sample) => sample.bytes)];
  const covariance = mean((sample) => (sample.time - time) * (sample.bytes - bytes));
  const variance = mean((sample) => (sample.time - time) ** 2);
  const third = Math.floor(n / 3);
  const [early, late] = [samples.slice(0, third), samples.slice(-third)];
  const least = (part: readonly Sample[]): number => Math.min(...part.map((sample) => sample.bytes));
  const median = (part: readonly Sample[]): number =>
    part.map((sample) => sample.bytes).sort((a, b) => a - b)[part.length >> 1]!;
  const minutes = (last.time - first.time) / 60;
  return {
    first: median(early),
    last: median(late),
    slope: (60 * covariance) / variance,
    // the thirds' middles lie two thirds of the time apart
    floor: (least(late) - least(early)) / ((minutes * 2) / 3),
  };
}
