/**
 * What the regions of bench/apps/*.ts are, in their order, with the multiply-accumulates that their shapes ask for. A
 * MAC is counted whether or not a kernel skips it: below a max pool three errors of four are zero.
 */
import { type LayerPlan, planNet, REFERENCE_NET, trainingMacs } from "../net.ts";
import { LAYERS_APP } from "./layers.ts";

export interface Part {
  name: string;
  /** 0 where nothing is multiplied and summed. */
  macs: number;
}

/** An app of bench/apps and its regions; the first one is empty and tells what a call costs. */
export interface BenchApp {
  app: string;
  title: string;
  parts: readonly Part[];
}

const NOTHING: Part = { name: "nothing", macs: 0 };

const layers = planNet(REFERENCE_NET);
const forwardMacs = (plans: readonly LayerPlan[]): number => plans.reduce((sum, { macs }) => sum + macs, 0);

/** The first layer passes no error on: its backward pass is the weight gradient alone. */
const backward = layers.map(
  ({ name, macs }, index): Part => ({
    name: `${name} backward`,
    macs: macs * (index === 0 ? 1 : 2),
  }),
);

const TRAIN_STEP: BenchApp = {
  app: "train-step",
  title: "Training step of the reference net",
  parts: [
    NOTHING,
    { name: "training step", macs: trainingMacs(REFERENCE_NET) },
    { name: "inference", macs: forwardMacs(layers) },
    ...layers.map(({ name, macs }): Part => ({ name: `${name} forward`, macs })),
    { name: "loss", macs: 0 },
    ...backward.toReversed(),
    { name: "ranges", macs: 0 },
  ],
};

const MLP_STEP: BenchApp = {
  app: "mlp-step",
  title: "Training step of a perceptron 64-32-10",
  parts: [
    NOTHING,
    // as others count it: forward, weight gradients, the error of the hidden layer
    { name: "training step", macs: 2 * (64 * 32) + 3 * (32 * 10) },
  ],
};

/** Height and width of the input, channels, filters, kernel: as SHAPES in bench/apps/intrinsics.ts. */
const SHAPES = [
  [28, 1, 8, 5],
  [12, 8, 16, 5],
  [1, 256, 10, 1],
  [16, 16, 16, 3],
  [1, 64, 32, 1],
] as const;

const INTRINSICS: BenchApp = {
  app: "intrinsics",
  title: "Intrinsics by themselves",
  parts: [
    NOTHING,
    ...SHAPES.flatMap(([size, channels, filters, kernel]): Part[] => {
      const outputs = (size - kernel + 1) ** 2;
      const macs = outputs * filters * kernel * kernel * channels;
      const shape =
        size === 1
          ? `${channels}→${filters}`
          : `${kernel}×${kernel} ${channels}→${filters} ${size - kernel + 1}×${size - kernel + 1}`;
      return ["conv2d", "conv2dGradInput", "conv2dGradWeight"].map((name) => ({
        name: `${name} ${shape}`,
        macs,
      }));
    }),
    { name: "maxPool2d 24×24×8", macs: 0 },
    { name: "maxPool2dGrad 24×24×8", macs: 0 },
    { name: "relu 4,608", macs: 0 },
    { name: "reluGrad 4,608", macs: 0 },
    { name: "absMaxS32 1,152", macs: 0 },
    { name: "requantize 1,152", macs: 0 },
    { name: "sgdUpdate 3,200", macs: 0 },
    { name: "softmaxCrossEntropy 10", macs: 0 },
  ],
};

export const BENCH_APPS: readonly BenchApp[] = [TRAIN_STEP, MLP_STEP, INTRINSICS, LAYERS_APP];
