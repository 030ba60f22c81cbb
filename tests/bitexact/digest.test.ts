// The promise: one module, the same bits everywhere. 200 steps of training from one seed and one set of samples give one
// digest, for the portable and the device module, in Node, in Chromium, under wasm3 on posix and on a Cortex-M4.
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type BuiltModule, buildIntrinsics, buildModules, type Target } from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { encodeSamples, parseSamples, type Samples } from "../../host/data/sample-file.ts";
import { startVirtualDevice } from "../../host/devices/virtual-device.ts";
import { readRegion } from "../../host/link/regions.ts";
import { ModuleHost } from "../../host/module/module-host.ts";
import { Region } from "../../host/protocol/requests.ts";
import { Browser } from "../dashboard/support/stage.ts";
import { requires } from "../support/requirements.ts";
import type { Run } from "./page.ts";

const STEPS = 200;
const SEED = 20211;
const TARGETS: Target[] = ["portable", "device"];

let folder: string;
let samplesPath: string;
let samples: Samples;
let modules: BuiltModule[];
let intrinsics: Uint8Array<ArrayBuffer>;
/** What Node's portable run gives: everything else is held against it. */
let reference: string;

const digest = (state: Uint8Array | number[]) =>
  createHash("sha256").update(Uint8Array.from(state)).digest("hex");
const moduleOf = (target: Target) =>
  modules.find((m) => m.app === "trainer" && m.target === target) as BuiltModule;

async function inNode(target: Target): Promise<Uint8Array> {
  let next = 0;
  const host = await ModuleHost.load(await readFile(moduleOf(target).path), {
    seed: SEED,
    intrinsics,
    sensor: () => samples.at(next++ % samples.count),
  });
  host.start();
  for (let step = 0; step < STEPS; step++) host.step();
  return host.state();
}

async function onDevice(board: "posix" | "mps2-an386", target: Target): Promise<Uint8Array> {
  const device = await startVirtualDevice({
    id: `bits-${target}`,
    board,
    module: moduleOf(target).path,
    samples: samplesPath,
  });
  try {
    await device.link.request("start", { seed: SEED, steps: STEPS }, { timeoutMs: 60_000 });
    for (;;) {
      const status = await device.link.request("status", {}, { timeoutMs: 60_000 });
      if (status.error) throw new Error(`the device stopped: ${JSON.stringify(status.error)}`);
      if (!status.running) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return await readRegion(device.link, Region.learnedState);
  } finally {
    await device.stop();
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-bits-"));
  const dataset = await loadDataset("generated", { limit: { train: STEPS }, seed: 7 });
  const bytes = encodeSamples(dataset, { seed: 3, heldOutEvery: 10 });
  samplesPath = join(folder, "samples.bin");
  await writeFile(samplesPath, bytes);
  samples = parseSamples(bytes, samplesPath);
  modules = await buildModules();
  intrinsics = await readFile(await buildIntrinsics());
  reference = digest(await inNode("portable"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("200 training steps leave the same bits", () => {
  it("and another seed leaves others: the digest can fail", async () => {
    const host = await ModuleHost.load(await readFile(moduleOf("portable").path), {
      seed: SEED + 1,
      sensor: () => samples.at(0),
    });
    host.start();
    host.step();
    expect(digest(host.state())).not.toBe(reference);
  });

  it("device module in Node", async () => {
    expect(digest(await inNode("device"))).toBe(reference);
  });

  requires("chromium").describe("in Chromium", () => {
    it.each(TARGETS)("%s module", async (target) => {
      const bundle = await build({
        configFile: false,
        logLevel: "error",
        build: {
          write: false,
          lib: { entry: join(import.meta.dirname, "page.ts"), formats: ["iife"], name: "bits" },
        },
      });
      const [output] = Array.isArray(bundle) ? bundle : [bundle];
      const code = (output as { output: { code: string }[] }).output[0]?.code as string;
      const browser = await Browser.start();
      try {
        const page = await browser.context.newPage();
        await page.addScriptTag({ content: code });
        const run: Run = {
          wasm: [...(await readFile(moduleOf(target).path))],
          intrinsics: [...intrinsics],
          seed: SEED,
          steps: STEPS,
          shape: [28, 28, 1],
          samples: Array.from({ length: Math.min(STEPS, samples.count) }, (_, i) => {
            const { data, label, heldOut } = samples.at(i);
            return { data: [...data], label, heldOut };
          }),
        };
        const state = await page.evaluate(
          (it) => (globalThis as unknown as { train(run: unknown): Promise<number[]> }).train(it),
          run,
        );
        expect(digest(state)).toBe(reference);
      } finally {
        await browser.stop();
      }
    });
  });

  requires("gcc").describe("under wasm3 on posix", () => {
    afterEach(() => vi.unstubAllEnvs());

    it.each(TARGETS)("%s module, in the firmware that users run", async (target) => {
      vi.stubEnv("OCTOMOTE_SANITIZE", "0");
      expect(digest(await onDevice("posix", target))).toBe(reference);
    });

    it("device module, under sanitizers", async () => {
      vi.stubEnv("OCTOMOTE_SANITIZE", "1");
      const target = "device";
      expect(digest(await onDevice("posix", target))).toBe(reference);
    });
  });

  requires("qemu-system-arm", "arm-none-eabi-gcc").describe("under wasm3 on a Cortex-M4 in QEMU", () => {
    it.each(TARGETS)("%s module", { timeout: 600_000 }, async (target) => {
      expect(digest(await onDevice("mps2-an386", target))).toBe(reference);
    });
  });
});
