/**
 * `npm run bench:personalise`: a backbone that learned eight classes of Fashion-MNIST is shown two more on the device, 20 samples of each, with
 * and without a replay buffer: what it knows of the new ones, and what it still knows of the old ones.
 *
 *     --short            a budget of seconds, one seed
 *     --seeds 0,1,2      seeds (initial weights, order, samples, draws)
 *     --new 8,9          the classes that the backbone does not know
 *     --pairs 0,1/2,6    others, of which the first two rows are made as well
 *     --validate         the 2,000 training images behind the first 10,000 instead of the test images: settings are chosen on these
 *     --generated        drawn glyphs instead of Fashion-MNIST
 *     --json FILE        writes what docs/benchmarks.md is made of
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type BuiltModule, buildIntrinsics, buildModules, ROOT } from "../host/build/modules.ts";
import { loadDataset } from "../host/data/dataset.ts";
import { permutation } from "../host/data/random.ts";
import { parseArgs } from "./arguments.ts";
import { writeJson } from "./json.ts";
import { type Machine, machineText, thisMachine } from "./machine.ts";
import {
  type Method,
  type Outcome,
  type PersonaliseBudget,
  personalise,
  samplesOf,
  trainBackbone,
} from "./personalise/run.ts";
import { markdownTable, percent } from "./tables.ts";

export const FULL: PersonaliseBudget = {
  train: 10_000,
  test: 2_000,
  fresh: [8, 9],
  epochs: 5,
  backboneRate: 0.005,
  life: 400,
  shots: 20,
  shows: 15,
  rate: 0.0005,
};
/** A budget for CI: seconds, not minutes. */
export const SHORT: PersonaliseBudget = { ...FULL, train: 1_500, test: 300, epochs: 1, life: 150 };

/** As the app has it, then with less. */
const APP = { buffer: 16_384, bits: 2, replays: 9, last: 1 };
export const METHODS: readonly Method[] = [
  { ...APP, name: "16 KB" },
  { ...APP, name: "none", buffer: 448, replays: 0 },
  { ...APP, name: "2 KB", buffer: 2048 },
  { ...APP, name: "4 KB", buffer: 4096 },
  { ...APP, name: "16 KB, 4 bits", bits: 4 },
  { ...APP, name: "16 KB, 8 bits", bits: 8 },
  { ...APP, name: "16 KB, 1 old sample with each new one", replays: 1 },
  { ...APP, name: "none, all layers learn", buffer: 448, replays: 0, last: 3 },
  { ...APP, name: "16 KB of frames, all layers learn", last: 3 },
];

/** What `--json` writes. */
export interface PersonaliseResult {
  data: { name: string; source: string; classes: readonly string[] };
  budget: PersonaliseBudget;
  module: { bytes: number; sha256: string };
  machine: Machine;
  seeds: readonly number[];
  methods: Measured[];
  /** Other classes that the backbone does not know. */
  pairs: { fresh: readonly number[]; methods: Measured[] }[];
}

/** An outcome for each seed. */
export interface Measured {
  method: Method;
  outcomes: Outcome[];
}

/** What is left out of the usual run. */
export interface PersonaliseMore {
  pairs?: readonly (readonly number[])[];
  validate?: boolean;
  /** Takes what there is after each pair of classes. */
  keep?(result: PersonaliseResult): void | Promise<void>;
}

export async function measurePersonalise(
  budget: PersonaliseBudget,
  seeds: readonly number[],
  data: "fashion-mnist" | "generated",
  tell: (text: string) => void = () => {},
  { pairs = [], validate = false, keep = () => {} }: PersonaliseMore = {},
): Promise<PersonaliseResult> {
  const [built] = await buildModules({ targets: ["device"], apps: [`${ROOT}/assembly/apps/personalise.ts`] });
  const bytes = async (path: string): Promise<Uint8Array<ArrayBuffer>> =>
    new Uint8Array(await readFile(path));
  const wasm = await bytes((built as BuiltModule).path);
  const modules = { wasm, intrinsics: await bytes(await buildIntrinsics()) };
  const behind = validate ? budget.test : 0;
  const dataset = await loadDataset(data, { limit: { train: budget.train + behind, test: budget.test } });
  const all = samplesOf(dataset, dataset.train, false);
  const train = all.slice(0, budget.train);
  const test = validate
    ? all.slice(budget.train).map((sample) => ({ ...sample, heldOut: true }))
    : samplesOf(dataset, dataset.test, true);
  const measured = (methods: readonly Method[]): Measured[] =>
    methods.map((method) => ({ method, outcomes: [] }));
  const methods = measured(METHODS);
  const { name, source, classes } = dataset;
  const result: PersonaliseResult = {
    data: { name, source, classes },
    budget,
    module: { bytes: wasm.length, sha256: createHash("sha256").update(wasm).digest("hex") },
    machine: thisMachine(),
    seeds,
    methods,
    pairs: [],
  };
  const others = pairs.map((fresh) => ({ fresh, methods: measured(METHODS.slice(0, 2)) }));
  for (const { fresh: unknown, methods: rows } of [{ fresh: budget.fresh, methods }, ...others]) {
    const old = train.filter(({ label }) => !unknown.includes(label));
    for (const seed of seeds) {
      const backbone = await trainBackbone(modules, old, budget, seed);
      tell(`seed ${seed}: the backbone knows all classes but ${unknown.join(" and ")}`);
      const life = [...permutation(old.length, seed, 78)].slice(0, budget.life).map((i) => old[i]!);
      const order = [...permutation(train.length, seed, 77)].map((i) => train[i]!);
      const fresh = unknown.flatMap((label) =>
        order.filter((sample) => sample.label === label).slice(0, budget.shots),
      );
      for (const { method, outcomes } of rows) {
        const situation = {
          modules,
          backbone,
          life,
          fresh,
          test,
          budget: { ...budget, fresh: unknown },
          seed,
        };
        const outcome = await personalise(situation, method);
        outcomes.push(outcome);
        tell(
          `seed ${seed}, ${method.name}: ${percent(outcome.after.old / outcome.before.old)} % of what it knew, new ${percent(outcome.after.fresh)} %`,
        );
      }
    }
    result.pairs = others.filter((pair) => pair.methods[0]!.outcomes.length === seeds.length);
    await keep(result);
  }
  return result;
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** Mean (least to largest) over the seeds. */
function spread(values: readonly number[]): string {
  return `${percent(meanOf(values))} (${percent(Math.min(...values))} … ${percent(Math.max(...values))})`;
}

const kept = ({ before, after }: Outcome): number => after.old / before.old;

export function personaliseTable({ methods }: PersonaliseResult): string {
  return markdownTable(
    ["replay buffer", "samples", "old, %", "of what it knew, %", "new, %", "steps", "linear memory, bytes"],
    methods.map(({ method, outcomes }) => [
      method.name,
      method.replays ? Math.round(meanOf(outcomes.map(({ kept }) => kept))) : "–",
      spread(outcomes.map(({ after }) => after.old)),
      spread(outcomes.map(kept)),
      spread(outcomes.map(({ after }) => after.fresh)),
      Math.round(meanOf(outcomes.map(({ steps }) => steps))),
      Math.max(...outcomes.map(({ memory }) => memory)),
    ]),
  );
}

const namesOf = (fresh: readonly number[], { data }: PersonaliseResult): string =>
  fresh.map((label) => data.classes[label] ?? String(label)).join(" and ");

/** Other pairs of classes. */
export function pairsTable(result: PersonaliseResult): string {
  return markdownTable(
    ["new classes", "replay buffer", "of what it knew, %", "new, %"],
    result.pairs.flatMap(({ fresh, methods }) =>
      methods.map(({ method, outcomes }) => [
        namesOf(fresh, result),
        method.name,
        spread(outcomes.map(kept)),
        spread(outcomes.map(({ after }) => after.fresh)),
      ]),
    ),
  );
}

/** What the table is about. */
export function personaliseText(result: PersonaliseResult): string {
  const { data, budget, module, seeds, methods, machine } = result;
  const number = (value: number): string => value.toLocaleString("en-US");
  const before = methods.flatMap(({ outcomes }) => outcomes.map((outcome) => outcome.before.old));
  const fresh = namesOf(budget.fresh, result);
  return [
    `${data.name}, the first ${number(budget.train)} training and ${number(budget.test)} test images. The backbone has learned`,
    `the classes but ${fresh} for ${budget.epochs} epochs and tells ${percent(meanOf(before))} % of their test images.`,
    `On the device: ${budget.life} more images of these, then ${fresh}, ${budget.shots} images of each, shown`,
    `${budget.shows} times, SGD ${budget.rate}. Accuracies are among all ten classes; mean (least … largest) of seeds ${seeds.join(", ")}.`,
    `Device module of ${number(module.bytes)} bytes; ${machineText(machine)}.`,
  ].join("\n");
}

function wholes(name: string, text: string): number[] {
  return text.split(",").map((part) => {
    const value = Number(part);
    if (part.trim() === "" || !Number.isInteger(value) || value < 0)
      throw new Error(`--${name} ${text}: not whole numbers`);
    return value;
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      short: { type: "boolean", default: false },
      generated: { type: "boolean", default: false },
      seeds: { type: "string" },
      new: { type: "string" },
      pairs: { type: "string" },
      validate: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const base = values.short ? SHORT : FULL;
  const budget = { ...base, fresh: wholes("new", values.new ?? base.fresh.join(",")) };
  const seeds = wholes("seeds", values.seeds ?? (values.short ? "0" : "0,1,2"));
  const data = values.generated ? "generated" : "fashion-mnist";
  const pairs = values.pairs?.split("/").map((pair) => wholes("pairs", pair)) ?? [];
  const keep = async (made: PersonaliseResult): Promise<void> => {
    if (values.json) await writeJson(values.json, made);
  };
  const more = { pairs, validate: values.validate, keep };
  const result = await measurePersonalise(budget, seeds, data, (text) => console.log(text), more);
  console.log(`\n${personaliseText(result)}\n\n${personaliseTable(result)}`);
  if (pairs.length > 0) console.log(`\n${pairsTable(result)}`);
}

if (process.argv[1] === import.meta.filename) {
  await main();
}
