/**
 * The rows of `npm run bench:octo -- --rows PATTERN`: a net, an arithmetic, a budget. Each row and seed is a training of its own,
 * whose result is kept as it comes; what is there already is not trained again.
 */
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildIntrinsics, buildModules, ROOT } from "../../host/build/modules.ts";
import { type Machine, thisMachine } from "../machine.ts";
import { markdownTable, percent } from "../tables.ts";
import { type Budget, type DataName, FULL, stepsOf } from "./budget.ts";
import { type ModuleFiles, type Outcome, stepsToGoal } from "./methods.ts";
import { NETS, type NetName } from "./nets.ts";
import { runJobs } from "./pool.ts";
import type { Job } from "./worker.ts";

export interface Row {
  /** `net / budget / method`, as `--rows` looks for it. */
  name: string;
  net: NetName;
  method: Job["method"];
  /** Trained by C: FP32 by boards/runtime/fp32, INT8 by the posix firmware. */
  native: boolean;
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
  /** What computed; absent: Node, with evaluations in its seconds. */
  engine?: "boards/runtime/fp32, C" | "posix firmware, wasm3 and C" | "Node, V8";
  /** SHA-256 of the module, for INT8. */
  module?: string;
  machine: Machine;
  /** By seed. */
  outcomes: Record<string, Outcome>;
}

export type RowResults = Record<string, RowResult>;

/** All test images at the end, since methods differ by less than 2,000 can tell; on the first 2,000 there is the curve. */
const TENTH: Budget = { ...FULL, train: 10_000, test: 10_000 };
const WHOLE: Budget = { ...FULL, train: 60_000, test: 10_000 };
const LAC = 1;
const PRC = 2;

const budgetText = ({ train, epochs, cosine }: Budget): string =>
  `${train / 1000}k × ${epochs}${cosine ? " cosine" : ""}`;

function rowsOf(net: NetName, budget: Budget, seeds: readonly number[], methods: readonly Method[]): Row[] {
  return methods.map(({ title, params, method }) => ({
    name: `${net} / ${budgetText(budget)} / ${title}`,
    net,
    method: method ?? (params ? "int8" : "fp32"),
    // compensation, grids and shifts are code of the module, which V8 compiles and wasm3 interprets
    native: method === undefined && (params === undefined || Object.keys(params).length === 0),
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
  method?: "pocket";
}

const FP32: Method = { title: "FP32" };
const INT8: Method = { title: "INT8", params: {} };
const SHIFTS: Method = { title: "INT8, shifts alone", params: { update: 1 } };
const POCKET: Method = { title: "PocketNN-like, 32 bits", method: "pocket" };
const quantised = (bits: number): Method[] =>
  [
    ["", 0],
    [", LAC", LAC],
    [", PRC", PRC],
    [", LAC and PRC", LAC | PRC],
  ].map(([text, layers]) => ({ title: `${bits} bits${text}`, params: { bits, layers: Number(layers) } }));

const SEEDS = [0, 1, 2];

const COSINE = { rate: 0.01, cosine: true };
export const ROWS: readonly Row[] = [
  ...rowsOf("434k", { ...TENTH, ...COSINE }, SEEDS, [FP32, INT8]),
  ...rowsOf("30k", { ...WHOLE, ...COSINE, epochs: 6 }, SEEDS, [FP32, INT8]),
  ...rowsOf("6.0k", { ...TENTH, ...COSINE }, SEEDS, [FP32, INT8, SHIFTS]),
  ...rowsOf("MLP", { ...WHOLE, ...COSINE, epochs: 6 }, SEEDS, [FP32, INT8, POCKET]),
  ...rowsOf("residual", { ...TENTH, ...COSINE, epochs: 5 }, SEEDS, [FP32, INT8]),
  ...rowsOf("6.0k", { ...TENTH, ...COSINE }, SEEDS, [...quantised(4), ...quantised(2), ...quantised(8)]),
  ...rowsOf("6.0k", { ...TENTH, epochs: 3 }, SEEDS, [INT8, ...quantised(4), ...quantised(2)]),
  // whether compensation pays where two bits lose more
  ...rowsOf("residual", { ...TENTH, ...COSINE, epochs: 5 }, SEEDS, quantised(2).slice(0, 2)),
  ...(["residual", "30k", "MLP"] as const).flatMap((net) =>
    rowsOf(net, { ...TENTH, epochs: 3 }, SEEDS, [INT8, ...quantised(2).slice(0, 2)]),
  ),
];

/** The same row in seconds, on one seed; its name says so. */
export const inShort = (row: Row): Row => ({
  ...row,
  name: `${row.name} (short)`,
  budget: { ...row.budget, train: 600, test: 200, epochs: 2 },
  seeds: row.seeds.slice(0, 1),
});

export type AccuracyModule = ModuleFiles & { sha256: string };

/** Builds bench/apps/accuracy with so many pages of memory, and copies it to `folder`. */
export async function moduleWith(pages: number, folder: string): Promise<AccuracyModule> {
  await mkdir(folder, { recursive: true });
  const intrinsics = join(folder, "intrinsics.wasm");
  await copyFile(await buildIntrinsics(), intrinsics);
  const built = await buildModules({
    apps: [join(ROOT, "bench/apps/accuracy/accuracy.ts")],
    targets: ["device"],
    out: join(ROOT, `dist/bench/accuracy-${pages}`),
    options: ["--initialMemory", String(pages), "--maximumMemory", String(pages)],
  });
  const wasm = join(folder, `accuracy-${pages}.wasm`);
  await copyFile(built[0]!.path, wasm);
  const sha256 = createHash("sha256")
    .update(await readFile(wasm))
    .digest("hex");
  return { wasm, pages, intrinsics, sha256 };
}

/** A module for each size of memory. */
function modulesOf(folder: string): (net: NetName) => Promise<AccuracyModule> {
  const made = new Map<number, Promise<AccuracyModule>>();
  return (net) => {
    const { pages } = NETS[net];
    const module = made.get(pages) ?? moduleWith(pages, folder);
    made.set(pages, module);
    return module;
  };
}

export interface RowsOptions {
  rows: readonly Row[];
  /** Drawn images in place of Fashion-MNIST. */
  drawn?: boolean;
  /** Workers at the same time; by default as many as cores. */
  parallel?: number;
  /** What was measured before; gets what is measured now. */
  results: RowResults;
  /** Where modules are kept while they are used. */
  folder: string;
  /** Called after each training. */
  onResult?(row: Row, seed: number, outcome: Outcome): Promise<void>;
}

/** Trains what is not there yet; to train a row again, take it out of the results. */
export async function measureRows(options: RowsOptions): Promise<void> {
  const { rows, results, folder, onResult } = options;
  const moduleOf = modulesOf(folder);
  const todo: { row: Row; job: Job; sha256: string | undefined }[] = [];
  for (const row of rows) {
    const module = await moduleOf(row.net);
    const sha256 = row.method === "int8" ? module.sha256 : undefined;
    const known = results[row.name];
    const { number, spec, data: own } = NETS[row.net];
    const data: DataName = options.drawn && own === "fashion-mnist" ? "generated" : own;
    const training = {
      net: spec,
      params: { net: number, steps: stepsOf(row.budget), cosine: row.budget.cosine ? 1 : 0, ...row.params },
    };
    for (const seed of row.seeds) {
      if (known?.outcomes[seed]) continue;
      const { method, budget, native } = row;
      const job: Job = { method, module, data, budget, seed, training, native };
      todo.push({ row, job, sha256 });
    }
  }
  // the first seed of every row, then the others
  todo.sort((a, b) => a.row.seeds.indexOf(a.job.seed) - b.row.seeds.indexOf(b.job.seed));
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
        engine: !row.native ? "Node, V8" : sha256 ? "posix firmware, wasm3 and C" : "boards/runtime/fp32, C",
        ...(sha256 && { module: sha256 }),
        machine: thisMachine(),
        outcomes,
      };
      kept = kept.then(() => onResult?.(row, job.seed, outcome));
    },
    options.parallel,
  );
  await kept;
}

/** Results so far; none when there is no file yet. @throws Error that names what is wrong with the file */
export async function readRows(file: string): Promise<RowResults> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "{}";
    throw error;
  });
  const refuse = (why: string): never => {
    throw new Error(`${file}: ${why}. Give --json another file, or mend this one`);
  };
  let results: unknown;
  try {
    results = JSON.parse(text);
  } catch (error) {
    return refuse(`no JSON (${error instanceof Error ? error.message : error})`);
  }
  if (!isObject(results)) return refuse("holds no rows");
  for (const [name, row] of Object.entries(results)) {
    if (!isObject(row) || row.name !== name || !isObject(row.budget) || !isObject(row.outcomes))
      return refuse(`${JSON.stringify(name)} is no row of this table`);
    for (const [seed, outcome] of Object.entries(row.outcomes)) {
      const accuracy = isObject(outcome) ? outcome.accuracy : undefined;
      if (!(typeof accuracy === "number" && accuracy >= 0 && accuracy <= 1))
        return refuse(`seed ${seed} of ${JSON.stringify(name)} has no accuracy`);
    }
  }
  return results as RowResults;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A line for each row: mean and spread over its seeds. */
export function rowsTable(results: RowResults): string {
  const lines = Object.values(results).map(({ net, title, budget, outcomes, engine }) => {
    const all = Object.values(outcomes);
    const mean = (values: readonly number[]): number =>
      values.reduce((sum, one) => sum + one, 0) / values.length;
    const found = all.map(({ accuracy }) => accuracy);
    // what ends a curve is the last step, on the first test images
    const first = all.flatMap(({ curve }) => curve?.at(-1)?.[1] ?? []);
    const seconds = all.flatMap(({ seconds }) => (engine ? (seconds ?? []) : []));
    const images = `${budget.train.toLocaleString("en-US")} / ${budget.test.toLocaleString("en-US")}`;
    const rate = `${budget.epochs}, ${budget.rate}${budget.cosine ? " cosine" : ""}`;
    return [
      net,
      title,
      images,
      rate,
      all.length,
      percent(mean(found)),
      `${percent(Math.min(...found))} … ${percent(Math.max(...found))}`,
      first.length === all.length ? percent(mean(first)) : "",
      goalText(all),
      seconds.length > 0 ? mean(seconds).toFixed(0) : "",
    ];
  });
  const head = [
    ...["net", "arithmetic", "images", "epochs, rate", "seeds", "mean, %", "from … to"],
    ...["first 2,000, %", "steps to 85 %", "seconds"],
  ];
  return markdownTable(head, lines, [0, 1, 2, 3]);
}

/** Mean of the steps to the goal; how many seeds came there, when not all did; nothing when nobody looked. */
function goalText(outcomes: readonly Outcome[]): string {
  if (outcomes.some(({ curve }) => curve === undefined)) return "";
  const reached = outcomes.flatMap((outcome) => stepsToGoal(outcome) ?? []);
  if (reached.length === 0) return "never";
  const mean = Math.round(reached.reduce((sum, one) => sum + one, 0) / reached.length).toLocaleString(
    "en-US",
  );
  return reached.length < outcomes.length ? `${mean} (${reached.length} of ${outcomes.length})` : mean;
}
