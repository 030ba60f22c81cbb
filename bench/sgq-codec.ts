/**
 * `npm run bench:sgq-codec`: what SGQ's codec costs. On an emulated Cortex-M4: guest instructions of a frame of 14 × 14 × 16 features,
 * with the firmware's intrinsics and in WASM alone, bytes of code and tables. On this machine: samples per second that one core
 * encodes and decodes in a second of processor time, beside zstd of the same features, in turns.
 *
 *     --short        features of a device half that hardly learned, fewer frames
 *     --no-guest     nothing of the Cortex-M4
 *     --host         speeds on this machine alone; with --json what else is known of the codec stays
 *     --json FILE    writes what docs/benchmarks.md is made of
 */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { compress, decompress, init } from "@bokuweb/zstd-wasm";
import { buildFirmware } from "../host/build/firmware.ts";
import { buildCloudKernels, buildModules, buildSgq, ROOT, type Target } from "../host/build/modules.ts";
import { loadDataset } from "../host/data/dataset.ts";
import { SgqCodec } from "../host/sgq/codec.ts";
import type { OpenCodebook } from "../host/sgq/types.ts";
import { parseArgs } from "./arguments.ts";
import { runBench } from "./count/run.ts";
import { writeJson } from "./json.ts";
import { type Machine, thisMachine } from "./machine.ts";
import { type Samples, sampleOf } from "./sgq/accuracy.ts";
import { buildCodecApp, FIRST_FRAME } from "./sgq/codec-app.ts";
import { codecBytes, codecTable, hostTable } from "./sgq/codec-report.ts";
import { contextBook, sharedBook, stripeBook } from "./sgq/forms.ts";
import { ELEMENTS, featuresOf, trainDeviceHalf } from "./sgq/halves.ts";

export interface FormCost {
  form: string;
  /** Guest instructions of a frame, mean and most, after the first one; absent where it was not counted. */
  instructions: Partial<Record<Target, { mean: number; most: number }>>;
  /** Mean bytes of these frames. */
  frame: number;
  tables: number;
  codebook: number;
}

export interface HostSpeed {
  what: string;
  samplesPerSecond: number;
  /** Of int8 features. */
  megabytesPerSecond: number;
  /** Times as fast as zstd in the same direction and run. */
  againstZstd: number;
}

export interface CodecResult {
  machine: Machine;
  forms: FormCost[];
  /** Native code of the intrinsics, text of their object files; and modules that do nothing but send. */
  bytes: { native: number; module: Record<Target, number>; empty: Record<Target, number> };
  host: HostSpeed[];
}

/** Forms whose instructions are counted: the one that apps send with. */
const COUNTED = 1;
const GUEST_FRAMES = 6;
const ZSTD_LEVEL = 3;
const run = promisify(execFile);

/** Books of the forms that the rate–accuracy bench has, and the goal's: one bit per element. */
function booksOf(codec: SgqCodec, training: Samples): [string, OpenCodebook][] {
  const all = (thresholds: readonly number[]) => Array.from({ length: 16 }, () => [...thresholds]);
  return [
    ["contexts, 1 bit, tables of 4 KB", contextBook(codec, training, all([8]), 4096)],
    ["R1, 4 channels, 2 bit", sharedBook(codec, training, { group: 4, bits: 2, tableBytes: 8192 })],
    ["R2, 4 channels, 16 entries", stripeBook(codec, training, { group: 4, bits: 4, stripe: 1 })],
  ];
}

async function guestCost(
  name: string,
  book: OpenCodebook,
  samples: readonly Int8Array[],
): Promise<FormCost["instructions"]> {
  const cost: FormCost["instructions"] = {};
  for (const target of ["device", "portable"] as const) {
    const module = await buildCodecApp(name, book, samples, target);
    const { regions } = await runBench(module.path);
    const empty = regions[0] as (typeof regions)[number];
    const frames = regions
      .slice(FIRST_FRAME + 1)
      .map(({ instructions }) => instructions - empty.instructions);
    cost[target] = {
      mean: Math.round(frames.reduce((sum, one) => sum + one, 0) / frames.length),
      most: Math.max(...frames),
    };
  }
  return cost;
}

/** Text of the intrinsics' object files. */
async function nativeBytes(): Promise<number> {
  await buildFirmware("mps2-an386");
  const folder = join(ROOT, "dist/boards/mps2-an386/objects");
  const objects = (await readdir(folder, { recursive: true })).filter((name) =>
    /sgq_\w+[^/]*\.o$/.test(name),
  );
  const { stdout } = await run(
    "arm-none-eabi-size",
    objects.map((name) => join(folder, name)),
  );
  return stdout
    .trim()
    .split("\n")
    .slice(1)
    .reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[0]), 0);
}

async function moduleBytes(app: string): Promise<Record<Target, number>> {
  const built = await buildModules({ apps: [app], out: join(ROOT, "dist/bench/modules") });
  const of = (target: Target): number => built.find((one) => one.target === target)?.bytes ?? 0;
  return { portable: of("portable"), device: of("device") };
}

/** Rounds in which all take turns; the best of each counts, since other programs take their share. */
const ROUNDS = 20;

/** Samples per second of processor time; what zstd does is the measure of all in its direction. */
function hostSpeeds(codec: SgqCodec, book: OpenCodebook, test: Samples): HostSpeed[] {
  const samples = Array.from({ length: test.count }, (_, i) => sampleOf(test, i) as Int8Array);
  const frames = samples.map((x, i) => codec.encode(book, [x], { sequence: i }));
  const plain = samples.map((x) => Buffer.from(x.buffer, x.byteOffset, x.length));
  const archives = plain.map((x) => compress(x, ZSTD_LEVEL));
  const find = (): OpenCodebook => book;
  const works: readonly { what: string; rival: number; work(i: number): void }[] = [
    {
      what: "SGQ, decoding",
      rival: 2,
      work: (i) => void codec.decode(frames[i] as Uint8Array, { find }),
    },
    {
      what: "SGQ, encoding",
      rival: 3,
      work: (i) => void codec.encode(book, [samples[i] as Int8Array], { sequence: i }),
    },
    { what: "zstd, decoding", rival: 2, work: (i) => void decompress(archives[i] as Buffer) },
    { what: "zstd, encoding", rival: 3, work: (i) => void compress(plain[i] as Buffer, ZSTD_LEVEL) },
  ];
  const best = works.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [k, { work }] of works.entries()) {
      const start = process.cpuUsage();
      for (let i = 0; i < samples.length; i++) work(i);
      const { user, system } = process.cpuUsage(start);
      best[k] = Math.min(best[k] as number, (user + system) / 1e6);
    }
  }
  return works.map(({ what, rival }, k) => {
    const samplesPerSecond = Math.round(samples.length / (best[k] as number));
    return {
      what,
      samplesPerSecond,
      megabytesPerSecond: Math.round((samplesPerSecond * ELEMENTS) / 1e5) / 10,
      againstZstd: Math.round((100 * (best[rival] as number)) / (best[k] as number)) / 100,
    };
  });
}

export async function measureCodec({
  short,
  guest,
}: {
  short: boolean;
  guest: boolean;
}): Promise<CodecResult> {
  await init();
  const codec = await SgqCodec.load(await readFile(await buildSgq()));
  const images = short ? 1024 : 8192;
  const dataset = await loadDataset("fashion-mnist", { limit: { train: images, test: 500 } });
  const kernels = await readFile(await buildCloudKernels());
  const { half } = await trainDeviceHalf(kernels, dataset, { images, epochs: short ? 1 : 2, seed: 1 });
  const of = (pixels: Uint8Array, labels: Uint8Array, count: number): Samples => ({
    data: featuresOf(half, pixels, count),
    size: ELEMENTS,
    labels,
    count,
  });
  const training = of(dataset.train.pixels, dataset.train.labels, Math.min(2000, images));
  const test = of(dataset.test.pixels, dataset.test.labels, short ? 50 : 500);
  const books = booksOf(codec, training);
  const samples = Array.from({ length: GUEST_FRAMES }, (_, i) => sampleOf(test, i) as Int8Array);
  const forms: FormCost[] = [];
  for (const [i, [form, book]] of (short ? books.slice(0, 1) : books).entries()) {
    console.error(form);
    const sizes = samples.map((x, sequence) => codec.encode(book, [x], { sequence }).length);
    forms.push({
      form,
      instructions: guest && i < COUNTED ? await guestCost(`form-${i}`, book, samples) : {},
      frame: sizes.reduce((sum, one) => sum + one, 0) / sizes.length,
      tables: book.book.tables.length,
      codebook: book.bytes.length,
    });
  }
  return {
    machine: thisMachine(),
    forms,
    bytes: {
      native: guest ? await nativeBytes() : 0,
      module: await moduleBytes(join(ROOT, "bench/apps/sgq.ts")),
      empty: await moduleBytes(join(ROOT, "tests/assembly/apps/draws.ts")),
    },
    host: hostSpeeds(codec, (books[0] as [string, OpenCodebook])[1], test),
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      short: { type: "boolean", default: false },
      "no-guest": { type: "boolean", default: false },
      host: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const measured = await measureCodec({ short: values.short, guest: !values["no-guest"] && !values.host });
  const known =
    values.host && values.json ? (JSON.parse(await readFile(values.json, "utf8")) as CodecResult) : measured;
  const { machine, host } = measured;
  const result = { ...known, machine, host };
  console.log(`${codecTable(result)}\n`);
  console.log(`${codecBytes(result)}
`);
  console.log(hostTable(result));
  if (values.json) await writeJson(values.json, result);
}

if (process.argv[1] === import.meta.filename) await main();
