// octomote export: a weights file as tensors for PyTorch, NumPy and whatever else reads safetensors or ONNX.

import { Option } from "commander";
import type { ExportFormat } from "../models/export.ts";
import { Exit } from "./support/exit.ts";
import { readInput, writeWhole } from "./support/files.ts";
import { bytes, count } from "./support/format.ts";
import type { DefineVerb } from "./support/verb.ts";

interface ExportOptions {
  format: ExportFormat;
  out?: string;
  json?: boolean;
}

export const defineExport: DefineVerb = (program, finish) => {
  program
    .command("export")
    .description("write a weights file as safetensors or ONNX")
    .argument("<file>", "a file that `weights get` wrote")
    .addOption(
      new Option("--format <name>", "what to write").choices(["safetensors", "onnx"]).default("safetensors"),
    )
    .option("--out <file>", "the file to write; default: the same name with the format's ending")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Each layer with weights gives layers.<n>.weight and .bias (float32; OIHW, or out × in), and the integers they came from.

Examples:
  $ octomote export kitchen.weights
  $ octomote export kitchen.weights --format onnx --out kitchen.onnx
`,
    )
    .action(async (file: string, options: ExportOptions) => finish(await exportFile(file, options)));
};

async function exportFile(file: string, options: ExportOptions): Promise<number> {
  const { exportWeights, tensorsOfFile } = await import("../models/export.ts");
  const { decodeWeights } = await import("../protocol/weights.ts");
  const weights = decodeWeights(await readInput(file));
  const out = options.out ?? `${file.replace(/\.(bin|weights)$/, "")}.${options.format}`;
  const content = exportWeights(weights, options.format);
  await writeWhole(out, content);
  const tensors = tensorsOfFile(weights).tensors.map(({ name, shape }) => ({ name, shape }));
  if (options.json) {
    const { format } = options;
    process.stdout.write(`${JSON.stringify({ out, format, bytes: content.length, tensors }, null, 2)}\n`);
  } else {
    process.stdout.write(`${out} · ${count(tensors.length)} tensors · ${bytes(content.length)}\n`);
  }
  return Exit.ok;
}
