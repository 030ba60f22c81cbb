/** What both arithmetics get: the same net, images, order and learning rates. */
import { type Dataset, type Images, loadDataset } from "../../host/data/dataset.ts";
import { permutation } from "../../host/data/random.ts";
import { drawColoured } from "./coloured.ts";

export interface Budget {
  /** The first this many images of the training part, and of the test part. */
  train: number;
  test: number;
  epochs: number;
  /** SGD with batch 1; ×`drop` at each share of all steps in `dropsAt`. */
  rate: number;
  drop: number;
  dropsAt: readonly number[];
  /** Down to nothing along half a cosine instead. */
  cosine?: boolean;
  /** Settings are chosen so: test images are those of the training part behind the ones that are learned. */
  validation?: boolean;
}

/** The budget of the published table. */
export const FULL: Budget = {
  train: 10_000,
  test: 2_000,
  epochs: 10,
  rate: 0.005,
  drop: 0.2,
  dropsAt: [0.6, 0.85],
};

/** A budget for CI: seconds, not minutes. */
export const SHORT: Budget = { ...FULL, train: 1_500, test: 500, epochs: 2 };

export const stepsOf = (budget: Budget): number => budget.train * budget.epochs;

/** Learning rate of a step, counted from 0. */
export function rateAt(budget: Budget, step: number): number {
  const share = step / stepsOf(budget);
  if (budget.cosine) return (budget.rate * (1 + Math.cos(Math.PI * share))) / 2;
  return budget.dropsAt.reduce((rate, at) => (share >= at ? rate * budget.drop : rate), budget.rate);
}

/** The images that a step sees: each epoch a new order, which depends on seed and epoch alone. */
export function* orderOf(budget: Budget, seed: number): Generator<number> {
  for (let epoch = 0; epoch < budget.epochs; epoch++) yield* permutation(budget.train, seed, epoch);
}

export type DataName = "fashion-mnist" | "generated" | "coloured";

/** Images have `channels` bytes for each pixel. */
export interface BenchData extends Dataset {
  channels: number;
}

export async function loadData(name: DataName, budget: Budget): Promise<BenchData> {
  const { train, test, validation } = budget;
  const limit = validation ? { train: train + test, test: 1 } : { train, test };
  const dataset =
    name === "coloured" ? drawColoured(limit) : { ...(await loadDataset(name, { limit })), channels: 1 };
  if (!validation) return dataset;
  const size = dataset.height * dataset.width * dataset.channels;
  const part = ({ pixels, labels }: Images, from: number, to: number): Images => ({
    count: to - from,
    pixels: pixels.subarray(from * size, to * size),
    labels: labels.subarray(from, to),
  });
  const { train: images } = dataset;
  return { ...dataset, train: part(images, 0, train), test: part(images, train, images.count) };
}
