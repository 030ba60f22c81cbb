/**
 * `npm run bench:kernels`: guest instructions of a training step and of its parts on an emulated Cortex-M4, module bytes
 * by feature and by source file, RAM by part. Counts are exact and repeat.
 *
 *     --short        the device modules of the training step and of single layers
 *     --check        compares with bench/golden/kernels.json; more than 2 % worse ends with status 1
 *     --update       makes the measurement the golden one
 *     --json FILE    writes what docs/benchmarks.md is made of
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "./arguments.ts";
import { writeJson } from "./json.ts";
import { compare, figuresOf, type Golden } from "./kernels/golden.ts";
import { type KernelsResult, type MeasureOptions, measureKernels } from "./kernels/measure.ts";
import {
  codeTable,
  countsTable,
  featuresTable,
  layersTable,
  memoryTable,
  rivalsTable,
} from "./kernels/report.ts";

const GOLDEN = fileURLToPath(new URL("./golden/kernels.json", import.meta.url));

/** What CI counts. */
export const SHORT: MeasureOptions = { targets: ["device"], apps: ["train-step", "layers"] };

export const readGolden = async (): Promise<Golden> => JSON.parse(await readFile(GOLDEN, "utf8"));

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      short: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      update: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  if (values.short && (values.update || values.json)) {
    throw new Error("--short measures a part: it can be checked, not kept");
  }
  const result = await measureKernels({
    ...(values.short && SHORT),
    onProgress: (message) => console.error(message),
  });
  print(result);
  if (values.json) await writeJson(values.json, result);
  if (values.update) {
    const golden: Golden = { tools: result.tools, figures: figuresOf(result) };
    await writeJson(GOLDEN, golden);
  }
  return values.check ? check(await readGolden(), result) : 0;
}

function print(result: KernelsResult): void {
  const { tools, apps } = result;
  console.log(`${tools.gcc}; ${tools.qemu}; ${tools.engine}`);
  for (const app of apps) {
    const bytes = Object.entries(app.targets).map(([target, one]) => `${target} ${one.bytes}`);
    console.log(
      `\n${app.title}: guest instructions (module bytes: ${bytes.join(", ")})\n\n${countsTable(app)}`,
    );
  }
  if (apps.some(({ app }) => app === "mlp-step")) console.log(`\nBeside others\n\n${rivalsTable(result)}`);
  if (apps.some(({ app }) => app === "layers")) {
    console.log(`\nLayers beside CMSIS-NN, instructions per MAC\n\n${layersTable(result)}`);
  }
  for (const { app, target, why } of result.failures)
    console.log(`\n${app} (${target}) does not run: ${why}`);
  console.log(`\nRAM and flash of the trainer app\n\n${memoryTable(result)}`);
  console.log(`\nModule bytes by feature\n\n${featuresTable(result)}`);
  console.log(`\nTrainer module by source file\n\n${codeTable(result)}`);
}

function check(golden: Golden, result: KernelsResult): number {
  const { regressions, improvements, compared, skipped } = compare(golden, result);
  console.log(`\n${compared} figures compared with the golden ones`);
  if (skipped) console.log(skipped);
  for (const line of improvements) console.log(`better: ${line}`);
  for (const line of regressions) console.log(`worse: ${line}`);
  return regressions.length > 0 ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) process.exitCode = await main();
