/**
 * `npm run bench:octo`: FP32 against INT8 on the same net, images, order and learning rates.
 *
 *     --short            a budget of seconds, one seed
 *     --seeds 0,1,2      seeds (initial weights, order, draws)
 *     --epochs N, --train N, --test N
 *     --target device    which build of the module trains: device (default) or portable; the bits are the same
 *     --generated        drawn glyphs instead of Fashion-MNIST
 *     --rows PATTERN     the rows of bench/octo/rows.ts whose name PATTERN fits: more nets, and weights of few bits; what --json FILE
 *                        has already is not trained again; --parallel N at the same time
 *     --endurance STEPS  one long training at a constant rate: whether weights or ranges run away
 *     --cost             instructions and RAM of a training step on the emulated Cortex-M4, beside FP32 in C with the FPU
 *     --normalisation    whether a normalisation that suits batch 1 earns its cost, screened in FP32
 *     --json FILE        writes what docs/benchmarks.md is made of
 */
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { Target } from "../host/build/modules.ts";
import type { Dataset } from "../host/data/dataset.ts";
import { parseArgs, whole } from "./arguments.ts";
import { writeJson } from "./json.ts";
import { type Machine, machineText, thisMachine } from "./machine.ts";
import { type Budget, FULL, loadData, SHORT } from "./octo/budget.ts";
import { COST_ROWS, COST_SHORT, type CostRow, costTable, measureCost } from "./octo/cost.ts";
import { type EnduranceOptions, enduranceTable, measureEndurance } from "./octo/endurance.ts";
import { type Outcome, trainerModule } from "./octo/methods.ts";
import {
  measureNormalisation,
  NORMALISATION,
  type NormalisationRow,
  normalisationTable,
} from "./octo/normalisation.ts";
import { runJobs } from "./octo/pool.ts";
import { inShort, measureRows, ROWS, type Row, readRows, rowsTable } from "./octo/rows.ts";
import type { Job } from "./octo/worker.ts";

/** What `--json` writes; accuracies are 0 … 1. */
export interface OctoResult {
  data: { name: string; source: string; train: number; test: number };
  budget: Budget;
  module: { target: Target; bytes: number; sha256: string };
  machine: Machine;
  runs: { seed: number; fp32: Outcome; int8: Outcome }[];
  mean: { fp32: number; int8: number };
}

export interface OctoOptions {
  budget: Budget;
  seeds: readonly number[];
  target: Target;
  data: "fashion-mnist" | "generated";
  onResult?(job: Job, result: Outcome): void;
}

export async function measureOcto(options: OctoOptions): Promise<OctoResult> {
  const { budget, seeds, target, data } = options;
  const dataset = await loadData(data, budget);
  const folder = await mkdtemp(join(tmpdir(), "octomote-bench-"));
  try {
    const module = await trainerModule(target, folder);
    const jobs = (["int8", "fp32"] as const).flatMap((method) =>
      seeds.map((seed): Job => ({ method, module, data, budget, seed })),
    );
    const outcomes = await runJobs<Job, Outcome>(jobs, options.onResult);
    return summarise(options, dataset, jobs, outcomes, await readFile(module.wasm));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function summarise(
  { seeds, budget, target }: OctoOptions,
  dataset: Dataset,
  jobs: readonly Job[],
  outcomes: readonly Outcome[],
  wasm: Uint8Array,
): OctoResult {
  const of = (method: "fp32" | "int8", seed: number): Outcome =>
    outcomes[jobs.findIndex((job) => job.method === method && job.seed === seed)]!;
  const runs = seeds.map((seed) => ({ seed, fp32: of("fp32", seed), int8: of("int8", seed) }));
  const mean = (method: "fp32" | "int8"): number =>
    runs.reduce((sum, run) => sum + run[method].accuracy, 0) / runs.length;
  return {
    data: {
      name: dataset.name,
      source: dataset.source,
      train: dataset.train.count,
      test: dataset.test.count,
    },
    budget,
    module: { target, bytes: wasm.length, sha256: createHash("sha256").update(wasm).digest("hex") },
    machine: thisMachine(),
    runs,
    mean: { fp32: mean("fp32"), int8: mean("int8") },
  };
}

const percent = (share: number): string => (100 * share).toFixed(2).padStart(6);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      short: { type: "boolean", default: false },
      generated: { type: "boolean", default: false },
      seeds: { type: "string" },
      epochs: { type: "string" },
      train: { type: "string" },
      test: { type: "string" },
      target: { type: "string", default: "device" },
      rows: { type: "string" },
      parallel: { type: "string" },
      endurance: { type: "string" },
      cost: { type: "boolean", default: false },
      normalisation: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  if (values.rows !== undefined)
    return trainRows(
      values.rows,
      values.json,
      whole("parallel", values.parallel, availableParallelism()),
      values.short,
    );
  if (values.normalisation) return normalise(values.short, values.json);
  if (values.cost) return count(values.short ? COST_SHORT : COST_ROWS, values.json);
  if (values.endurance !== undefined) {
    const steps = whole("endurance", values.endurance, 0);
    return endure({ ...(values.short ? ENDURANCE_SHORT : ENDURANCE), steps }, values.json);
  }
  const base = values.short ? SHORT : FULL;
  const target = values.target;
  if (target !== "device" && target !== "portable") throw new Error("--target is device or portable");
  const budget = {
    ...base,
    epochs: whole("epochs", values.epochs, base.epochs),
    train: whole("train", values.train, base.train),
    test: whole("test", values.test, base.test),
  };
  const seeds = (values.seeds ?? (values.short ? "0" : "0,1,2"))
    .split(",")
    .map((text) => whole("seeds", text));
  const started = Date.now();
  const result = await measureOcto({
    budget,
    seeds,
    target,
    data: values.generated ? "generated" : "fashion-mnist",
    onResult: ({ method, seed }, { accuracy }) => {
      const seconds = ((Date.now() - started) / 1000).toFixed(0);
      console.log(`${method} seed ${seed}: ${percent(accuracy)} %  (after ${seconds} s)`);
    },
  });
  print(result);
  if (values.json) await writeJson(values.json, result);
}

async function count(rows: readonly CostRow[], file: string | undefined): Promise<void> {
  const costs = await measureCost(rows, ({ net, title, target, instructions }) =>
    console.log(`${net}, ${title}, ${target ?? "C"}: ${instructions} instructions`),
  );
  console.log(`\n${costTable(costs)}`);
  if (file) await writeJson(file, costs);
}

async function normalise(short: boolean, file: string | undefined): Promise<void> {
  const before = file ? await readFile(file, "utf8").catch(() => "{}") : "{}";
  const rows: NormalisationRow[] = JSON.parse(before).rows ?? [];
  const budget = short ? { ...NORMALISATION, train: 300, test: 100, epochs: 1 } : NORMALISATION;
  const result = await measureNormalisation({
    ...{ budget, rows, data: short ? "generated" : "fashion-mnist" },
    // kept as it comes: it takes a while
    onRun: async ({ net, method, accuracies }, seed) => {
      console.log(`${net}, ${method}, seed ${seed}: ${percent(accuracies[seed]!)} %`);
      if (file) await writeJson(file, { budget, machine: thisMachine(), rows });
    },
  });
  console.log(`\n${normalisationTable(result)}`);
}

const ENDURANCE = { checkpoints: 20, data: "fashion-mnist", train: 60_000, test: 2_000 } as const;
const ENDURANCE_SHORT = { checkpoints: 4, data: "generated", train: 1_000, test: 300 } as const;

async function endure(options: EnduranceOptions, file: string | undefined): Promise<void> {
  const result = await measureEndurance({
    ...options,
    // kept as it comes: it takes a while
    onCheckpoint: async ({ steps, accuracy, saturated }, soFar) => {
      console.log(`${steps} steps: ${percent(accuracy)} %, ${saturated} weights at the edge`);
      if (file) await writeJson(file, soFar);
    },
  });
  console.log(`\n${enduranceTable(result)}`);
}

/** Trains what is missing of these rows; keeps each result as it comes. */
async function trainRows(
  pattern: string,
  file: string | undefined,
  parallel: number,
  short: boolean,
): Promise<void> {
  if (file === undefined) throw new Error("--rows needs --json FILE, which keeps what has been trained");
  const rows = ROWS.filter(({ name }) => new RegExp(pattern).test(name)).map((row) =>
    short ? inShort(row) : row,
  );
  if (rows.length === 0)
    throw new Error(`--rows ${pattern}: fits none of\n${ROWS.map(({ name }) => name).join("\n")}`);
  const results = await readRows(file);
  const folder = await mkdtemp(join(tmpdir(), "octomote-bench-"));
  try {
    const onResult = async ({ name }: Row, seed: number, { accuracy }: Outcome): Promise<void> => {
      console.log(`${name} seed ${seed}: ${percent(accuracy)} %`);
      await writeJson(file, results);
    };
    await measureRows({ rows, parallel, results, folder, onResult, drawn: short });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  console.log(`\n${rowsTable(results)}`);
}

function print({ data, budget, module, machine, runs, mean }: OctoResult): void {
  const drops = budget.dropsAt.map((share) => `${100 * share} %`).join(" and ");
  console.log(
    `\n${data.name} (${data.source}), the first ${data.train} training and ${data.test} test images`,
    `\nconv 5×5×8, relu, pool, conv 5×5×16, relu, pool, dense 10; batch 1, ${budget.epochs} epochs,`,
    `SGD ${budget.rate}, ×${budget.drop} at ${drops}; ${module.target} module (${module.bytes} bytes)`,
    `\n${machineText(machine)}\n`,
  );
  console.log("  seed    FP32    INT8    difference");
  for (const { seed, fp32, int8 } of runs) {
    console.log(
      `${String(seed).padStart(6)}  ${percent(fp32.accuracy)}  ${percent(int8.accuracy)}        ${percent(int8.accuracy - fp32.accuracy)}`,
    );
  }
  console.log(
    `  mean  ${percent(mean.fp32)}  ${percent(mean.int8)}        ${percent(mean.int8 - mean.fp32)}`,
  );
}

if (process.argv[1] === import.meta.filename) {
  await main();
}
