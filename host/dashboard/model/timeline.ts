// The history behind the charts: one x axis of equal buckets that all devices share, so that a chart draws it without
// joining anything, and a bounded number of buckets, so that a page left open for days stays as small as on its first minute.

/** A measured mean, `null` where the line is to break, `undefined` where nothing was measured. */
export type Point = number | null | undefined;

export interface TimelineOptions {
  /** Names of what is measured; each device has one column for each. */
  metrics: readonly string[];
  /** Buckets kept at most; even. */
  capacity: number;
  /** Width of a bucket at first, in units of x. */
  width: number;
  /** When full: "fold" merges pairs and doubles the width (all history), "shift" forgets the oldest eighth (a window). */
  overflow: "fold" | "shift";
  /** Start of the first bucket; by default that of the first sample. */
  origin?: number;
  /** A device silent for longer than this gets a break in its line; in units of x. */
  silence?: number;
}

interface Track {
  columns: Point[][];
  /** Of the bucket that is being filled: a later sample of the same bucket moves its mean. */
  sums: number[];
  counts: number[];
  last: number;
  lastX: number;
  broken: boolean;
}

/** Merges two neighbours: what was measured wins over a break, a break over nothing. Both halves weigh the same. */
export function mergePoints(a: Point, b: Point): Point {
  if (typeof a === "number" && typeof b === "number") return (a + b) / 2;
  if (typeof a === "number") return a;
  if (typeof b === "number") return b;
  return a === null || b === null ? null : undefined;
}

/** Buckets looked back for a device that reports more rarely than a bucket is wide. */
const LOOK_BACK = 60;

/** The latest value at or before a bucket; undefined when that is a break or too far back. */
export function valueAt(column: readonly Point[] | undefined, index: number): number | undefined {
  for (let i = index; column !== undefined && i >= Math.max(0, index - LOOK_BACK); i--) {
    const point = column[i];
    if (typeof point === "number") return point;
    if (point === null) return undefined;
  }
  return undefined;
}

export class Timeline {
  /** Centre of each bucket, ascending. The array is changed in place. */
  readonly x: number[] = [];
  readonly #metrics: readonly string[];
  readonly #capacity: number;
  readonly #overflow: "fold" | "shift";
  readonly #silence: number;
  readonly #tracks = new Map<string, Track>();
  #width: number;
  #origin: number | undefined;

  constructor(options: TimelineOptions) {
    this.#metrics = options.metrics;
    this.#capacity = options.capacity;
    this.#overflow = options.overflow;
    this.#silence = options.silence ?? Number.POSITIVE_INFINITY;
    this.#width = options.width;
    this.#origin = options.origin;
  }

  /** Width of a bucket now, in units of x. */
  get width(): number {
    return this.#width;
  }

  /** A device's values, one for each bucket of `x`; undefined while it has none. Changed in place. */
  column(id: string, metric: string): Point[] | undefined {
    return this.#tracks.get(id)?.columns[this.#metrics.indexOf(metric)];
  }

  /** Adds what a device measured at `x`; several samples of a bucket become their mean. An `x` before the origin is ignored. */
  add(id: string, x: number, values: Readonly<Record<string, number | undefined>>): void {
    this.#origin ??= Math.floor(x / this.#width) * this.#width;
    if (x < this.#origin) return;
    const index = this.#makeRoom(x);
    const track = this.#track(id);
    if (index > track.last) {
      const pause = track.broken || x - track.lastX > this.#silence;
      if (pause && track.last >= 0 && index > track.last + 1) {
        for (const column of track.columns) column[track.last + 1] = null;
      }
      track.last = index;
      track.sums.fill(0);
      track.counts.fill(0);
    }
    track.broken = false;
    track.lastX = x;
    this.#metrics.forEach((metric, m) => {
      const value = values[metric];
      const column = track.columns[m];
      if (value === undefined || column === undefined) return;
      const sum = (track.sums[m] ?? 0) + value;
      const count = (track.counts[m] ?? 0) + 1;
      track.sums[m] = sum;
      track.counts[m] = count;
      column[track.last] = sum / count;
    });
  }

  /** Breaks a device's line before its next sample. */
  break(id: string): void {
    const track = this.#tracks.get(id);
    if (track !== undefined) track.broken = true;
  }

  /** Forgets a device. */
  remove(id: string): void {
    this.#tracks.delete(id);
  }

  #track(id: string): Track {
    let track = this.#tracks.get(id);
    if (track === undefined) {
      const zeros = () => this.#metrics.map(() => 0);
      const columns = this.#metrics.map(() => new Array<Point>(this.x.length).fill(undefined));
      track = { columns, sums: zeros(), counts: zeros(), last: -1, lastX: Number.NaN, broken: false };
      this.#tracks.set(id, track);
    }
    return track;
  }

  /** Makes `x` fall into a bucket that exists, and returns its index. */
  #makeRoom(x: number): number {
    const indexOf = () => Math.floor((x - (this.#origin ?? 0)) / this.#width);
    while (indexOf() >= this.#capacity) {
      if (this.#overflow === "fold") this.#fold();
      else this.#shift(indexOf() - this.#capacity + 1 + this.#capacity / 8);
    }
    const index = indexOf();
    while (this.x.length <= index) {
      this.x.push((this.#origin ?? 0) + (this.x.length + 0.5) * this.#width);
      for (const { columns } of this.#tracks.values()) for (const column of columns) column.push(undefined);
    }
    return index;
  }

  #fold(): void {
    const half = Math.ceil(this.x.length / 2);
    this.#width *= 2;
    this.x.length = half;
    for (let i = 0; i < half; i++) this.x[i] = (this.#origin ?? 0) + (i + 0.5) * this.#width;
    for (const track of this.#tracks.values()) {
      track.last = track.last < 0 ? -1 : track.last >> 1;
      track.columns.forEach((column, m) => {
        for (let i = 0; i < half; i++) column[i] = mergePoints(column[2 * i], column[2 * i + 1]);
        column.length = half;
        const mean = column[track.last];
        track.sums[m] = typeof mean === "number" ? mean : 0;
        track.counts[m] = typeof mean === "number" ? 1 : 0;
      });
    }
  }

  #shift(buckets: number): void {
    const dropped = Math.ceil(buckets);
    this.#origin = (this.#origin ?? 0) + dropped * this.#width;
    this.x.splice(0, dropped);
    for (const track of this.#tracks.values()) {
      track.last = Math.max(-1, track.last - dropped);
      for (const column of track.columns) column.splice(0, dropped);
    }
  }
}
