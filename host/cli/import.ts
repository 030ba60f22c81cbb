// octomote import: a model that was trained elsewhere becomes an app: fixed INT8 layers, and a head that learns on the device.

import { mkdir } from "node:fs/promises";
import { basename, extname, join, resolve } from "node:path";
import { InvalidArgumentError } from "commander";
import { OctomoteError } from "../bridge/errors.ts";
import type { Samples } from "../data/sample-file.ts";
import type { ImportedModel } from "../models/import.ts";
import { Exit, UsageError } from "./support/exit.ts";
import { readInput, writeTogether } from "./support/files.ts";
import { bytes, count, percent } from "./support/format.ts";
import { Progress } from "./support/progress.ts";
import { Screen } from "./support/screen.ts";
import { harmless, pad, style } from "./support/style.ts";
import { type DefineVerb, whole } from "./support/verb.ts";

const SETS = ["fashion-mnist", "generated"] as const;

interface ImportVerbOptions {
  calibrate: string;
  out: string;
  name?: string;
  frames: number;
  test: number;
  inputScale: number;
  inputZero: number;
  json?: boolean;
}

function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}

export const defineImport: DefineVerb = (program, finish) => {
  program
    .command("import")
    .description("make an app of an ONNX or TFLite model")
    .argument("<model>", "a .onnx or .tflite file")
    .requiredOption(
      "--calibrate <data>",
      `frames to quantise with: a sample file (docs/protocol.md), ${SETS.join(" or ")}`,
    )
    .option("--out <folder>", "where the app goes", ".")
    .option("--name <name>", "name of the app; default: that of the model file")
    .option("--frames <n>", "frames to find the ranges of activations with", whole(1, 10_000), 64)
    .option("--test <n>", "held-out frames to compare with the float model on", whole(1, 100_000), 500)
    .option("--input-scale <number>", "what one unit of a frame is worth in the model", decimal, 1 / 127.5)
    .option("--input-zero <number>", "the int8 value that is 0 in the model", decimal, 0)
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Data sets give pixels p as p >> 1, worth 0 … 1 by default. For a camera, whose pixels are p − 128, and a model that takes 0 … 1:
--input-scale 0.0039216 --input-zero -128.

Examples:
  $ octomote import clothes.onnx --calibrate fashion-mnist --out my-app
  $ octomote import clothes.tflite --calibrate samples.bin --json
`,
    )
    .action(async (model: string, options: ImportVerbOptions) => finish(await importFile(model, options)));
};

async function importFile(model: string, options: ImportVerbOptions): Promise<number> {
  const kind = extname(model).toLowerCase();
  if (kind !== ".onnx" && kind !== ".tflite") {
    throw new UsageError(`${model} is neither .onnx nor .tflite`, "give a model in one of these formats");
  }
  const name = options.name ?? basename(model, extname(model)).replace(/[^\w-]+/g, "-");
  if (!/^[A-Za-z][\w-]*$/.test(name)) {
    throw new UsageError(
      `"${name}" cannot name an app`,
      "choose one with --name: a letter, then letters, digits, - or _",
    );
  }
  if (!(options.inputScale > 0)) throw new UsageError("--input-scale must be above 0");
  if (!Number.isInteger(options.inputZero) || Math.abs(options.inputZero) > 128) {
    throw new UsageError("--input-zero must be a whole number in −128 … 127");
  }
  const { importModel } = await import("../models/import.ts");
  const { ModelError } = await import("../models/graph.ts");
  const screen = new Screen(options.json ? process.stderr : process.stdout);
  const progress = new Progress(screen);
  const file = await readInput(model);
  const samples = await samplesOf(options.calibrate);
  const input = { scale: options.inputScale, zero: options.inputZero };
  const { frames, test } = options;
  let imported: ImportedModel | undefined;
  await progress
    .step("import", "reading", async (tell) => {
      const chosen = { name, model: basename(model), frames, test, input, onProgress: tell };
      imported = await importModel(file, samples, chosen);
      return `${count(imported.report.layers)} layers`;
    })
    .catch((error) => {
      if (error instanceof ModelError) throw new OctomoteError(`${basename(model)}: ${error.message}`);
      throw error;
    });
  const { app, head, numbers, report } = imported as ImportedModel;
  const out = resolve(options.out);
  await mkdir(out, { recursive: true });
  const parts: [string, Uint8Array | string][] = [
    [`${name}-net.ts`, numbers],
    ...(head ? [[`${name}.weights`, head] as [string, Uint8Array]] : []),
    [`${name}.ts`, app],
  ];
  const files = parts.map(([file]) => file);
  await writeTogether(parts.map(([file, content]) => [join(out, file), content] as const));
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ name, files, ...report }, null, 2)}\n`);
    return Exit.ok;
  }
  const line = (what: string, text: string) => screen.line(`  ${style.dim(pad(what, 12))} ${text}`);
  screen.line();
  const { accuracy } = report;
  if (accuracy) line("accuracy", `${percent(accuracy.int8)} in INT8, ${percent(accuracy.float)} in float`);
  line("agreement", `${percent(report.agreement)} of ${count(report.compared)} frames`);
  line("module", `${bytes(report.module)}, ${bytes(report.memory)} of linear memory`);
  line("wrote", files.map((it) => harmless(join(options.out, it))).join(", "));
  return Exit.ok;
}

async function samplesOf(data: string): Promise<Samples> {
  const { encodeSamples, parseSamples } = await import("../data/sample-file.ts");
  const { loadDataset } = await import("../data/dataset.ts");
  const set = SETS.find((it) => it === data);
  if (set === undefined) return parseSamples(await readInput(data), data);
  const dataset = await loadDataset(set, { limit: { train: 4000, test: 1000 }, seed: 1 });
  return parseSamples(encodeSamples(dataset, { seed: 1 }), dataset.name);
}
