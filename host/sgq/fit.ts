// Learns the contexts of planes and their tables (docs/sgq.md, "Contexts"): for each plane, tap after tap, the known bit that
// tells most about it; then as many taps for each as pay best within a budget of table bytes.
import type { Codebook, FitContexts, Plane, Sgq, Tap } from "./types.ts";

/** Enough elements to tell one tap from another; tables are counted over all samples. */
const ELEMENTS_FOR_TAPS = 300_000;
const MAX_TAPS = 14;
/** Planes before this one that may be read. */
const REACH = 255;
/** Taps that stay in the choice after each one that was taken: those that told most beside it. */
const CANDIDATES = 64;

/** Bit maps of one plane, sample after sample: 0 or 1 per element, and where the element is coded. */
interface Maps {
  readonly bits: Uint8Array;
  readonly coded: Uint8Array;
}

interface Chosen {
  readonly taps: Tap[];
  /** Bits that the plane takes with the first n taps, n from 0. */
  readonly cost: number[];
}

/** Where the bits of all taps come from. */
class Samples {
  readonly count: number;
  readonly planes: readonly Maps[];
  readonly #h: number;
  readonly #w: number;

  constructor(book: Codebook, levels: readonly Uint8Array[]) {
    const [h, w, c] = book.shape;
    const channels = c / book.group;
    this.#h = h;
    this.#w = w;
    this.count = levels.length * h * w;
    const seen = new Map<number, number>();
    this.planes = book.planes.map(({ channel }) => {
      const level = seen.get(channel) ?? 0;
      seen.set(channel, level + 1);
      const bits = new Uint8Array(this.count);
      const coded = new Uint8Array(this.count);
      levels.forEach((sample, s) => {
        for (let i = 0; i < h * w; i++) {
          const value = sample[i * channels + channel] as number;
          bits[s * h * w + i] = value > level ? 1 : 0;
          coded[s * h * w + i] = value >= level ? 1 : 0;
        }
      });
      return { bits, coded };
    });
  }

  /** The bits that a tap of plane `index` reads. */
  read(index: number, { back, dx, dy }: Tap, into: Uint8Array): void {
    into.fill(0);
    const source = this.planes[index - back]?.bits;
    if (source === undefined) return;
    const [h, w] = [this.#h, this.#w];
    const [x0, x1] = [Math.max(0, -dx), Math.min(w, w - dx)];
    for (let base = 0; base < this.count; base += h * w) {
      for (let y = Math.max(0, -dy); y < Math.min(h, h - dy); y++) {
        const row = base + y * w;
        const from = base + (y + dy) * w + dx;
        for (let x = x0; x < x1; x++) into[row + x] = source[from + x] as number;
      }
    }
  }
}

/** Every tap that plane `index` may have. */
function tapsOf(index: number): Tap[] {
  const taps: Tap[] = [];
  for (let dy = -2; dy <= 0; dy++) {
    for (let dx = -3; dx <= 3; dx++) if (dy < 0 || dx < 0) taps.push({ back: 0, dx, dy });
  }
  for (let back = 1; back <= Math.min(index, REACH); back++) {
    for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) taps.push({ back, dx, dy });
  }
  return taps;
}

/** n · log2 n, from a table for what is common. */
const LOGS = Float64Array.from({ length: 4096 }, (_, n) => (n === 0 ? 0 : n * Math.log2(n)));
const nLog = (n: number): number => (n < 4096 ? (LOGS[n] as number) : n * Math.log2(n));

/** Bits that coding takes with the shares that were counted: [zeros, ones] per context. */
function entropy(counts: Uint32Array, cells: number): number {
  let bits = 0;
  for (let i = 0; i < 2 * cells; i += 2) {
    const zeros = counts[i] as number;
    const ones = counts[i + 1] as number;
    if (zeros + ones === 0) continue;
    // one more than were seen: what a context costs that was seldom met
    bits += nLog(zeros + ones + 1) - nLog(zeros) - nLog(ones);
  }
  return bits;
}

/** The first `most` taps of a plane, and what they save. */
function chooseTaps(samples: Samples, index: number, most: number): Chosen {
  const { bits, coded } = samples.planes[index] as Maps;
  const places = new Uint32Array(coded.reduce((sum, one) => sum + one, 0));
  for (let i = 0, n = 0; i < coded.length; i++) if (coded[i] === 1) places[n++] = i;
  const whole = new Uint8Array(samples.count);
  const read = (tap: Tap): Uint8Array => {
    samples.read(index, tap, whole);
    return pick(whole, places);
  };
  // twice the context, plus the bit itself
  const cells = new Uint32Array(pick(bits, places));
  const counts = new Uint32Array(2 << most);
  const cost = [entropy(count(cells, counts.fill(0, 0, 2)), 1)];
  let pool = tapsOf(index).map((tap) => ({ tap, bits: read(tap), cost: 0 }));
  const taps: Tap[] = [];
  while (taps.length < most && pool.length > 0) {
    const width = 2 << taps.length;
    for (const one of pool)
      one.cost = entropy(countWith(cells, one.bits, counts.fill(0, 0, 2 * width)), width);
    pool.sort((a, b) => a.cost - b.cost);
    const best = pool[0] as (typeof pool)[number];
    // the format wants one at least, also where none tells anything
    if (taps.length > 0 && best.cost >= (cost.at(-1) as number)) break;
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i] as number;
      cells[i] = ((cell & ~1) << 1) | ((best.bits[i] as number) << 1) | (cell & 1);
    }
    taps.push(best.tap);
    cost.push(best.cost);
    pool = pool.slice(1, 1 + CANDIDATES);
  }
  return { taps, cost };
}

function pick(from: Uint8Array, places: Uint32Array): Uint8Array {
  const picked = new Uint8Array(places.length);
  for (let i = 0; i < places.length; i++) picked[i] = from[places[i] as number] as number;
  return picked;
}

function count(cells: Uint32Array, counts: Uint32Array): Uint32Array {
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i] as number;
    counts[cell] = (counts[cell] as number) + 1;
  }
  return counts;
}

/** The same with one more tap. */
function countWith(cells: Uint32Array, tap: Uint8Array, counts: Uint32Array): Uint32Array {
  for (let i = 0; i < cells.length; i++) {
    const old = cells[i] as number;
    const cell = ((old & ~1) << 1) | ((tap[i] as number) << 1) | (old & 1);
    counts[cell] = (counts[cell] as number) + 1;
  }
  return counts;
}

/** How many taps each plane gets: the step that saves most per byte, as long as there are bytes. */
function allot(chosen: readonly Chosen[], budget: number): number[] {
  const taps = chosen.map(() => 1);
  let spent = 2 * chosen.length;
  for (;;) {
    let best: { plane: number; taps: number; worth: number } | undefined;
    chosen.forEach(({ cost }, plane) => {
      const now = taps[plane] as number;
      for (const next of [now + 1, now + 2]) {
        const bytes = 2 ** next - 2 ** now;
        const saved = (cost[now] as number) - (cost[next] ?? Number.POSITIVE_INFINITY);
        const worth = saved / bytes;
        if (spent + bytes <= budget && saved > 0 && worth > (best?.worth ?? 0))
          best = { plane, taps: next, worth };
      }
    });
    if (best === undefined) return taps;
    spent += 2 ** best.taps - 2 ** (taps[best.plane] as number);
    taps[best.plane] = best.taps;
  }
}

export const fitContexts: FitContexts = (codec, book, levels, { tableBytes }) => {
  if (book.form === "stripes") return withTables(codec, book, levels);
  if (book.planes.length > 255) throw new RangeError("contexts of their own: at most 255 planes");
  const [h, w] = book.shape;
  const some = levels.slice(0, Math.max(1, Math.ceil(ELEMENTS_FOR_TAPS / (h * w))));
  const samples = new Samples(book, some);
  // no plane gets more than half of the budget
  const most = Math.max(1, Math.min(MAX_TAPS, Math.floor(Math.log2(tableBytes)) - 1));
  const chosen = book.planes.map((_, index) => chooseTaps(samples, index, most));
  const taps = allot(chosen, tableBytes);
  const contexts = chosen.map((one, i) => one.taps.slice(0, taps[i]));
  const planes = book.planes.map((plane, context): Plane => ({ ...plane, context }));
  return withTables(codec, { ...book, planes, contexts }, levels);
};

/** The codebook with tables counted over all samples. */
function withTables(codec: Sgq, book: Codebook, levels: readonly Uint8Array[]): Codebook {
  const empty = { ...book, tables: new Uint8Array(codec.tableBytes(book)) };
  const open = codec.seal(empty);
  const counts = codec.counts(open);
  for (const sample of levels) codec.count(open, sample, counts);
  return { ...empty, tables: codec.tablesFrom(counts) };
}
