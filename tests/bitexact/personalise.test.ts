// Learning from a user leaves the same bits everywhere: a head with a replay buffer, labels from the sensor and over the link, in
// Node, under wasm3 on posix and on a Cortex-M4, portable and device module.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type BuiltModule,
  buildIntrinsics,
  buildModules,
  ROOT,
  type Target,
} from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { parseSamples } from "../../host/data/sample-file.ts";
import { startVirtualDevice } from "../../host/devices/virtual-device.ts";
import { readRegion } from "../../host/link/regions.ts";
import { encodeLabel } from "../../host/protocol/label-message.ts";
import { Region } from "../../host/protocol/requests.ts";
import { hostOf, sha256 } from "../assembly/support.ts";
import { requires } from "../support/requirements.ts";
import { streamOf } from "../support/streams.ts";

/** Labelled frames, past the capacity of the buffer, then frames that a label said over the link holds for. */
const LABELLED = 24;
const SAID = 12;
const SEED = 9;
/** The head alone with features of 4 bits; all layers with whole frames; features of 8 bits and of 2. */
const SETTINGS: Record<string, Record<string, number>> = {
  "4 bits": {},
  frames: { last: 2, buffer: 4096 },
  "8 bits": { bits: 8, buffer: 2048, replays: 1 },
  "2 bits": { bits: 2, buffer: 512, replays: 9 },
};
const TARGETS: Target[] = ["portable", "device"];

let folder: string;
let samplesPath: string;
let modules: BuiltModule[];
/** What the portable module leaves in Node, by setting. */
let reference: Record<string, string>;

const pathOf = (target: Target) => (modules.find((module) => module.target === target) as BuiltModule).path;

async function inNode(target: Target): Promise<Record<string, string>> {
  const samples = parseSamples(await readFile(samplesPath), samplesPath);
  const intrinsics = await readFile(await buildIntrinsics());
  const found: Record<string, string> = {};
  for (const [name, params] of Object.entries(SETTINGS)) {
    const host = await hostOf(pathOf(target), samples, { seed: SEED, params, intrinsics });
    for (let step = 0; step < LABELLED; step++) host.step();
    host.message(encodeLabel(7, SAID));
    for (let step = 0; step < SAID; step++) host.step();
    found[name] = sha256(host.state());
  }
  return found;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-personalise-"));
  samplesPath = join(folder, "samples.bin");
  const dataset = await loadDataset("generated", { limit: { train: 200 }, seed: 7 });
  await writeFile(
    samplesPath,
    streamOf(dataset, [
      { classes: [0, 1, 1, 1, 2], count: LABELLED },
      { classes: [7], count: SAID, unlabelled: true },
    ]),
  );
  modules = await buildModules({ apps: [join(ROOT, "tests/assembly/apps/personal.ts")], out: folder });
  reference = await inNode("portable");
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function onDevice(board: "posix" | "mps2-an386", target: Target): Promise<Record<string, string>> {
  const device = await startVirtualDevice({
    id: "bits",
    board,
    module: pathOf(target),
    samples: samplesPath,
  });
  const patience = { timeoutMs: 60_000 };
  const idle = async (): Promise<void> => {
    for (;;) {
      const status = await device.link.request("status", {}, patience);
      if (status.error) throw new Error(`the device stopped: ${JSON.stringify(status.error)}`);
      if (!status.running) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const found: Record<string, string> = {};
  try {
    for (const [name, params] of Object.entries(SETTINGS)) {
      await device.link.request("start", { seed: SEED, params, steps: LABELLED }, patience);
      await idle();
      await device.link.request("message", { bytes: encodeLabel(7, SAID) }, patience);
      await device.link.request("resume", { steps: SAID }, patience);
      await idle();
      found[name] = sha256(await readRegion(device.link, Region.learnedState, patience));
    }
    return found;
  } finally {
    await device.stop();
  }
}

describe("learning from a user leaves the same bits", () => {
  it("in Node, with the kernels in the module or beside it", async () => {
    expect(await inNode("device")).toEqual(reference);
  });

  requires("gcc").describe("under wasm3 on posix", () => {
    it.each(TARGETS)("%s module", async (target) => {
      expect(await onDevice("posix", target)).toEqual(reference);
    });
  });

  requires("qemu-system-arm", "arm-none-eabi-gcc").describe("under wasm3 on a Cortex-M4 in QEMU", () => {
    it.each(TARGETS)("%s module", { timeout: 600_000 }, async (target) => {
      expect(await onDevice("mps2-an386", target)).toEqual(reference);
    });
  });
});
