// The samples that a cloud half learns from again and again: the newest so many, and those that are only for evaluation apart.

import { Random } from "../../data/random.ts";
import type { Sample } from "./device-stream.ts";

/** A ring of samples; the oldest gives way. */
class Ring {
  readonly #samples: Sample[] = [];
  readonly #capacity: number;
  #next = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get count(): number {
    return this.#samples.length;
  }

  add(sample: Sample): void {
    this.#samples[this.#next] = sample;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  at(i: number): Sample {
    return this.#samples[i] as Sample;
  }

  /** The newest `most`. */
  newest(most: number): Sample[] {
    const { count } = this;
    const oldest = count < this.#capacity ? 0 : this.#next;
    return Array.from({ length: Math.min(most, count) }, (_, i) => this.at((oldest + count - 1 - i) % count));
  }
}

export class SampleStore {
  readonly #training: Ring;
  readonly #heldOut: Ring;
  readonly #seed: number;

  /** @param capacity samples to learn from; a tenth as many are kept for evaluation */
  constructor(capacity: number, seed: number) {
    this.#training = new Ring(capacity);
    this.#heldOut = new Ring(Math.max(1, Math.floor(capacity / 10)));
    this.#seed = seed;
  }

  get training(): number {
    return this.#training.count;
  }

  /** Samples that are only for evaluation. */
  get evaluation(): number {
    return this.#heldOut.count;
  }

  /** The newest of them. */
  heldOut(most: number): Sample[] {
    return this.#heldOut.newest(most);
  }

  /** A sample without a label is of no use here. */
  add(sample: Sample): void {
    if (sample.label < 0) return;
    (sample.heldOut ? this.#heldOut : this.#training).add(sample);
  }

  /** A batch that depends on the seed, the step and what is there, and on nothing else. */
  batch(step: number, most: number): Sample[] {
    const random = new Random(this.#seed, step);
    const count = Math.min(most, this.#training.count);
    return Array.from({ length: count }, () => this.#training.at(random.below(this.#training.count)));
  }
}
