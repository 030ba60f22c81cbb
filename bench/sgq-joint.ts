/**
 * `npm run bench:sgq-joint`: networks cut at 7×7×8 and at 14×14×8 whose halves learn together from random weights, on Fashion-MNIST: SGQ's
 * levels up and gradient frames of 4 or 8 bits down, beside FP32 split learning (late cut) and INT8 features of the same net (early cut: of one
 * with 16 channels too), in the same order, with the same budget. Rows are written as they finish, and a second run goes on from them.
 *
 *     --short          few images: seconds, to see that it works
 *     --images N       images of training (20,000), --epochs N over them (2), --seeds N (3)
 *     --untouched      tests on training images on which no choice was measured, instead of the test images
 *     --only PATTERN   only modes whose names match: "7×7×8: FP32 split learning"
 *     --json FILE      writes what docs/benchmarks.md and its curves are made of
 */
import { readFile } from "node:fs/promises";
import { buildCloudKernels, buildSgq } from "../host/build/modules.ts";
import { loadDataset } from "../host/data/dataset.ts";
import { SgqCodec } from "../host/sgq/codec.ts";
import { type GrowingResult, runSgqBench, type SgqBudget } from "./sgq/command.ts";
import { type Cut, EARLY, EARLY_16, LATE } from "./sgq/cuts.ts";
import { EARLY_CUTS, jointTable, LATE_CUT } from "./sgq/joint-report.ts";
import { type JointMode, type JointOutcome, trainSplit } from "./sgq/split-learning.ts";

export interface JointRow extends JointOutcome {
  readonly seed: number;
  /** Shape of the features. */
  readonly cut: string;
  readonly name: string;
}

export type JointResult = GrowingResult<JointRow>;

const sgq = (cut: Cut): JointMode => ({ cut, name: "SGQ, FP32 gradients", up: "sgq" });
const sgqDown = (cut: Cut): JointMode => ({ cut, name: "SGQ, gradients of 4 bits", up: "sgq", down: 4 });
const int8 = (cut: Cut): JointMode => ({ cut, name: "INT8 features, FP32 gradients", up: "int8" });

/** A mode at each cut where it is measured. */
export const JOINT_MODES: readonly JointMode[] = [
  sgqDown(LATE),
  int8(LATE),
  { cut: LATE, name: "FP32 split learning", up: "float" },
  sgq(LATE),
  { cut: LATE, name: "SGQ, gradients of 4 bits, clipped", up: "sgq", down: 4, clipped: true },
  sgq(EARLY),
  sgqDown(EARLY),
  int8(EARLY),
  int8(EARLY_16),
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
      const { name, cut } = mode;
      if (result.rows.some((row) => row.seed === seed && row.name === name && row.cut === cut.name)) continue;
      const outcome = await trainSplit(kernels, codec, dataset, mode, { ...budget, seed });
      result.rows.push({ seed, cut: cut.name, name, ...outcome });
      const { bytes, test } = outcome;
      console.error(
        `seed ${seed}, ${cut.name}: ${name}: ${bytes.toFixed(1)} B, ${(100 * test).toFixed(2)} %`,
      );
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
    all: (budget, wanted): Options => ({
      ...budget,
      modes: JOINT_MODES.filter(({ cut, name }) => wanted(`${cut.name}: ${name}`)),
    }),
    measure: measureJoint,
    table: (result) => [LATE_CUT, EARLY_CUTS].map((cuts) => jointTable(result, cuts)).join("\n\n"),
  });
}
