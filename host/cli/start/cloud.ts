// The cloud half beside `octomote start --app split` and `--app camera-split`: a trainer at the same broker, and for `split` a device half
// for all devices to begin with.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import type { MqttOptions } from "../../bridge/mqtt/connection.ts";
import type { CloudMetrics } from "../../cloud/metrics.ts";
import type { TrainerOptions } from "../../cloud/trainer.ts";
import type { Dataset } from "../../data/dataset.ts";
import { CloudService } from "../cloud/service.ts";
import { cloudHalf, cloudTools } from "../cloud/tools.ts";
import type { Lifetime } from "../support/lifetime.ts";
import type { Progress } from "../support/progress.ts";
import type { SampleSource } from "./source.ts";

export interface CloudStart {
  readonly mqtt: MqttOptions;
  readonly base: string;
  readonly source: SampleSource;
  /** Portable module of the app, whose learned state is what devices get. */
  readonly module: string;
  readonly joint: boolean;
  tell(level: "info" | "warning", message: string): void;
}

type Half = Pick<TrainerOptions, "shape" | "layers" | "patch"> & { half?: Uint8Array };

/** Images that the device half is made of, and passes over them: seconds. */
const IMAGES = 4000;
const EPOCHS = 2;
/** Samples that a codebook is made of: what devices send in a few seconds. */
const CALIBRATION = 256;
/** Activation that a feature must exceed to be sent, while the half learns. */
const THRESHOLD = 0.12;

/** What stands behind the camera's features (assembly/apps/camera-split.ts), and patches that may be left out. */
const cameraHalf = (classes: number): Half => ({
  shape: [9, 12, 32],
  layers: [{ kind: "maxPool" }, { kind: "dense", units: 32 }, { kind: "dense", units: classes }],
  patch: [1, 1],
});

/** Starts a trainer; it ends with the lifetime. Returns what tells how it is doing. */
export async function startCloud(
  options: CloudStart,
  progress: Progress,
  lifetime: Lifetime,
): Promise<() => CloudMetrics> {
  const { dataset, classes = 0 } = options.source;
  const { tools, kernels } = await cloudTools();
  const { half, ...behind } = dataset
    ? await splitHalf(dataset, options.module, kernels, progress)
    : cameraHalf(classes);
  const folder = await mkdtemp(join(tmpdir(), "octomote-cloud-"));
  lifetime.atEnd(() => rm(folder, { recursive: true, force: true }));
  const service = await CloudService.create({
    mqtt: options.mqtt,
    base: options.base,
    from: "devices",
    id: `start-${process.pid}`,
    ...(half && { half }),
    trainer: {
      tools,
      kernels,
      ...behind,
      mode: options.joint ? "joint" : "frozen",
      folder,
      calibration: CALIBRATION,
      tell: options.tell,
    },
  });
  await service.start();
  lifetime.atEnd(() => service.stop());
  return () => service.metrics();
}

/** A device half for all devices, from images. */
async function splitHalf(
  dataset: Dataset,
  module: string,
  kernels: Uint8Array<ArrayBuffer>,
  progress: Progress,
): Promise<Half> {
  const layers = cloudHalf(dataset.classes.length);
  let half: Uint8Array | undefined;
  await progress.step("cloud", "making a device half", async (tell) => {
    const { trainDeviceHalf } = await import("../../cloud/half.ts");
    const { writeHalfState } = await import("../../cloud/half-state.ts");
    const { ModuleHost } = await import("../../module/module-host.ts");
    const count = Math.min(IMAGES, dataset.train.count);
    const trained = await trainDeviceHalf(
      { ...dataset.train, count, height: dataset.height, width: dataset.width },
      {
        kernels,
        device: [{ kind: "conv2d", filters: 16, kernel: 3, padding: 1 }, { kind: "maxPool" }],
        cloud: layers,
        thresholds: [THRESHOLD],
        epochs: EPOCHS,
        seed: 1,
        onProgress: async (share) => {
          tell(`making a device half, ${Math.round(100 * share)} %`);
          await breathe();
        },
      },
    );
    const host = await ModuleHost.load(new Uint8Array(await readFile(module)));
    host.start();
    half = writeHalfState(host.state(), trained);
    return `device half of ${half.length} bytes, from ${count} images`;
  });
  return { shape: [14, 14, 16], layers, ...(half && { half }) };
}
