// What a sensor shows that no model can take, on every board: a named error that the bridge tells, and nothing learned from it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildModules, ROOT } from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { encodeSamples } from "../../host/data/sample-file.ts";
import { startVirtualDevice, type VirtualBoard } from "../../host/devices/virtual-device.ts";
import { describeFault } from "../../host/protocol/errors.ts";
import type { State } from "../../host/protocol/messages.ts";
import { until } from "../bridge/support/wait.ts";
import { requires } from "../support/requirements.ts";
import { temporaryTree } from "../support/tree.ts";

const HEADER = 32;
const STRIDE = 788;
const patience = { timeoutMs: 60_000 };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

let module: string;
/** An app that looks at a label before it learns it. */
let careful: string;
let samples: Uint8Array;
beforeAll(async () => {
  const app = join(ROOT, "assembly/apps/trainer.ts");
  const [built] = await buildModules({ apps: [app], targets: ["device"] });
  module = built?.path as string;
  const out = join(ROOT, "dist/tests/faults");
  const apps = [join(ROOT, "tests/assembly/apps/careful.ts")];
  careful = (await buildModules({ apps, targets: ["device"], out }))[0]?.path as string;
  samples = encodeSamples(await loadDataset("generated", { limit: { train: 20 } }), { test: 0, seed: 1 });
});

/** The state in which a device ends that plays this file; what it has learned until then is whole, and can be read. */
async function endOf(board: VirtualBoard, played: Uint8Array): Promise<State> {
  const path = join(temporaryTree(), "samples.bin");
  writeFileSync(path, played);
  const device = await startVirtualDevice({ id: "kitchen", board, module, samples: path });
  cleanups.push(() => device.stop());
  const { link } = device;
  const run = async (steps: number) => {
    await link.request("start", { seed: 1, steps }, patience);
    let state: State | undefined;
    await until(async () => {
      state = await link.request("status", {}, patience);
      return !state.running;
    });
    const { sha256 } = await link.request("digest", {}, patience);
    return { state: state as State, digest: Buffer.from(sha256).toString("hex") };
  };
  const { state, digest } = await run(15);
  await expect(link.request("resume", {}, patience)).rejects.toThrow(/start/);
  if (state.steps > 0) expect((await run(state.steps)).digest).toBe(digest);
  return state;
}

/** The fifth sample says that it is of a class that there is not. */
function withLabel(label: number): Uint8Array {
  const changed = new Uint8Array(samples);
  changed[HEADER + 4 * STRIDE] = label;
  return changed;
}

/** Frames of 14×56: as many bytes as the model takes, in another shape. */
function reshaped(): Uint8Array {
  const changed = new Uint8Array(samples);
  const view = new DataView(changed.buffer);
  view.setUint16(12, 14, true);
  view.setUint16(14, 56, true);
  return changed;
}

function refuses(board: VirtualBoard): void {
  it.each([10, 200, 254])("a label of %i among ten classes", async (label) => {
    const { error, steps, record } = await endOf(board, withLabel(label));
    expect(error).toMatchObject({ code: 24, got: label, want: 10 });
    expect(describeFault(error as NonNullable<State["error"]>)).toMatch(
      /a label is outside the classes \(label: \d+; classes: 10\)\. Give the last layer/,
    );
    expect(steps).toBe(4);
    expect(record?.steps ?? 0).toBeLessThanOrEqual(4);
  });

  it("a label of 200 among ten classes, by an app that looks first: it says so in the log, and goes on", async () => {
    const path = join(temporaryTree(), "samples.bin");
    writeFileSync(path, withLabel(200));
    const device = await startVirtualDevice({ id: "kitchen", board, module: careful, samples: path });
    cleanups.push(() => device.stop());
    const { link } = device;
    const said: string[] = [];
    link.on("log", ({ text }) => said.push(text));
    await link.request("start", { seed: 1, steps: 15 }, patience);
    let state: State | undefined;
    await until(async () => {
      state = await link.request("status", {}, patience);
      return !state.running;
    });
    expect(state).toMatchObject({ steps: 15, record: { steps: 14 } });
    expect(state?.error).toBeUndefined();
    expect(said).toContain("not learned: a label is outside the classes");
  });

  it("frames of another shape", async () => {
    const { error, steps } = await endOf(board, reshaped());
    expect(error?.code).toBe(23);
    expect(describeFault(error as NonNullable<State["error"]>)).toMatch(
      /Set the model's input shape to the sensor's/,
    );
    expect(steps).toBe(0);
  });
}

describe("a device in Node refuses", () => refuses("node"));
requires("gcc").describe("the firmware refuses", () => refuses("posix"));
requires("qemu-system-arm", "arm-none-eabi-gcc").describe("the firmware on a Cortex-M4 refuses", () =>
  refuses("mps2-an386"),
);
