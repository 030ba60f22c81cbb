// What training can be told leaves the same bits everywhere too: a few steps of each option, portable and device module, in Node, under
// wasm3 on posix and on a Cortex-M4.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuiltModule, buildModules, ROOT, type Target } from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { encodeSamples, parseSamples } from "../../host/data/sample-file.ts";
import { startVirtualDevice } from "../../host/devices/virtual-device.ts";
import { readRegion } from "../../host/link/regions.ts";
import { Region } from "../../host/protocol/requests.ts";
import { hostOf, sha256 } from "../assembly/support.ts";
import { requires } from "../support/requirements.ts";
import { appOf, TRAINING_APPS, TRAININGS } from "../support/trainings.ts";

/** Past a whole batch, and into the next. */
const STEPS = 6;
const SEED = 4;
const TARGETS: Target[] = ["portable", "device"];

let folder: string;
let samplesPath: string;
let modules: BuiltModule[];
/** What the portable module leaves in Node, by option. */
let reference: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-training-bits-"));
  samplesPath = join(folder, "samples.bin");
  const bytes = encodeSamples(await loadDataset("generated", { limit: { train: STEPS }, seed: 7 }), {
    seed: 3,
  });
  await writeFile(samplesPath, bytes);
  const samples = parseSamples(bytes, samplesPath);
  const apps = TRAINING_APPS.map((app) => join(ROOT, `tests/assembly/apps/${app}.ts`));
  modules = await buildModules({ apps, out: folder });
  reference = {};
  for (const [name, params] of Object.entries(TRAININGS)) {
    const host = await hostOf(pathOf(appOf(name), "portable"), samples, { seed: SEED, params });
    for (let step = 0; step < STEPS; step++) host.step();
    reference[name] = sha256(host.state());
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function pathOf(app: string, target: Target): string {
  return (modules.find((module) => module.app === app && module.target === target) as BuiltModule).path;
}

async function onDevice(board: "posix" | "mps2-an386", target: Target): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const app of TRAINING_APPS) Object.assign(found, await runsOf(app, board, target));
  return found;
}

/** Digests of all trainings of an app. */
async function runsOf(
  app: string,
  board: "posix" | "mps2-an386",
  target: Target,
): Promise<Record<string, string>> {
  const device = await startVirtualDevice({
    id: `${app}-${target}`,
    board,
    module: pathOf(app, target),
    samples: samplesPath,
  });
  const found: Record<string, string> = {};
  try {
    for (const [name, params] of Object.entries(TRAININGS)) {
      if (appOf(name) !== app) continue;
      await device.link.request("start", { seed: SEED, steps: STEPS, params }, { timeoutMs: 60_000 });
      for (;;) {
        const status = await device.link.request("status", {}, { timeoutMs: 60_000 });
        if (status.error) throw new Error(`${name}: the device stopped: ${JSON.stringify(status.error)}`);
        if (!status.running) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      found[name] = sha256(await readRegion(device.link, Region.learnedState));
    }
    return found;
  } finally {
    await device.stop();
  }
}

describe("each option of training leaves the same bits", () => {
  it("and no two options the same", () => {
    const digests = Object.values(reference);
    // before the first change of the rate, the first decay and the first window, those are plain SGD
    const alike = new Set(["weight decay", "step decay"]);
    const others = Object.keys(TRAININGS).filter((name) => !alike.has(name));
    expect(new Set(others.map((name) => reference[name])).size).toBe(others.length);
    expect(digests).toHaveLength(Object.keys(TRAININGS).length);
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
