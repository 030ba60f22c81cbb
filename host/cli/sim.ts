// octomote sim: runs an app's module on this machine, as a device would, and prints what it learned.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setImmediate as breathe } from "node:timers/promises";
import { Option } from "commander";
import type { Target } from "../build/modules.ts";
import type { DatasetName } from "../data/dataset.ts";
import type { StateRecord } from "../protocol/state-record.ts";
import type { LocalRecorder } from "../replay/local-recorder.ts";
import { buildInThread, findApp, outputOf } from "./support/apps.ts";
import { Exit, UsageError } from "./support/exit.ts";
import { openLog } from "./support/files.ts";
import { bytes, count, decimal, duration, percent } from "./support/format.ts";
import { param } from "./support/params.ts";
import { Progress } from "./support/progress.ts";
import { Screen } from "./support/screen.ts";
import { harmless, pad, style } from "./support/style.ts";
import { type DefineVerb, repeated, whole } from "./support/verb.ts";
import { version } from "./support/version.ts";

/** Steps are run in slices of this time, so that progress and Ctrl-C go on. */
const SLICE_MS = 50;

interface SimOptions {
  app: string;
  device?: boolean;
  portable?: boolean;
  steps: number;
  seed: number;
  data: DatasetName;
  images: number;
  param?: [string, number][];
  record?: string;
  json?: boolean;
}

export const defineSim: DefineVerb = (program, finish) => {
  program
    .command("sim")
    .description("run an app on this machine and print what it learned")
    .option("--app <name|file>", "an app of Octomote's, a .ts file or a built .wasm file", "trainer")
    .option("--portable", "the module that carries its kernels (the default)")
    .addOption(
      new Option("--device", "the module that boards run, its kernels beside it").conflicts("portable"),
    )
    .option("--steps <n>", "steps to run", whole(1, 1e9), 200)
    .option("--seed <n>", "seed of the order of samples and of all draws", whole(0, 0xffff_ffff), 1)
    .addOption(
      new Option("--data <set>", "images to learn from")
        .choices(["fashion-mnist", "generated"])
        .default("fashion-mnist"),
    )
    .option("--images <n>", "training images to use, at most", whole(1, 1e6), 10_000)
    .option("--param <name=value>", "a parameter of the app (repeatable)", repeated(param))
    .option("--record <file>", "write the session to a file that octomote replay repeats")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
The digest is SHA-256 over the learned state: the same module, seed and samples give the same digest everywhere.

Examples:
  $ octomote sim
  $ octomote sim --device --steps 1000 --seed 7 --param lr=0.01
  $ octomote sim --app my-sensor.ts --data generated --json
`,
    )
    .action(async (options: SimOptions) => finish(await sim(options)));
};

async function sim(options: SimOptions): Promise<number> {
  const app = findApp(options.app);
  if (app.module && (options.device || options.portable)) {
    throw new UsageError(
      "--device and --portable choose what is built",
      "a .wasm file is built already: leave them out",
    );
  }
  const { ModuleHost } = await import("../module/module-host.ts");
  const { loadDataset } = await import("../data/dataset.ts");
  const { encodeSamples, parseSamples } = await import("../data/sample-file.ts");
  const { decodeStateRecord } = await import("../protocol/state-record.ts");
  // With --json standard output is for the result alone.
  const screen = new Screen(options.json ? process.stderr : process.stdout);
  const progress = new Progress(screen);

  const target: Target = options.device ? "device" : "portable";
  let path = app.module ?? "";
  let intrinsics = "";
  await progress.step("module", "compiling", async (tell) => {
    const request = {
      modules: app.source ? { ...outputOf(app), targets: [target] } : { apps: [] },
      intrinsics: true,
    };
    const built = await buildInThread(request, tell);
    intrinsics = built.intrinsics;
    path ||= built.modules[0]?.path as string;
    const size = (await readFile(path)).length;
    return `${app.name}${app.module ? "" : `, ${target}`} · ${bytes(size)}`;
  });
  const dataset = await loadDataset(options.data, { limit: { train: options.images, test: 2000 }, seed: 1 });
  progress.note("data", `${dataset.name} · ${harmless(dataset.source)}`);
  const sampleFile = encodeSamples(dataset, { seed: options.seed });
  const samples = parseSamples(sampleFile, dataset.name);

  let next = 0;
  let record: StateRecord = {};
  const module = await readFile(path);
  const params = Object.fromEntries(options.param ?? []);
  const host = await ModuleHost.load(module, {
    seed: options.seed,
    params,
    intrinsics: await readFile(intrinsics),
    sensor: () => samples.at(next++ % samples.count),
    publish: (channel, published) => {
      if (channel === 0) record = decodeStateRecord(published) ?? record;
    },
    log: (_level, text) => screen.line(`  ${style.dim(harmless(text))}`),
  });
  host.start();
  const log =
    options.record === undefined
      ? undefined
      : openLog(options.record, (error) => {
          throw error;
        });
  const recorder =
    log &&
    (await startRecording(
      module,
      sampleFile,
      dataset.name,
      options.seed,
      params,
      (entry) => void log.write(entry),
    ));
  const began = performance.now();
  await progress.step("learning", "0 steps", async (tell) => {
    for (let done = 0; done < options.steps; ) {
      const until = performance.now() + SLICE_MS;
      while (done < options.steps && performance.now() < until) {
        host.step();
        done++;
        recorder?.stepped(done, host, record, next);
      }
      tell(`${count(done)} of ${count(options.steps)} steps, loss ${decimal(record.loss)}`);
      await breathe();
    }
    return `${count(options.steps)} steps`;
  });
  const seconds = (performance.now() - began) / 1000;
  recorder?.end(options.steps, host, record, next);
  log?.close();
  const state = host.state();
  const result = {
    app: app.name,
    target: app.module ? undefined : target,
    dataset: dataset.name,
    seed: options.seed,
    steps: options.steps,
    trained: record.steps ?? null,
    loss: record.loss ?? null,
    accuracy: record.evaluated ? (record.accuracy ?? null) : null,
    stepsPerSecond: Math.round(options.steps / seconds),
    memory: host.memory,
    stateBytes: state.length,
    digest: createHash("sha256").update(state).digest("hex"),
  };
  if (options.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else {
    const line = (name: string, text: string) => screen.line(`  ${style.dim(pad(name, 12))} ${text}`);
    screen.line();
    line("loss", decimal(record.loss));
    line(
      "accuracy",
      `${percent(result.accuracy ?? undefined)} of ${count(record.evaluated)} held-out samples`,
    );
    line("speed", `${count(result.stepsPerSecond)} steps/s, ${duration(seconds * 1000)}`);
    line("memory", `${bytes(result.memory.used)} of linear memory`);
    line("digest", style.bold(result.digest));
  }
  return Exit.ok;
}

async function startRecording(
  module: Uint8Array,
  samples: Uint8Array,
  source: string,
  seed: number,
  params: Readonly<Record<string, number>>,
  write: (bytes: Uint8Array) => void,
): Promise<LocalRecorder> {
  const { LocalRecorder: Recorder } = await import("../replay/local-recorder.ts");
  const info = { device: "sim", board: "node", engine: "node", firmware: version, module, source };
  return new Recorder(info, samples, { seed, params }, write);
}
