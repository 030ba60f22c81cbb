// How often something may happen: so many times a second, with a second's worth at once after a pause.

export class TokenBucket {
  readonly #perSecond: number;
  #tokens: number;
  #time: number;

  /** @param now of any clock in milliseconds that never goes back */
  constructor(perSecond: number, now = performance.now()) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#time = now;
  }

  /** Whether it may happen now; counts it if so. */
  take(now = performance.now()): boolean {
    const earned = ((now - this.#time) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + earned);
    this.#time = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
