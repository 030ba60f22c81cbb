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
import { readFile, writeFile } from "node:fs/promises";
import { buildCloudKernels, buildSgq } from "../host/build/modules.ts";
import { loadDataset } from "../host/data/dataset.ts";
import { SgqCodec } from "../host/sgq/codec.ts";
import { parseArgs } from "./arguments.ts";
import { type Machine, thisMachine } from "./machine.ts";
import { jointTable } from "./sgq/joint-report.ts";
import { type JointBudget, type JointMode, type JointOutcome, trainSplit } from "./sgq/split-learning.ts";

export interface JointRow extends JointOutcome {
  readonly seed: number;
  readonly name: string;
}

export interface JointResult {
  machine: Machine;
  dataset: string;
  images: number;
  epochs: number;
  rows: JointRow[];
}

export const JOINT_MODES: readonly JointMode[] = [
  { name: "SGQ, gradients of 4 bits", up: "sgq", down: 4 },
  { name: "INT8 features, FP32 gradients", up: "int8" },
  { name: "FP32 split learning", up: "float" },
  { name: "SGQ, FP32 gradients", up: "sgq" },
];

type Options = Omit<JointBudget, "seed"> & { readonly seeds: number; readonly modes: readonly JointMode[] };

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

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      short: { type: "boolean", default: false },
      images: { type: "string", default: "20000" },
      epochs: { type: "string", default: "2" },
      seeds: { type: "string", default: "3" },
      only: { type: "string", default: "" },
      json: { type: "string" },
    },
  });
  const { json } = values;
  const only = new RegExp(values.only);
  const options: Options = values.short
    ? SHORT_JOINT
    : {
        images: Number(values.images),
        epochs: Number(values.epochs),
        seeds: Number(values.seeds),
        validation: 5000,
        test: 10_000,
        modes: JOINT_MODES.filter(({ name }) => only.test(name)),
      };
  const { images, epochs } = options;
  const fresh: JointResult = { machine: thisMachine(), dataset: "", images, epochs, rows: [] };
  const old = json === undefined ? undefined : await readFile(json, "utf8").catch(() => undefined);
  const known = old === undefined ? undefined : (JSON.parse(old) as JointResult);
  const result = known && known.images === images && known.epochs === epochs ? known : fresh;
  await measureJoint(result, options, async () => {
    if (json !== undefined) await writeFile(json, `${JSON.stringify(result)}\n`);
  });
  console.log(jointTable(result));
}

if (process.argv[1] === import.meta.filename) await main();
