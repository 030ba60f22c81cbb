/**
 * `npm run bench:sgq-joint`: a network cut at 7×7×8 whose halves learn together from random weights, on Fashion-MNIST: SGQ's levels up and
 * gradient frames of 4 or 8 bits down, beside FP32 split learning and INT8 features of the same net, in the same order, with the same
 * budget. Rows are written as they finish, and a second run goes on from them.
 *
 *     --short          few images: seconds, to see that it works
 *     --images N       images of training (20,000), --epochs N over them (2), --seeds N (3)
 *     --only PATTERN   only modes whose names match
 *     --json FILE      writes what docs/benchmarks.md and its curves are made of
 */
import { readFile } from "node:fs/promises";
import { buildCloudKernels, buildSgq } from "../host/build/modules.ts";
import { loadDataset } from "../host/data/dataset.ts";
import { SgqCodec } from "../host/sgq/codec.ts";
import { type GrowingResult, runSgqBench, type SgqBudget } from "./sgq/command.ts";
import { jointTable } from "./sgq/joint-report.ts";
import { type JointMode, type JointOutcome, trainSplit } from "./sgq/split-learning.ts";

export interface JointRow extends JointOutcome {
  readonly seed: number;
  readonly name: string;
}

export type JointResult = GrowingResult<JointRow>;

export const JOINT_MODES: readonly JointMode[] = [
  { name: "SGQ, gradients of 4 bits", up: "sgq", down: 4 },
  { name: "INT8 features, FP32 gradients", up: "int8" },
  { name: "FP32 split learning", up: "float" },
  { name: "SGQ, FP32 gradients", up: "sgq" },
  { name: "SGQ, gradients of 4 bits, clipped", up: "sgq", down: 4, clipped: true },
];

interface Options extends SgqBudget {
  readonly modes: readonly JointMode[];
}

/** Measures what `result` does not have yet; `keep` is called after every row. */
export async function measureJoint(
  result: JointResult,
  { seeds, modes, ...budget }: Options,
  keep: () => Promise<void>,
): Promise<void> {
  const codec = await SgqCodec.load(await readFile(await buildSgq()));
  const kernels = await readFile(await buildCloudKernels());
  const dataset = await loadDataset("fashion-mnist");
  result.dataset = dataset.name;
  for (let seed = 1; seed <= seeds; seed++) {
    for (const mode of modes) {
      if (result.rows.some((row) => row.seed === seed && row.name === mode.name)) continue;
      const outcome = await trainSplit(kernels, codec, dataset, mode, { ...budget, seed });
      result.rows.push({ seed, name: mode.name, ...outcome });
      const { bytes, test } = outcome;
      console.error(`seed ${seed}: ${mode.name}: ${bytes.toFixed(1)} B, ${(100 * test).toFixed(2)} %`);
      await keep();
    }
  }
}

/** What tests run. */
export const SHORT_JOINT: Options = {
  images: 320,
  epochs: 1,
  seeds: 1,
  validation: 64,
  test: 64,
  modes: JOINT_MODES,
};

if (process.argv[1] === import.meta.filename) {
  await runSgqBench({
    short: SHORT_JOINT,
    all: (budget, wanted): Options => ({ ...budget, modes: JOINT_MODES.filter(({ name }) => wanted(name)) }),
    measure: measureJoint,
    table: jointTable,
  });
}
