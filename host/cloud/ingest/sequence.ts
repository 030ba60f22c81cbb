// One device's samples in the order of their sequence numbers, whichever way they came: doubled, late, lost, by several workers.

/** So many may wait for one that is missing; then it counts as lost. */
const WINDOW = 32;
/** Numbers that far back are not late: the device has started anew. */
const RESTART = 4096;

export interface SequenceCounts {
  /** Never came, so far. */
  lost: number;
  /** Came after it had been given up. */
  late: number;
  /** Came more than once. */
  duplicates: number;
  /** Times the device has started anew. */
  restarts: number;
}

/** Marks of so many numbers are remembered. */
const MARKS = 4096;

interface Waiting<T> {
  readonly span: number;
  readonly item: T;
}

export class SequenceOrder<T> {
  readonly counts: SequenceCounts = { lost: 0, late: 0, duplicates: 0, restarts: 0 };
  #first: number | undefined;
  #next: number | undefined;
  readonly #waiting = new Map<number, Waiting<T>>();
  /** Given up, and may still come. */
  readonly #missing = new Set<number>();
  /** What told the items of the last numbers apart from others. */
  readonly #marks = new Map<number, number>();

  /** The number that is expected next; undefined before the first. */
  get next(): number | undefined {
    return this.#next;
  }

  /**
   * The number nearest to what is expected that ends in this byte: what a short frame leaves out. More may be under way than have
   * come: where the nearest is another item's by its mark, it is a later one.
   */
  complete(low: number, mark = 0): number {
    const next = this.#next ?? 0;
    const distance = ((low - next + 128) & 255) - 128;
    const nearest = Math.max(next + distance, low & 255);
    for (let number = nearest; number < next + RESTART; number += 256) {
      const known = this.#marks.get(number);
      if (known === undefined || known === mark) return number;
    }
    return nearest;
  }

  /**
   * Takes an item that covers `span` numbers; returns what may be handed on now, in order. An item with a number that was here before
   * and another mark (such as a check value) is none that came twice: whoever counts has started anew.
   *
   * @param old it says itself that it is late, or that its number is a guess: then it says nothing of a start
   */
  push(sequence: number, item: T, span = 1, mark = 0, old = false): T[] {
    this.#first ??= sequence;
    this.#next ??= sequence;
    const ready: T[] = [];
    const known = this.#marks.get(sequence);
    if (sequence < this.#next && this.#missing.has(sequence)) {
      for (let i = 0; i < span; i++) if (this.#missing.delete(sequence + i)) this.counts.lost--;
      this.counts.late += span;
      this.#remember(sequence, mark);
      return [item];
    }
    if (known === mark && sequence + RESTART >= this.#next) {
      this.counts.duplicates++;
      return [];
    }
    if (known === undefined && sequence < this.#first && sequence + WINDOW >= this.#first) {
      // the first of all was overtaken
      this.#remember(sequence, mark);
      return [item];
    }
    if (old && (sequence < this.#next || known !== undefined)) {
      this.counts.late += span;
      return [item];
    }
    if (sequence < this.#next || known !== undefined) ready.push(...this.#restart(sequence));
    else if (sequence > this.#next + RESTART) {
      const before = this.#next;
      ready.push(...this.#restart(sequence));
      this.counts.lost += sequence - before;
    }
    this.#remember(sequence, mark);
    this.#waiting.set(sequence, { span, item });
    ready.push(...this.#inOrder());
    while (this.#waiting.size > WINDOW) ready.push(...this.#giveUp());
    return ready;
  }

  /** Waits for nothing any more: everything that is here, in order. */
  flush(): T[] {
    const ready: T[] = [];
    while (this.#waiting.size > 0) ready.push(...this.#giveUp());
    return ready;
  }

  /** Whoever counts has started anew: what waits for something that is missing waits no longer. */
  #restart(sequence: number): T[] {
    const ready = this.flush();
    this.#first = sequence;
    this.#next = sequence;
    this.#missing.clear();
    this.#marks.clear();
    this.counts.restarts++;
    return ready;
  }

  #remember(sequence: number, mark: number): void {
    this.#marks.set(sequence, mark);
    if (this.#marks.size > MARKS) this.#marks.delete(this.#marks.keys().next().value as number);
  }

  #inOrder(): T[] {
    const ready: T[] = [];
    for (;;) {
      const here = this.#waiting.get(this.#next as number);
      if (here === undefined) return ready;
      this.#waiting.delete(this.#next as number);
      this.#next = (this.#next as number) + here.span;
      ready.push(here.item);
    }
  }

  /** Gives up what is missing before the first that waits. */
  #giveUp(): T[] {
    const first = Math.min(...this.#waiting.keys());
    for (let missing = this.#next as number; missing < first; missing++) {
      this.#missing.add(missing);
      this.counts.lost++;
    }
    for (const old of this.#missing) {
      if (this.#missing.size <= RESTART) break;
      this.#missing.delete(old);
    }
    this.#next = first;
    return this.#inOrder();
  }
}
