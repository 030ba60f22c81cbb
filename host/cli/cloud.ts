// octomote cloud: the half of a split model that does not run on devices, and workers that decode for it.

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import { messageOf } from "../bridge/errors.ts";
import { metricsLine } from "./cloud/metrics-line.ts";
import { Exit, UsageError } from "./support/exit.ts";
import { count } from "./support/format.ts";
import { Lifetime } from "./support/lifetime.ts";
import { harmless, style } from "./support/style.ts";
import {
  addBrokerOptions,
  type BrokerOptions,
  type DefineVerb,
  mqttOptions,
  positive,
  whole,
} from "./support/verb.ts";

const PRINT_MS = 2000;

interface TrainOptions extends BrokerOptions {
  broker: string;
  folder: string;
  mode: "frozen" | "joint";
  from: "devices" | "workers";
  shape: [number, number, number];
  classes: number;
  bytes?: number;
  loss?: number;
  rate?: number;
  calibration: number;
  patch?: [number, number];
  half?: string;
  fsync: boolean;
  seconds?: number;
  id: string;
  json?: boolean;
}

interface WorkerOptions extends BrokerOptions {
  broker: string;
  id: string;
  seconds?: number;
  json?: boolean;
}

function patchOf(text: string): [number, number] {
  const patch = text.split("x").map(Number);
  if (patch.length !== 2 || patch.some((n) => !Number.isInteger(n) || n < 1 || n > 255))
    throw new InvalidArgumentError("Write it as height x width in pixels, 1 to 255 each: 2x2.");
  return patch as [number, number];
}

function shapeOf(text: string): [number, number, number] {
  const shape = text.split("x").map(Number);
  if (shape.length !== 3 || shape.some((n) => !Number.isInteger(n) || n < 1 || n > 1024))
    throw new InvalidArgumentError("Write it as height x width x channels: 14x14x16.");
  return shape as [number, number, number];
}

export const defineCloud: DefineVerb = (program, finish) => {
  const cloud = program
    .command("cloud")
    .description("learn from features that devices send (split models)")
    .addHelpText(
      "after",
      `
Examples:
  $ octomote cloud train --broker mqtt://192.168.1.2
  $ octomote cloud worker --broker mqtt://192.168.1.2
`,
    );
  defineTrain(cloud, finish);
  defineWorker(cloud, finish);
};

function defineTrain(cloud: Command, finish: (code: number) => void): void {
  const command = cloud
    .command("train")
    .description("take features and labels from the broker, and train the cloud half")
    .option("--folder <path>", "journal and checkpoint; a trainer goes on where it stopped", "octomote-cloud")
    .addOption(
      new Option("--mode <mode>", "frozen: devices only send; joint: their layers learn too")
        .choices(["frozen", "joint"])
        .default("frozen"),
    )
    .addOption(
      new Option("--from <whom>", "who decodes: this process, or octomote cloud worker")
        .choices(["devices", "workers"])
        .default("devices"),
    )
    .option("--shape <HxWxC>", "shape of the features", shapeOf, [14, 14, 16])
    .option("--classes <n>", "number of labels", whole(2, 250), 10)
    .addOption(
      new Option("--bytes <n>", "a sample may take so many bytes")
        .argParser(positive(65_535))
        .conflicts("loss"),
    )
    .option("--loss <points>", "or: coding may cost so many points of accuracy (0.5)", positive(100))
    .option("--rate <x>", "step size of Adam", positive(1))
    .option("--calibration <n>", "samples that a codebook is made of", whole(16, 100_000), 512)
    .option("--patch <HxW>", "patches that devices may leave out where nothing changed", patchOf)
    .option("--half <file>", "learned state that devices begin with")
    .option("--no-fsync", "do not force the journal to the disk: a power cut may take the last samples")
    .option("--seconds <n>", "end after this time", positive(1e9))
    .option("--id <name>", "how the broker knows this trainer when it comes back", "trainer")
    .option("--json", "print metrics as JSON lines")
    .addHelpText(
      "after",
      `
What has been acknowledged is in the journal on the disk: a trainer may be killed, and its machine lose power, at any moment.
Exit codes: 0 ended as wanted, 1 failed, 2 the command line was not understood.

Examples:
  $ octomote cloud train --broker mqtt://192.168.1.2 --bytes 100
  $ octomote cloud train --mode joint --rate 0.0005
  $ octomote cloud train --from workers --json --seconds 60
`,
    )
    .action(async (options: TrainOptions) => finish(await train(options)));
  addBrokerOptions(command, "mqtt://localhost:1883");
}

function defineWorker(cloud: Command, finish: (code: number) => void): void {
  const command = cloud
    .command("worker")
    .description("decode for a trainer; run as many as you like (needs a broker with MQTT 5)")
    .option(
      "--id <name>",
      "how the broker knows this worker; one with the same name takes its place",
      `${hostname()}-${process.pid}`,
    )
    .option("--seconds <n>", "end after this time", positive(1e9))
    .option("--json", "print counts as JSON lines")
    .addHelpText(
      "after",
      `
Examples:
  $ octomote cloud worker --id a & octomote cloud worker --id b &
  $ octomote cloud train --from workers
`,
    )
    .action(async (options: WorkerOptions) => finish(await work(options)));
  addBrokerOptions(command, "mqtt://localhost:1883");
}

/** A line for people, or JSON. */
function print(json: boolean | undefined, kind: string, value: object | string): void {
  if (json) {
    const entry = typeof value === "string" ? { message: value } : value;
    process.stdout.write(`${JSON.stringify({ kind, ...entry })}\n`);
  } else if (typeof value === "string") process.stdout.write(`  ${style.dim(kind)} ${harmless(value)}\n`);
}

/** Until it is ended, or the time is over. */
async function untilLeft(lifetime: Lifetime, seconds: number | undefined): Promise<void> {
  const timer = seconds === undefined ? undefined : setTimeout(() => lifetime.leave("done"), seconds * 1000);
  await lifetime.left();
  clearTimeout(timer);
}

async function train(options: TrainOptions): Promise<number> {
  const { json, mode, from, bytes: most, loss, rate } = options;
  const half = readHalf(options.half);
  const { CloudService } = await import("./cloud/service.ts");
  const { cloudHalf, cloudTools } = await import("./cloud/tools.ts");
  const lifetime = new Lifetime();
  lifetime.start();
  let code: number = Exit.ok;
  try {
    const service = await CloudService.create({
      mqtt: mqttOptions(options.broker, options),
      base: options.base,
      from,
      id: options.id,
      ...(half && { half }),
      trainer: {
        ...(await cloudTools()),
        shape: options.shape,
        layers: cloudHalf(options.classes),
        mode,
        folder: options.folder,
        fsync: options.fsync,
        calibration: options.calibration,
        ...(options.patch && { patch: options.patch }),
        target: most === undefined ? { loss: loss ?? 0.5 } : { bytes: most },
        ...(rate !== undefined && { rate }),
        tell: (level, message) => print(json, level, message),
        failed: (error) => {
          const way = "make room or mend the disk, and start again: what it did not keep is sent again";
          print(json, "error", `nothing can be kept in ${options.folder} (${error.message}); ${way}`);
          code = Exit.failed;
          lifetime.leave("disk");
        },
      },
    });
    service.mqtt.on("down", (broker) => print(json, "warning", `the broker at ${broker} is gone`));
    service.mqtt.on("trouble", (text) => print(json, "warning", text));
    await service.start();
    lifetime.atEnd(() => service.stop());
    print(json, "info", `${mode} training at ${service.mqtt.broker}, kept in ${options.folder}`);
    const timer = setInterval(() => {
      const metrics = service.metrics();
      if (json) print(json, "metrics", metrics);
      else process.stdout.write(`  ${metricsLine(metrics)}\n`);
    }, PRINT_MS);
    lifetime.atEnd(() => clearInterval(timer));
    await untilLeft(lifetime, options.seconds);
    print(json, "metrics", json ? service.metrics() : metricsLine(service.metrics()));
  } finally {
    await lifetime.end((error) => print(json, "error", messageOf(error)));
  }
  return code;
}

function readHalf(path: string | undefined): Uint8Array | undefined {
  if (path === undefined) return undefined;
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new UsageError(
      `Cannot read ${path}: ${messageOf(error)}`,
      "name a learned state of the device's app",
    );
  }
}

async function work(options: WorkerOptions): Promise<number> {
  const { json } = options;
  const { CloudWorker } = await import("./cloud/worker.ts");
  const { cloudTools } = await import("./cloud/tools.ts");
  const lifetime = new Lifetime();
  lifetime.start();
  try {
    const { codec } = (await cloudTools()).tools;
    const worker = new CloudWorker({
      mqtt: mqttOptions(options.broker, options),
      base: options.base,
      codec,
      id: options.id,
    });
    await worker.start();
    lifetime.atEnd(() => worker.stop());
    print(json, "info", `worker ${options.id} decodes at ${worker.broker}`);
    let before = 0;
    const timer = setInterval(() => {
      const { counts } = worker;
      const samplesPerSecond = (counts.samples - before) / (PRINT_MS / 1000);
      before = counts.samples;
      if (json) print(json, "counts", { ...counts, samplesPerSecond });
      else if (samplesPerSecond > 0)
        process.stdout.write(`  ${count(counts.samples)} samples · ${count(samplesPerSecond)} per second\n`);
    }, PRINT_MS);
    lifetime.atEnd(() => clearInterval(timer));
    await untilLeft(lifetime, options.seconds);
    print(json, "counts", json ? { ...worker.counts } : `${count(worker.counts.samples)} samples`);
  } finally {
    await lifetime.end((error) => print(json, "error", messageOf(error)));
  }
  return Exit.ok;
}
