/** One training run in FP32, or in INT8 by a module: both return the share of test images that are told right. */
import { createHash } from "node:crypto";
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { buildIntrinsics, buildModules, type Target } from "../../host/build/modules.ts";
import type { Dataset, Images } from "../../host/data/dataset.ts";
import { ModuleHost, type Sample } from "../../host/module/module-host.ts";
import { decodeStateRecord } from "../../host/protocol/state-record.ts";
import { Fp32Trainer } from "../fp32/trainer.ts";
import { type NetSpec, REFERENCE_NET } from "../net.ts";
import { type Budget, orderOf, rateAt, stepsOf } from "./budget.ts";

/** After so many steps a run looks whether its process is still wanted. */
const STEPS_AT_ONCE = 500;

export interface Outcome {
  /** 0 … 1, over all test images, after the last step. */
  accuracy: number;
  /** INT8: SHA-256 of the learned state, the same on every host. */
  digest?: string;
  /** INT8: weights that reached the edge of their range. */
  saturated?: number;
  /** Accuracy after each epoch, where it was asked for. */
  epochs?: number[];
  seconds?: number;
}

/** What is trained, if it is not the trainer app and its net. */
export interface Training {
  net: NetSpec;
  /** Parameters of the module. */
  params: Readonly<Record<string, number>>;
}

const REFERENCE: Training = { net: REFERENCE_NET, params: {} };

/** FP32 sees all eight bits of a pixel: p / 255. */
export async function trainFp32(
  dataset: Dataset,
  budget: Budget,
  seed: number,
  training?: Training,
): Promise<Outcome> {
  const inputs = dataset.height * dataset.width;
  const images = ({ pixels, count }: Images): Float32Array[] => {
    const values = Float32Array.from(pixels, (pixel) => pixel / 255);
    return Array.from({ length: count }, (_, i) => values.subarray(i * inputs, (i + 1) * inputs));
  };
  const trainer = new Fp32Trainer((training ?? REFERENCE).net, seed);
  const seen = images(dataset.train);
  const unseen = images(dataset.test);
  const accuracy = (): number => {
    const right = unseen.filter((x, i) => trainer.classify(x) === dataset.test.labels[i]);
    return right.length / dataset.test.count;
  };
  const epochs: number[] = [];
  let step = 0;
  for (const i of orderOf(budget, seed)) {
    trainer.step(seen[i]!, dataset.train.labels[i]!, rateAt(budget, step++));
    if (step % STEPS_AT_ONCE === 0) await setImmediate();
    if (training && step % budget.train === 0) epochs.push(accuracy());
  }
  return training ? { accuracy: epochs.at(-1)!, epochs } : { accuracy: accuracy() };
}

/** INT8 by the module that is deployed, fed through its sensor as on a device. */
export async function trainInt8(
  dataset: Dataset,
  budget: Budget,
  seed: number,
  files: ModuleFiles,
  training?: Training,
): Promise<Outcome> {
  const bytes = async (path: string): Promise<Uint8Array<ArrayBuffer>> =>
    new Uint8Array(await readFile(path));
  const train = samplesOf(dataset, dataset.train, false);
  const test = samplesOf(dataset, dataset.test, true);
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
  // held-out images change nothing in the learned state
  const accuracy = (): number => {
    let right = 0;
    for (const one of test) {
      show(one);
      if (decodeStateRecord(record)?.class === one.label) right++;
    }
    return right / test.length;
  };
  const epochs: number[] = [];
  let step = 0;
  for (const i of orderOf(budget, seed)) {
    show(train[i]!);
    if (++step % STEPS_AT_ONCE === 0) await setImmediate();
    if (training && step % budget.train === 0) epochs.push(accuracy());
  }
  const digest = createHash("sha256").update(host.state()).digest("hex");
  const reached = training ? { accuracy: epochs.at(-1)!, epochs } : { accuracy: accuracy() };
  const saturated = decodeStateRecord(record)?.saturated;
  return { ...reached, digest, ...(saturated !== undefined && { saturated }) };
}

/** Files of a trainer module. */
export interface ModuleFiles {
  wasm: string;
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
  if (target === "portable") return { wasm };
  const intrinsics = join(folder, "intrinsics.wasm");
  await copyFile(await buildIntrinsics(), intrinsics);
  return { wasm, intrinsics };
}

/** Pixels as a device's sensor gives them: p >> 1, one unit is 1/128. */
function samplesOf(dataset: Dataset, images: Images, heldOut: boolean): Sample[] {
  const { height: h, width: w } = dataset;
  const values = Int8Array.from(images.pixels, (pixel) => pixel >> 1);
  return Array.from({ length: images.count }, (_, i) => ({
    data: values.subarray(i * h * w, (i + 1) * h * w),
    h,
    w,
    c: 1,
    label: images.labels[i]!,
    heldOut,
  }));
}
