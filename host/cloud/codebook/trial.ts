// What choices are compared with: a cloud half that learns for a moment, and how well it does then.

import { setImmediate as breathe } from "node:timers/promises";
import type { BatchResult, Network } from "../network.ts";

export interface Trial {
  readonly network: Network;
  /** Examples that there are. */
  readonly count: number;
  /** Writes example i into a sample of the network, and gives its label. */
  put(i: number, sample: Float32Array): number;
}

const RATE = 0.002;
/** Steps and batches between which other work has its turn: messages are taken in meanwhile. */
const BREATH = 4;

/** Goes over the examples in their order, as often as there are batches, the rate falling to nothing. */
export async function practise(trial: Trial, steps: number): Promise<void> {
  const { network, count } = trial;
  const size = Math.min(network.batch, count);
  for (let step = 0; step < steps; step++) {
    if (step % BREATH === 0) await breathe();
    const labels = fill(trial, size, (slot) => (step * network.batch + slot) % count);
    network.learn(labels, RATE * (1 - step / steps));
  }
}

/** Mean loss, in nats, and how many of all examples are told right. */
export async function examine(trial: Trial): Promise<BatchResult> {
  const { network, count } = trial;
  const sum = { loss: 0, right: 0 };
  for (let from = 0; from < count; from += network.batch) {
    if ((from / network.batch) % BREATH === 0) await breathe();
    const size = Math.min(network.batch, count - from);
    const { loss, right } = network.evaluate(fill(trial, size, (slot) => from + slot));
    sum.loss += size * loss;
    sum.right += right;
  }
  return { loss: sum.loss / count, right: sum.right };
}

const fill = ({ network, put }: Trial, size: number, example: (slot: number) => number): number[] =>
  Array.from({ length: size }, (_, slot) => put(example(slot), network.sample(slot)));

/**
 * The most of 1 … `most` that fits, where less takes no more than more; that of 1 where none does. What is made on the way is not made
 * again.
 */
export async function mostThatFits<T>(
  most: number,
  make: (count: number) => T | Promise<T>,
  fits: (made: T) => boolean,
): Promise<T> {
  let best = await make(1);
  for (let least = 1, beyond = most; least < beyond; ) {
    const middle = (least + beyond + 1) >> 1;
    const next = await make(middle);
    if (fits(next)) [best, least] = [next, middle];
    else beyond = middle - 1;
  }
  return best;
}
