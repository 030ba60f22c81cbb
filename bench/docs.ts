/**
 * `npm run bench:docs`: puts the tables of bench/results/*.json into docs/benchmarks.md, between the comments that name
 * them (`<!-- table NAME -->` … `<!-- /table -->`), and the plot of PASS beside it. What stands around them is written by hand.
 */
import { readFile, writeFile } from "node:fs/promises";
import { type ImportResult, importTable } from "./import.ts";
import { type JournalResult, journalTable } from "./journal.ts";
import type { KernelsResult } from "./kernels/measure.ts";
import {
  codeTable,
  countsTable,
  featuresTable,
  layersTable,
  memoryTable,
  rivalsTable,
} from "./kernels/report.ts";
import { machineText } from "./machine.ts";
import { type Cost, costTable } from "./octo/cost.ts";
import { type EnduranceResult, enduranceTable, enduranceText } from "./octo/endurance.ts";
import { type NormalisationResult, normalisationTable } from "./octo/normalisation.ts";
import { type RowResults, rowsTable } from "./octo/rows.ts";
import type { OctoResult } from "./octo.ts";
import { macsPlot } from "./pass/plot.ts";
import {
  goalsTable,
  methodsTable,
  noiseTable,
  featuresTable as passFeaturesTable,
  memoryTable as passMemoryTable,
  stabilityTable,
} from "./pass/report.ts";
import type { PassResult } from "./pass.ts";
import type { FeaturesResult } from "./pass-features.ts";
import { type PersonaliseResult, pairsTable, personaliseTable, personaliseText } from "./personalise.ts";
import { codecBytes, codecTable, hostTable } from "./sgq/codec-report.ts";
import { EARLY_CUTS, jointPlot, jointTable, LATE_CUT } from "./sgq/joint-report.ts";
import { ratesPlot } from "./sgq/plot.ts";
import { ratesTable } from "./sgq/report.ts";
import type { SgqResult } from "./sgq.ts";
import type { CodecResult } from "./sgq-codec.ts";
import type { JointResult } from "./sgq-joint.ts";
import { type SoakResult, soakTable } from "./soak.ts";
import { type StackResult, stackTable } from "./stack.ts";
import { markdownTable, percent } from "./tables.ts";

export const PAGE = new URL("../docs/benchmarks.md", import.meta.url);
export const PLOT = new URL("../docs/images/pass-macs.svg", import.meta.url);
export const SGQ_PLOT = new URL("../docs/images/sgq.svg", import.meta.url);
export const JOINT_PLOT = new URL("../docs/images/sgq-joint.svg", import.meta.url);

export interface Results {
  octo: OctoResult;
  "octo-rows": RowResults;
  "octo-cost": readonly Cost[];
  "octo-endurance": EnduranceResult;
  "octo-normalisation": NormalisationResult;
  import: ImportResult;
  kernels: KernelsResult;
  stack: StackResult;
  soak: SoakResult;
  personalise: PersonaliseResult;
  pass: PassResult;
  passFeatures: FeaturesResult;
  sgq: SgqResult;
  sgqLong: SgqResult;
  sgqUntouched: SgqResult;
  sgqUntouchedLong: SgqResult;
  sgqJoint: JointResult;
  sgqJointEarly: JointResult;
  sgqJointUntouched: JointResult;
  codec: CodecResult;
  journal: JournalResult;
}

export async function readResults(): Promise<Results> {
  const read = async (name: string): Promise<never> =>
    JSON.parse(await readFile(new URL(`./results/${name}.json`, import.meta.url), "utf8")) as never;
  return {
    octo: await read("octo"),
    "octo-rows": await read("octo-rows"),
    "octo-cost": await read("octo-cost"),
    "octo-endurance": await read("octo-endurance"),
    "octo-normalisation": await read("octo-normalisation"),
    import: await read("import"),
    kernels: await read("kernels"),
    stack: await read("stack"),
    soak: await read("soak"),
    personalise: await read("personalise"),
    pass: await read("pass"),
    passFeatures: await read("pass-features"),
    sgq: await read("sgq"),
    sgqLong: await read("sgq-long"),
    sgqUntouched: await read("sgq-untouched"),
    sgqUntouchedLong: await read("sgq-untouched-long"),
    sgqJoint: await read("sgq-joint"),
    sgqJointEarly: await read("sgq-joint-early"),
    sgqJointUntouched: await read("sgq-joint-untouched"),
    codec: await read("sgq-codec"),
    journal: await read("journal"),
  };
}

/** The page with its tables made anew. @throws Error if it asks for a table that does not exist */
export function render(page: string, results: Results): string {
  const tables = tablesOf(results);
  return page.replace(/<!-- table ([\w-]+) -->\n[\s\S]*?<!-- \/table -->/g, (_, name: string) => {
    const table = tables[name];
    if (table === undefined) throw new Error(`docs/benchmarks.md asks for the table ${name}; there is none`);
    return `<!-- table ${name} -->\n\n${table}\n\n<!-- /table -->`;
  });
}

/** The plot of the pilot net on PETS. @throws Error if it was not measured */
export function renderPlot({ pass }: Results): string {
  const pets = pass.cases.find(({ clip, net }) => clip === "pets" && net === "pilot");
  if (pets === undefined) throw new Error("bench/results/pass.json has no row of PETS: nothing to draw");
  return macsPlot(pets);
}

function tablesOf({
  octo,
  "octo-rows": octoRows,
  "octo-cost": octoCost,
  "octo-endurance": endurance,
  "octo-normalisation": normalisation,
  import: imported,
  kernels,
  stack,
  soak,
  pass,
  passFeatures,
  personalise,
  sgq,
  sgqLong,
  sgqUntouched,
  sgqUntouchedLong,
  sgqJoint,
  sgqJointEarly,
  sgqJointUntouched,
  codec,
  journal,
}: Results): Record<string, string | undefined> {
  const counts = (app: string): string => countsTable(kernels.apps.find((one) => one.app === app)!);
  return {
    octo: octoTable(octo),
    "octo-rows": rowsTable(octoRows),
    "octo-cost": costTable(octoCost),
    "octo-endurance": `${enduranceText(endurance)}\n\n${enduranceTable(endurance)}`,
    "octo-normalisation": normalisationTable(normalisation),
    import: `${machineText(imported.machine)}.\n\n${importTable(imported)}`,
    tools: `${kernels.tools.gcc}; ${kernels.tools.qemu}; ${kernels.tools.engine}.`,
    "train-step": counts("train-step"),
    intrinsics: counts("intrinsics"),
    rivals: rivalsTable(kernels),
    layers: layersTable(kernels),
    memory: memoryTable(kernels),
    features: featuresTable(kernels),
    code: codeTable(kernels),
    stack: stackTable(stack),
    soak: soakTable(soak),
    personalise: `${personaliseText(personalise)}\n\n${personaliseTable(personalise)}`,
    "personalise-pairs": pairsTable(personalise),
    "pass-goals": goalsTable(pass),
    ...Object.fromEntries(
      pass.cases.map((one) => [`pass-${one.net}-${one.clip.replace(" ", "-")}`, methodsTable(one)]),
    ),
    "pass-noise": noiseTable(pass),
    "pass-stability": stabilityTable(pass),
    "pass-memory": passMemoryTable(pass),
    ...Object.fromEntries(
      passFeatures.cases.map((one) => [
        `pass-features-${one.net}-${one.clip.replace(" ", "-")}`,
        passFeaturesTable(one),
      ]),
    ),
    "sgq-rates": ratesTable(sgq),
    "sgq-long": ratesTable(sgqLong),
    "sgq-untouched": ratesTable(sgqUntouched),
    "sgq-untouched-long": ratesTable(sgqUntouchedLong),
    "sgq-joint": jointTable(sgqJoint, LATE_CUT),
    "sgq-joint-early": jointTable(sgqJointEarly, EARLY_CUTS),
    "sgq-joint-untouched": jointTable(sgqJointUntouched, LATE_CUT),
    "sgq-codec": codecTable(codec),
    "sgq-bytes": codecBytes(codec),
    "sgq-host": hostTable(codec),
    journal: `${machineText(journal.machine)}.\n\n${journalTable(journal)}`,
  };
}

function octoTable({ data, budget, module, machine, runs, mean }: OctoResult): string {
  const drops = budget.dropsAt.map((share) => `${100 * share} %`).join(" and ");
  const difference = (of: { fp32: number; int8: number }): string =>
    `${of.int8 < of.fp32 ? "−" : "+"}${percent(Math.abs(of.int8 - of.fp32))}`;
  const table = markdownTable(
    ["seed", "FP32, %", "INT8, %", "difference"],
    [
      ...runs.map(({ seed, fp32, int8 }) => {
        const shares = { fp32: fp32.accuracy, int8: int8.accuracy };
        return [String(seed), percent(shares.fp32), percent(shares.int8), difference(shares)];
      }),
      ["mean", percent(mean.fp32), percent(mean.int8), difference(mean)],
    ],
  );
  return [
    `${data.name}, the first ${data.train.toLocaleString("en-US")} training and ${data.test.toLocaleString("en-US")} test images;`,
    `batch 1, ${budget.epochs} epochs, SGD ${budget.rate}, ×${budget.drop} at ${drops} of the steps;`,
    `${module.target} module of ${module.bytes.toLocaleString("en-US")} bytes; ${machineText(machine)}.\n\n${table}`,
  ].join("\n");
}

if (process.argv[1] === import.meta.filename) {
  const results = await readResults();
  await writeFile(PAGE, render(await readFile(PAGE, "utf8"), results));
  await writeFile(PLOT, renderPlot(results));
  await writeFile(SGQ_PLOT, ratesPlot(results.sgq));
  await writeFile(JOINT_PLOT, jointPlot(results.sgqJoint));
}
