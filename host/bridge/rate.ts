// How fast a counter rises, by the counter's own clock.

/** Milliseconds over which the mean is taken. */
const WINDOW_MS = 3000;
/** Less than this says nothing. */
const LEAST_MS = 500;

export class Rate {
  #points: { time: number; value: number }[] = [];

  /** Takes a reading: `time` in milliseconds, both never falling (when one does, the counter began anew). */
  add(time: number, value: number): void {
    const last = this.#points.at(-1);
    if (last && (time < last.time || value < last.value)) this.#points = [];
    if (last && time === last.time) this.#points.pop();
    this.#points.push({ time, value });
    // The point just outside the window stays: the window is measured from it.
    while (this.#points.length > 2 && (this.#points[1] as { time: number }).time <= time - WINDOW_MS) {
      this.#points.shift();
    }
  }

  /** Per second over the last three seconds; undefined until half a second was seen. */
  get perSecond(): number | undefined {
    const first = this.#points[0];
    const last = this.#points.at(-1);
    if (!first || !last || last.time - first.time < LEAST_MS) return undefined;
    return ((last.value - first.value) * 1000) / (last.time - first.time);
  }
}
