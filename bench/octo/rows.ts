/**
 * The rows of `npm run bench:octo -- --rows PATTERN`: a net, an arithmetic, a budget. Each row and seed is a training of its own,
 * whose result is kept as it comes; what is there already is not trained again.
 */
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildIntrinsics, buildModules, ROOT } from "../../host/build/modules.ts";
import { type Machine, thisMachine } from "../machine.ts";
import { markdownTable, percent } from "../tables.ts";
import { type Budget, FULL, stepsOf } from "./budget.ts";
import type { ModuleFiles, Outcome } from "./methods.ts";
import { NETS, type NetName } from "./nets.ts";
import { runJobs } from "./pool.ts";
import type { Job } from "./worker.ts";

export interface Row {
  /** `net / budget / method`, as `--rows` looks for it. */
  name: string;
  net: NetName;
  method: "fp32" | "int8";
  /** What the method is called in a table. */
  title: string;
  params: Readonly<Record<string, number>>;
  budget: Budget;
  seeds: readonly number[];
}

export interface RowResult {
  name: string;
  net: NetName;
  title: string;
  budget: Budget;
  /** SHA-256 of the module, for INT8. */
  module?: string;
  machine: Machine;
  /** By seed. */
  outcomes: Record<string, Outcome>;
}

export type RowResults = Record<string, RowResult>;

const TENTH: Budget = { ...FULL, train: 10_000, test: 2_000 };
const WHOLE: Budget = { ...FULL, train: 60_000, test: 10_000 };
const LAC = 1;
const PRC = 2;

const budgetText = ({ train, epochs, cosine }: Budget): string =>
  `${train / 1000}k × ${epochs}${cosine ? " cosine" : ""}`;

function rowsOf(net: NetName, budget: Budget, seeds: readonly number[], methods: readonly Method[]): Row[] {
  return methods.map(({ title, params }) => ({
    name: `${net} / ${budgetText(budget)} / ${title}`,
    net,
    method: params ? "int8" : "fp32",
    title,
    params: params ?? {},
    budget,
    seeds,
  }));
}

interface Method {
  title: string;
  /** None: FP32. */
  params?: Readonly<Record<string, number>>;
}

const FP32: Method = { title: "FP32" };
const INT8: Method = { title: "INT8", params: {} };
const SHIFTS: Method = { title: "INT8, shifts alone", params: { update: 1 } };
const quantised = (bits: number): Method[] =>
  [
    ["", 0],
    [", LAC", LAC],
    [", PRC", PRC],
    [", LAC and PRC", LAC | PRC],
  ].map(([text, layers]) => ({ title: `${bits} bits${text}`, params: { bits, layers: Number(layers) } }));

const SEEDS = [0, 1, 2];

/** More test images: methods differ by less than 2,000 can tell. */
const BITS: Budget = { ...TENTH, test: 10_000, epochs: 3 };

export const ROWS: readonly Row[] = [
  ...rowsOf("6.0k", { ...TENTH, epochs: 10, rate: 0.01, cosine: true }, SEEDS, [FP32, INT8]),
  ...rowsOf("6.0k", BITS, SEEDS, [INT8, ...quantised(2), ...quantised(4), FP32, ...quantised(8), SHIFTS]),
  ...rowsOf("30k", { ...WHOLE, epochs: 4, rate: 0.01, cosine: true }, [0], [INT8, FP32]),
  ...rowsOf("434k", { ...TENTH, epochs: 6, rate: 0.01, cosine: true }, [0], [INT8, FP32]),
  ...rowsOf("MLP", { ...WHOLE, epochs: 2, rate: 0.01, cosine: true }, [0], [INT8, FP32]),
];

/** A module for each size of memory. */
async function modulesOf(
  folder: string,
): Promise<(net: NetName) => Promise<ModuleFiles & { sha256: string }>> {
  await mkdir(folder, { recursive: true });
  const intrinsics = join(folder, "intrinsics.wasm");
  await copyFile(await buildIntrinsics(), intrinsics);
  const made = new Map<number, Promise<ModuleFiles & { sha256: string }>>();
  const make = async (pages: number): Promise<ModuleFiles & { sha256: string }> => {
    const built = await buildModules({
      apps: [join(ROOT, "bench/apps/accuracy/accuracy.ts")],
      targets: ["device"],
      out: join(ROOT, `dist/bench/accuracy-${pages}`),
      options: ["--initialMemory", String(pages), "--maximumMemory", String(pages)],
    });
    const wasm = join(folder, `accuracy-${pages}.wasm`);
    await copyFile(built[0]!.path, wasm);
    return {
      wasm,
      intrinsics,
      sha256: createHash("sha256")
        .update(await readFile(wasm))
        .digest("hex"),
    };
  };
  return (net) => {
    const { pages } = NETS[net];
    const module = made.get(pages) ?? make(pages);
    made.set(pages, module);
    return module;
  };
}

export interface RowsOptions {
  rows: readonly Row[];
  data: "fashion-mnist" | "generated";
  /** What was measured before; gets what is measured now. */
  results: RowResults;
  /** Where modules are kept while they are used. */
  folder: string;
  /** Called after each training. */
  onResult?(row: Row, seed: number, outcome: Outcome): Promise<void>;
}

/** Trains what is not there yet; to train a row again, take it out of the results. */
export async function measureRows({ rows, data, results, folder, onResult }: RowsOptions): Promise<void> {
  const moduleOf = await modulesOf(folder);
  const todo: { row: Row; job: Job; sha256: string | undefined }[] = [];
  for (const row of rows) {
    const module = await moduleOf(row.net);
    const sha256 = row.method === "int8" ? module.sha256 : undefined;
    const known = results[row.name];
    const { number, spec } = NETS[row.net];
    const training = {
      net: spec,
      params: { net: number, steps: stepsOf(row.budget), cosine: row.budget.cosine ? 1 : 0, ...row.params },
    };
    for (const seed of row.seeds) {
      if (known?.outcomes[seed]) continue;
      const job: Job = { method: row.method, module, data, budget: row.budget, seed, training };
      todo.push({ row, job, sha256 });
    }
  }
  let kept: Promise<void> = Promise.resolve();
  await runJobs<Job, Outcome>(
    todo.map(({ job }) => job),
    (job, outcome) => {
      const { row, sha256 } = todo.find((one) => one.job === job)!;
      const { name, net, title, budget } = row;
      const outcomes = { ...results[name]?.outcomes, [job.seed]: outcome };
      results[name] = {
        name,
        net,
        title,
        budget,
        ...(sha256 && { module: sha256 }),
        machine: thisMachine(),
        outcomes,
      };
      kept = kept.then(() => onResult?.(row, job.seed, outcome));
    },
  );
  await kept;
}

/** Results so far; none when there is no file yet. */
export async function readRows(file: string): Promise<RowResults> {
  return readFile(file, "utf8").then(
    (text) => JSON.parse(text) as RowResults,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return {};
      throw error;
    },
  );
}

/** Whole or not at all: a run may be stopped at any time. */
export async function writeRows(file: string, results: RowResults): Promise<void> {
  await writeFile(`${file}.new`, `${JSON.stringify(results, null, 2)}\n`);
  await rename(`${file}.new`, file);
}

/** A line for each row: mean and spread over its seeds. */
export function rowsTable(results: RowResults): string {
  const lines = Object.values(results).map(({ net, title, budget, outcomes }) => {
    const found = Object.values(outcomes).map(({ accuracy }) => accuracy);
    const mean = found.reduce((sum, one) => sum + one, 0) / found.length;
    const spread = `${percent(Math.min(...found))} … ${percent(Math.max(...found))}`;
    const images = `${budget.train.toLocaleString("en-US")} / ${budget.test.toLocaleString("en-US")}`;
    const rate = `${budget.epochs}, ${budget.rate}${budget.cosine ? " cosine" : ""}`;
    return [net, title, images, rate, found.length, percent(mean), spread];
  });
  const head = ["net", "arithmetic", "images", "epochs, rate", "seeds", "mean, %", "from … to"];
  return markdownTable(head, lines, [0, 1, 2, 3]);
}
