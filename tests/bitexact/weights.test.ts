// What was learned leaves a device as a file, goes to one that has just started with another seed, and training goes on there as
// if nothing had happened: the same bits in Node, under wasm3 on posix and on a Cortex-M4.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuiltModule, buildIntrinsics, buildModules, type Target } from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { encodeSamples, parseSamples } from "../../host/data/sample-file.ts";
import {
  startVirtualDevice,
  type VirtualBoard,
  type VirtualDevice,
} from "../../host/devices/virtual-device.ts";
import { readRegion, writeRegion } from "../../host/link/regions.ts";
import { tensorsOf } from "../../host/module/tensors.ts";
import { sealState } from "../../host/protocol/checkpoint.ts";
import { Region } from "../../host/protocol/requests.ts";
import { decodeWeights, encodeWeights, type WeightsEntry } from "../../host/protocol/weights.ts";
import { hostOf, sha256 } from "../assembly/support.ts";
import { requires } from "../support/requirements.ts";

const BEFORE = 5;
const AFTER = 4;
const SEED = 4;
const TARGETS: Target[] = ["portable", "device"];
const SLOW = { timeoutMs: 60_000 };

let folder: string;
let samplesPath: string;
let modules: BuiltModule[];
let entries: WeightsEntry[];
/** Digest after all steps without a break. */
let whole: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-weights-bits-"));
  samplesPath = join(folder, "samples.bin");
  const dataset = await loadDataset("generated", { limit: { train: BEFORE + AFTER }, seed: 7 });
  const bytes = encodeSamples(dataset, { seed: 3 });
  await writeFile(samplesPath, bytes);
  modules = await buildModules();
  const intrinsics = await readFile(await buildIntrinsics());
  ({ entries } = await tensorsOf(await readFile(pathOf("device")), intrinsics));
  const host = await hostOf(pathOf("portable"), parseSamples(bytes, samplesPath), { seed: SEED });
  for (let step = 0; step < BEFORE + AFTER; step++) host.step();
  whole = sha256(host.state());
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const pathOf = (target: Target) => modules.find((it) => it.app === "trainer" && it.target === target)!.path;

/** Runs to the end of so many steps. */
async function run(
  { link }: VirtualDevice,
  verb: "start" | "resume",
  args: { seed: number; steps: number },
): Promise<void> {
  await link.request(verb, args, SLOW);
  for (;;) {
    const { error, running } = await link.request("status", {}, SLOW);
    if (error) throw new Error(`the device stopped: ${JSON.stringify(error)}`);
    if (!running) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function moved(board: VirtualBoard, target: Target): Promise<string> {
  const device = (id: string) =>
    startVirtualDevice({ id, board, module: pathOf(target), samples: samplesPath });
  const first = await device(`first-${target}`);
  let file: Uint8Array;
  try {
    await run(first, "start", { seed: SEED, steps: BEFORE });
    file = encodeWeights(await readRegion(first.link, Region.learnedState, SLOW), entries);
  } finally {
    await first.stop();
  }
  const second = await device(`second-${target}`);
  try {
    // it sees the same samples, and learns something else of them
    await run(second, "start", { seed: 99, steps: BEFORE });
    await writeRegion(second.link, Region.learnedState, sealState(decodeWeights(file).state), SLOW);
    await run(second, "resume", { seed: 99, steps: AFTER });
    return sha256(await readRegion(second.link, Region.learnedState, SLOW));
  } finally {
    await second.stop();
  }
}

describe("weights that move from one device to another", () => {
  it.each(TARGETS)("in Node: %s module", async (target) => {
    expect(await moved("node", target)).toBe(whole);
  });

  requires("gcc").describe("under wasm3 on posix", () => {
    it.each(TARGETS)("%s module", async (target) => {
      expect(await moved("posix", target)).toBe(whole);
    });
  });

  requires("qemu-system-arm", "arm-none-eabi-gcc").describe("under wasm3 on a Cortex-M4 in QEMU", () => {
    it.each(TARGETS)("%s module", { timeout: 600_000 }, async (target) => {
      expect(await moved("mps2-an386", target)).toBe(whole);
    });
  });
});
