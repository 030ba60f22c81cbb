/** One training run in FP32, or in INT8 by a module: both return the share of test images that are told right. */
import { createHash } from "node:crypto";
import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { buildIntrinsics, buildModules, type Target } from "../../host/build/modules.ts";
import type { Dataset, Images } from "../../host/data/dataset.ts";
import { ModuleHost, type Sample } from "../../host/module/module-host.ts";
import { decodeStateRecord } from "../../host/protocol/state-record.ts";
import { NativeFp32 } from "../fp32/native.ts";
import { Fp32Trainer } from "../fp32/trainer.ts";
import { type NetSpec, REFERENCE_NET } from "../net.ts";
import { type BenchData, type Budget, orderOf, rateAt, stepsOf } from "./budget.ts";
import { INVERSE_RATE, PocketTrainer } from "./pocket.ts";
import { PosixHost } from "./posix.ts";

/** After so many steps a run looks whether its process is still wanted. */
const STEPS_AT_ONCE = 500;
/** Every so many steps it is looked whether a run has reached the goal, on the first test images. */
export const GOAL = { accuracy: 0.85, every: 2_500, images: 2_000 };

export interface Outcome {
  /** 0 … 1, over all test images, after the last step. */
  accuracy: number;
  /** INT8: SHA-256 of the learned state, the same on every host. */
  digest?: string;
  /** INT8: weights that reached the edge of their range. */
  saturated?: number;
  /** Accuracy on the first test images, where it was asked for: after each epoch, and every 2,500 steps until it is the goal. */
  curve?: [steps: number, accuracy: number][];
  /** Of the CPU, for the training steps alone. */
  seconds?: number;
}

/** What is trained, if it is not the trainer app and its net. */
export interface Training {
  net: NetSpec;
  /** Parameters of the module. */
  params: Readonly<Record<string, number>>;
}

const REFERENCE: Training = { net: REFERENCE_NET, params: {} };

/** Steps until the goal was seen to be reached; undefined: it never was. */
export const stepsToGoal = ({ curve }: Outcome): number | undefined =>
  curve?.find(([, accuracy]) => accuracy >= GOAL.accuracy)?.[0];

/** What a run needs of an arithmetic. */
interface Learner {
  /** Learns these training images, the first in this step; returns seconds of the CPU. */
  learn(images: readonly number[], step: number): Promise<number>;
  /** How many of the first test images are told right. */
  right(images: number): Promise<number>;
}

async function train(
  learner: Learner,
  dataset: Dataset,
  budget: Budget,
  seed: number,
  watched: boolean,
): Promise<Outcome> {
  const { count } = dataset.test;
  const accuracy = async (images: number): Promise<number> => (await learner.right(images)) / images;
  const curve: [number, number][] = [];
  let reached = false;
  let step = 0;
  let seconds = 0;
  let images: number[] = [];
  for (const i of orderOf(budget, seed)) {
    images.push(i);
    const steps = step + images.length;
    const look = watched && (steps % budget.train === 0 || (!reached && steps % GOAL.every === 0));
    if (!look && images.length < STEPS_AT_ONCE && steps < stepsOf(budget)) continue;
    seconds += await learner.learn(images, step);
    step = steps;
    images = [];
    await setImmediate();
    if (!look) continue;
    const share = await accuracy(Math.min(GOAL.images, count));
    curve.push([step, share]);
    reached ||= share >= GOAL.accuracy;
  }
  const last = await accuracy(count);
  return { accuracy: last, ...(watched && { curve, seconds: Math.round(10 * seconds) / 10 }) };
}

/** Runs `work`; returns seconds of the CPU. */
function timed(work: () => void): number {
  const since = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}

/** FP32 sees all eight bits of a pixel: p / 255. */
export async function trainFp32(
  dataset: BenchData,
  budget: Budget,
  seed: number,
  training?: Training,
): Promise<Outcome> {
  const inputs = dataset.height * dataset.width * dataset.channels;
  const images = ({ pixels, count }: Images): Float32Array[] => {
    const values = Float32Array.from(pixels, (pixel) => pixel / 255);
    return Array.from({ length: count }, (_, i) => values.subarray(i * inputs, (i + 1) * inputs));
  };
  const trainer = new Fp32Trainer((training ?? REFERENCE).net, seed);
  const seen = images(dataset.train);
  const unseen = images(dataset.test);
  const learner: Learner = {
    learn: async (images, step) =>
      timed(() => {
        for (const [k, i] of images.entries())
          trainer.step(seen[i]!, dataset.train.labels[i]!, rateAt(budget, step + k));
      }),
    right: async (images) =>
      unseen.slice(0, images).filter((x, i) => trainer.classify(x) === dataset.test.labels[i]).length,
  };
  return train(learner, dataset, budget, seed, training !== undefined);
}

/** The same in C, which comes to other last bits. */
export async function trainNative(
  dataset: BenchData,
  budget: Budget,
  seed: number,
  training?: Training,
): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "octomote-fp32-"));
  const { net } = training ?? REFERENCE;
  const native = await NativeFp32.open(net, seed, [dataset.train, dataset.test], folder);
  try {
    const learner: Learner = {
      learn: async (images, step) => {
        const steps = images.map((image, k) => [image, rateAt(budget, step + k)] as const);
        return (await native.learn(steps)).seconds;
      },
      right: (images) => native.right(dataset.train.count, images),
    };
    return await train(learner, dataset, budget, seed, training !== undefined);
  } finally {
    native.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** As PocketNN does: integers without scales, direct feedback alignment. Pixels as a device's sensor gives them. */
export async function trainPocket(
  dataset: BenchData,
  budget: Budget,
  seed: number,
  training: Training,
): Promise<Outcome> {
  const pixels = (images: Images, heldOut: boolean) =>
    samplesOf(dataset, images, heldOut).map(({ data }) => Int32Array.from(data));
  const [seen, unseen] = [pixels(dataset.train, false), pixels(dataset.test, true)];
  const trainer = new PocketTrainer(training.net, seed);
  const learner: Learner = {
    learn: async (images, step) =>
      timed(() => {
        for (const [k, i] of images.entries()) {
          const slower = budget.rate / Math.max(rateAt(budget, step + k), budget.rate / 1000);
          trainer.learn(seen[i]!, dataset.train.labels[i]!, Math.round(INVERSE_RATE * slower));
        }
      }),
    right: async (images) =>
      unseen.slice(0, images).filter((x, i) => trainer.classify(x) === dataset.test.labels[i]).length,
  };
  return train(learner, dataset, budget, seed, true);
}

/** INT8 by the module that is deployed, fed through its sensor as on a device. */
export async function trainInt8(
  dataset: BenchData,
  budget: Budget,
  seed: number,
  files: ModuleFiles,
  training?: Training,
): Promise<Outcome> {
  const bytes = async (path: string): Promise<Uint8Array<ArrayBuffer>> =>
    new Uint8Array(await readFile(path));
  const seen = samplesOf(dataset, dataset.train, false);
  const unseen = samplesOf(dataset, dataset.test, true);
  let sample: Sample | undefined;
  let record: Uint8Array = new Uint8Array();
  const host = await ModuleHost.load(await bytes(files.wasm), {
    seed,
    params: { lr: budget.rate, steps: stepsOf(budget), ...training?.params },
    ...(files.intrinsics && { intrinsics: await bytes(files.intrinsics) }),
    sensor: () => sample ?? null,
    publish: (_channel, bytes) => {
      record = bytes;
    },
  });
  host.start();
  const show = (one: Sample): void => {
    sample = one;
    host.step();
  };
  const learner: Learner = {
    learn: async (images) =>
      timed(() => {
        for (const i of images) show(seen[i]!);
      }),
    // held-out images change nothing in the learned state
    right: async (images) =>
      unseen.slice(0, images).filter((one) => {
        show(one);
        return decodeStateRecord(record)?.class === one.label;
      }).length,
  };
  const outcome = await train(learner, dataset, budget, seed, training !== undefined);
  const digest = createHash("sha256").update(host.state()).digest("hex");
  const saturated = decodeStateRecord(record)?.saturated;
  return { ...outcome, digest, ...(saturated !== undefined && { saturated }) };
}

/** INT8 in the posix firmware, to the same bits. */
export async function trainPosix(
  data: BenchData,
  budget: Budget,
  seed: number,
  { wasm, pages }: ModuleFiles,
  training?: Training,
): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), "octomote-train-"));
  const params = { lr: budget.rate, steps: stepsOf(budget), ...training?.params };
  const host = await PosixHost.open({ wasm, pages, seed, params, data, folder });
  try {
    let last: Uint8Array = new Uint8Array();
    const learner: Learner = {
      learn: async (images) => {
        const { records, seconds } = await host.step(images);
        last = records.at(-1)!;
        return seconds;
      },
      right: async (count) => {
        let right = 0;
        for (let first = 0; first < count; first += STEPS_AT_ONCE) {
          const n = Math.min(STEPS_AT_ONCE, count - first);
          const { records } = await host.step(
            Array.from({ length: n }, (_, i) => data.train.count + first + i),
          );
          right += records.filter(
            (record, i) => decodeStateRecord(record)?.class === data.test.labels[first + i],
          ).length;
        }
        return right;
      },
    };
    const outcome = await train(learner, data, budget, seed, training !== undefined);
    const digest = createHash("sha256")
      .update(await host.state())
      .digest("hex");
    const saturated = decodeStateRecord(last)?.saturated;
    return { ...outcome, digest, ...(saturated !== undefined && { saturated }) };
  } finally {
    host.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Files of a trainer module. */
export interface ModuleFiles {
  wasm: string;
  /** Pages of 64 KiB that it has. */
  pages: number;
  /** What satisfies a device module's imports in Node. */
  intrinsics?: string;
}

/** Builds the trainer app and copies it to `folder`, so that a table is made by one module from beginning to end. */
export async function trainerModule(target: Target, folder: string): Promise<ModuleFiles> {
  const built = await buildModules({ targets: [target] });
  const trainer = built.find(({ app }) => app === "trainer");
  if (trainer === undefined) throw new Error("assembly/apps has no trainer.ts");
  const wasm = join(folder, "trainer.wasm");
  await copyFile(trainer.path, wasm);
  if (target === "portable") return { wasm, pages: 1 };
  const intrinsics = join(folder, "intrinsics.wasm");
  await copyFile(await buildIntrinsics(), intrinsics);
  return { wasm, pages: 1, intrinsics };
}

/** Pixels as a device's sensor gives them: p >> 1, one unit is 1/128. */
function samplesOf(dataset: BenchData, images: Images, heldOut: boolean): Sample[] {
  const { height: h, width: w, channels: c } = dataset;
  const values = Int8Array.from(images.pixels, (pixel) => pixel >> 1);
  return Array.from({ length: images.count }, (_, i) => ({
    data: values.subarray(i * h * w * c, (i + 1) * h * w * c),
    h,
    w,
    c,
    label: images.labels[i]!,
    heldOut,
  }));
}
