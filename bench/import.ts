/**
 * `npm run bench:import`: what `octomote import` makes of models that were trained in float: nets are trained by the FP32 reference, written as
 * ONNX and TFLite files, quantised with frames of calibration, and compared with the float model on test images; instructions of an
 * inference are counted on the emulated Cortex-M4.
 *
 *     --short            a budget of seconds
 *     --generated        drawn glyphs instead of Fashion-MNIST
 *     --json FILE        writes what docs/benchmarks.md is made of
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildModules, ROOT } from "../host/build/modules.ts";
import { encodeParts, parseSamples } from "../host/data/sample-file.ts";
import { type ImportReport, importModel } from "../host/models/import.ts";
import { parseArgs } from "./arguments.ts";
import { runBench } from "./count/run.ts";
import { Fp32Trainer } from "./fp32/trainer.ts";
import { asOnnx, asTflite, IMPORT_NETS, type ImportNet } from "./import/nets.ts";
import { writeJson } from "./json.ts";
import { type Machine, machineText, thisMachine } from "./machine.ts";
import { planNet } from "./net.ts";
import { type BenchData, type Budget, FULL, loadData, orderOf, rateAt, SHORT } from "./octo/budget.ts";
import { markdownTable, percent } from "./tables.ts";

export type Format = "onnx" | "tflite";

/** Frames that ranges are found with, spread over those that were learned. */
const CALIBRATION = 64;
export const BUDGETS: Readonly<Record<"full" | "short", Budget>> = {
  full: { ...FULL, epochs: 3, rate: 0.01, cosine: true },
  short: { ...SHORT, train: 400, test: 100, epochs: 2, rate: 0.01, cosine: true },
};

export interface ImportRow extends Omit<ImportReport, "input"> {
  net: ImportNet;
  format: Format;
  parameters: number;
  /** Bytes of the model file. */
  file: number;
  /** Of an inference on the Cortex-M4, all of the app's step; null where there is no emulator. */
  instructions: number | null;
  /** All that the device takes, firmware and engine included. */
  ram: number | null;
}

export interface ImportResult {
  data: { name: string; source: string };
  budget: Budget;
  machine: Machine;
  rows: ImportRow[];
}

export interface ImportOptions {
  budget: Budget;
  data: "fashion-mnist" | "generated";
  nets?: readonly ImportNet[];
  /** Whether to count instructions. */
  count?: boolean;
  onRow?(row: ImportRow): void;
}

/** A net as FP32 has learned it: p / 255, as most models take pixels. */
function train(net: ImportNet, data: BenchData, budget: Budget): Fp32Trainer {
  const size = data.height * data.width * data.channels;
  const trainer = new Fp32Trainer(IMPORT_NETS[net].spec, 0);
  let step = 0;
  for (const i of orderOf(budget, 0)) {
    const image = Float32Array.from(data.train.pixels.subarray(i * size, (i + 1) * size), (p) => p / 255);
    trainer.step(image, data.train.labels[i]!, rateAt(budget, step++));
  }
  return trainer;
}

/** The compiled app on the Cortex-M4, on a frame that it does not learn from. */
async function count(name: string, files: Record<string, string>, data: BenchData) {
  const folder = join(ROOT, "dist/bench/import", name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
  const [built] = await buildModules({
    apps: [join(folder, `${name}.ts`)],
    targets: ["device"],
    out: join(folder, "out"),
  });
  const { test } = data;
  const frames = { ...data, train: { ...test, count: 0 }, test: { ...test, count: Math.min(test.count, 8) } };
  const run = await runBench(built!.path, { samples: encodeParts(frames, data.channels) });
  return { instructions: run.regions[0]!.instructions, ram: run.memory.ram };
}

export async function measureImport(options: ImportOptions): Promise<ImportResult> {
  const { budget, onRow = () => {} } = options;
  const data = await loadData(options.data, budget);
  const samples = parseSamples(encodeParts(data, data.channels), data.name);
  const rows: ImportRow[] = [];
  for (const net of options.nets ?? (Object.keys(IMPORT_NETS) as ImportNet[])) {
    const { spec } = IMPORT_NETS[net];
    const trainer = train(net, data, budget);
    for (const format of ["onnx", "tflite"] as const) {
      const file = format === "onnx" ? asOnnx(spec, trainer) : asTflite(spec, trainer);
      const name = `${net}-${format}`;
      const imported = await importModel(file, samples, {
        name,
        model: `${name}.${format}`,
        frames: CALIBRATION,
        test: budget.test,
      });
      const sources = { [`${name}.ts`]: imported.app, [`${name}-net.ts`]: imported.numbers };
      const counted =
        options.count === false ? { instructions: null, ram: null } : await count(name, sources, data);
      const parameters = planNet(spec).reduce((sum, layer) => sum + layer.parameters, 0);
      const { input: _, ...report } = imported.report;
      rows.push({ net, format, parameters, file: file.length, ...report, ...counted });
      onRow(rows.at(-1)!);
    }
  }
  return { data: { name: data.name, source: data.source }, budget, machine: thisMachine(), rows };
}

export function importTable({ rows }: ImportResult): string {
  const lines = rows.map((row) => {
    const { accuracy } = row;
    const lost = accuracy ? accuracy.float - accuracy.int8 : 0;
    return [
      row.net,
      row.format === "onnx" ? "ONNX" : "TFLite",
      row.parameters,
      row.file,
      accuracy ? percent(accuracy.float) : "",
      accuracy ? percent(accuracy.int8) : "",
      accuracy ? `${lost > 0 ? "−" : "+"}${percent(Math.abs(lost))}` : "",
      percent(row.agreement),
      row.multiplications,
      row.instructions ?? "",
      row.instructions ? (row.instructions / row.multiplications).toFixed(2) : "",
      row.module,
      row.memory,
      row.ram ?? "",
    ];
  });
  const head = [
    ...["net", "file", "parameters", "its bytes", "float, %", "INT8, %", "difference", "same answer, %"],
    ...["products", "instructions", "per product", "module, bytes", "linear memory", "RAM, bytes"],
  ];
  return markdownTable(head, lines, [0, 1]);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      short: { type: "boolean", default: false },
      generated: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const result = await measureImport({
    budget: BUDGETS[values.short ? "short" : "full"],
    data: values.generated ? "generated" : "fashion-mnist",
    onRow: ({ accuracy, format, net }) =>
      console.log(`${net}, ${format}: float ${percent(accuracy!.float)}, INT8 ${percent(accuracy!.int8)}`),
  });
  console.log(`\n${machineText(result.machine)}\n\n${importTable(result)}`);
  if (values.json) await writeJson(values.json, result);
}

if (process.argv[1] === import.meta.filename) {
  await main();
}
