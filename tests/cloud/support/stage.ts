// A trainer, devices, and everything that it says.
import { readFile } from "node:fs/promises";
import { beforeAll } from "vitest";
import { buildCloudKernels } from "../../../host/build/modules.ts";
import { CloudTrainer, type TrainerOptions } from "../../../host/cloud/trainer.ts";
import type { SgqCodec } from "../../../host/sgq/codec.ts";
import { fitContexts } from "../../../host/sgq/fit.ts";
import { loadCodec } from "../../sgq/support/codec.ts";
import { FakeDevice } from "./device.ts";
import { CLASSES, SHAPE } from "./features.ts";

export let codec: SgqCodec;
let kernels: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  codec = await loadCodec();
  kernels = new Uint8Array(await readFile(await buildCloudKernels()));
});

/** A trainer, and everything that it says. */
export async function stage(over: Partial<TrainerOptions> = {}) {
  const codebooks: Uint8Array[] = [];
  const told: string[] = [];
  const kept: string[] = [];
  const devices = new Map<string, FakeDevice>();
  const trainer = await CloudTrainer.create({
    tools: { codec, fitContexts },
    kernels,
    shape: SHAPE,
    layers: [
      { kind: "dense", units: 8 },
      { kind: "dense", units: CLASSES },
    ],
    mode: "frozen",
    target: { bytes: 16 },
    calibration: 48,
    rate: 0.005,
    toDevice: (device, frame) => devices.get(device)?.hear(frame),
    publishCodebook: (bytes) => codebooks.push(bytes),
    kept: (receipts) => kept.push(...receipts),
    tell: (_, message) => told.push(message),
    ...over,
  });
  const add = (id: string): FakeDevice => {
    const device = new FakeDevice(codec);
    devices.set(id, device);
    return device;
  };
  return { trainer, codebooks, told, kept, add };
}

export type Stage = Awaited<ReturnType<typeof stage>>;

export function send(
  { trainer }: Pick<Stage, "trainer">,
  id: string,
  publications: readonly Uint8Array[],
): void {
  for (const publication of publications) trainer.take(id, publication);
}

/** Everything that can be learned now. */
export function learn(trainer: CloudTrainer): void {
  while (trainer.learn());
}

/** A stage with a device that has a codebook. */
export async function coded(over: Partial<TrainerOptions> = {}) {
  const it = await stage(over);
  const device = it.add("a");
  send(it, "a", device.several(48));
  await it.trainer.settled();
  it.trainer.take("a", device.load(it.codebooks[0] as Uint8Array));
  return { ...it, device };
}
