// What a device learned is repeated on this machine to the same digests: the firmware as a process and on an emulated Cortex-M4, recorded on the
// link, with labels, a restored state and a second start; and a log that was tampered with says at which step.
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
import { type Dataset, loadDataset } from "../../host/data/dataset.ts";
import { startVirtualDevice, type VirtualDevice } from "../../host/devices/virtual-device.ts";
import { readRegion, writeRegion } from "../../host/link/regions.ts";
import { encodeLabel } from "../../host/protocol/label-message.ts";
import { Region } from "../../host/protocol/requests.ts";
import { type Entry, encodeEntry } from "../../host/replay/log.ts";
import { SessionRecorder } from "../../host/replay/recorder.ts";
import { type ReplayOptions, replay } from "../../host/replay/replayer.ts";
import { type Run, readSession, type Session } from "../../host/replay/session.ts";
import { sha256 } from "../assembly/support.ts";
import { requires } from "../support/requirements.ts";
import { streamOf } from "../support/streams.ts";

let folder: string;
let modules: BuiltModule[];
let intrinsics: Uint8Array<ArrayBuffer>;
let dataset: Dataset;
let samples: Uint8Array;
let samplesPath: string;
/** A recorded session, and the digest that the device's state had at its end. */
let recorded: { log: Uint8Array; digest: string } | undefined;

const pathOf = (target: Target) => (modules.find((module) => module.target === target) as BuiltModule).path;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-replay-"));
  samplesPath = join(folder, "samples.bin");
  dataset = await loadDataset("generated", { limit: { train: 300 }, seed: 7 });
  // shorter than the session: the sensor starts over
  samples = streamOf(dataset, [
    { classes: [0, 1, 2, 3], count: 30 },
    { classes: [7], count: 15, unlabelled: true },
  ]);
  await writeFile(samplesPath, samples);
  modules = await buildModules({ apps: [join(ROOT, "tests/assembly/apps/personal.ts")], out: folder });
  intrinsics = new Uint8Array(await readFile(await buildIntrinsics()));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const patience = { timeoutMs: 60_000 };

async function idle({ link }: VirtualDevice): Promise<void> {
  while ((await link.request("status", {}, patience)).running)
    await new Promise((done) => setTimeout(done, 10));
}

async function record(
  board: "posix" | "mps2-an386" | "node",
  target: Target,
  act: (device: VirtualDevice) => Promise<void>,
): Promise<{ log: Uint8Array; digest: string }> {
  const device = await startVirtualDevice({
    id: "kitchen",
    board,
    module: pathOf(target),
    samples: samplesPath,
  });
  try {
    const pieces: Uint8Array[] = [];
    const recorder = new SessionRecorder({
      module: await readFile(pathOf(target)),
      samples,
      source: "generated",
      digestMs: 50,
      write: (bytes) => pieces.push(bytes),
    });
    recorder.attach(device.link);
    await act(device);
    await device.link.request("pause", {}, patience);
    const digest = sha256(await readRegion(device.link, Region.learnedState, patience));
    await recorder.end();
    return { log: new Uint8Array(Buffer.concat(pieces)), digest };
  } finally {
    await device.stop();
  }
}

/** Learns freely for a while, is told labels in the middle of it, and goes on. */
async function life(device: VirtualDevice): Promise<void> {
  const { link } = device;
  await link.request("start", { seed: 3, params: { replays: 1 }, steps: 20 }, patience);
  await idle(device);
  const state = await readRegion(link, Region.learnedState, patience);
  await link.request("start", { seed: 4, params: { lr: 0.01 }, steps: 10 }, patience);
  await idle(device);
  await writeRegion(link, Region.learnedState, state, patience);
  await link.request("resume", {}, patience);
  for (const label of [8, 9]) {
    await new Promise((done) => setTimeout(done, 60));
    await link.request("message", { bytes: encodeLabel(label, 10) }, patience);
  }
  await new Promise((done) => setTimeout(done, 100));
}

async function repeat(session: Session, run: Run, more: Partial<ReplayOptions> = {}) {
  return replay({ session, run, intrinsics, ...more });
}

async function repeatsAll({ log, digest }: { log: Uint8Array; digest: string }): Promise<void> {
  const session = readSession(log);
  expect(session).toMatchObject({ ended: true, info: { device: "kitchen", source: "generated" } });
  expect(session.damage).toBeUndefined();
  expect(session.runs.map(({ seed }) => seed)).toEqual([3, 4]);
  const [first, second] = session.runs as [Run, Run];
  expect(await repeat(session, first)).toMatchObject({ steps: 20 });
  expect(second.events.filter(({ kind }) => kind === "message")).toHaveLength(2);
  expect(second.events.filter(({ kind }) => kind === "restore")).toHaveLength(1);
  const result = await repeat(session, second);
  expect(result.difference).toBeUndefined();
  expect(result.early).toBeUndefined();
  expect(result).toMatchObject({ steps: second.steps, digest });
  expect(result.equal.digests).toBeGreaterThan(1);
  expect(result.equal.states).toBeGreaterThan(1);
  expect(result.equal.blocks).toBeGreaterThan(0);
}

describe("a device's training is repeated to the same digests", () => {
  requires("gcc").describe("of the firmware as a process", () => {
    it.each(["device", "portable"] as const)("%s module", async (target) => {
      const session = await record("posix", target, life);
      if (target === "device") recorded = session;
      await repeatsAll(session);
    });
  });

  it("of a device in Node", async () => {
    const session = await record("node", "device", life);
    recorded ??= session;
    await repeatsAll(session);
  });

  requires("qemu-system-arm", "arm-none-eabi-gcc").describe("of a Cortex-M4 in QEMU", () => {
    it("device module", { timeout: 120_000 }, async () => {
      await repeatsAll(await record("mps2-an386", "device", life));
    });
  });
});

describe("a log of a real session", () => {
  const entriesOf = (change: (entry: Entry) => Entry): Session => {
    const { log } = recorded as { log: Uint8Array };
    const session = readSession(log);
    for (const run of session.runs) run.events = run.events.map((event) => change(event) as typeof event);
    return session;
  };

  it("that is cut off at any place is replayed as far as it is whole", async () => {
    const { log } = recorded as { log: Uint8Array };
    for (const share of [0.5, 0.8, 0.95, 0.99]) {
      const session = readSession(log.subarray(0, Math.floor(log.length * share)));
      expect(session.ended).toBe(false);
      const run = session.runs.at(-1);
      if (!run || !session.samples) continue;
      const result = await repeat(session, run);
      expect(result.difference).toBeUndefined();
      expect(result.steps).toBe(run.steps);
    }
  });

  it("with another digest: the step, and the last that was equal", async () => {
    const digests: number[] = [];
    const session = entriesOf((entry) => {
      if (entry.kind !== "digest") return entry;
      digests.push(entry.steps);
      return entry;
    });
    const run = session.runs.at(-1) as Run;
    const wrong = run.events.findLast(({ kind }) => kind === "digest") as Extract<Entry, { kind: "digest" }>;
    wrong.sha256 = wrong.sha256.map((byte) => byte ^ 1);
    const { difference } = await repeat(session, run);
    expect(difference).toMatchObject({ what: "digest", steps: wrong.steps });
    expect(difference?.agreed).toBeLessThanOrEqual(wrong.steps);
    expect(difference?.want).not.toBe(difference?.got);
  });

  it("without a message: a difference at the first thing that was told after it", async () => {
    const session = readSession((recorded as { log: Uint8Array }).log);
    const run = session.runs.at(-1) as Run;
    const at = run.events.findIndex(({ kind }) => kind === "message");
    const [message] = run.events.splice(at, 1);
    const { difference } = await repeat(session, run);
    expect(difference?.steps).toBeGreaterThan(message?.steps as number);
    expect(difference?.agreed).toBeLessThan(difference?.steps as number);
  });

  it("with another seed: at the first check", async () => {
    const session = readSession((recorded as { log: Uint8Array }).log);
    const run = { ...(session.runs[0] as Run), seed: 77 };
    expect((await repeat(session, run)).difference).toMatchObject({ agreed: 0 });
  });

  it("up to a step, and with a look at each", async () => {
    const session = readSession((recorded as { log: Uint8Array }).log);
    const run = session.runs[0] as Run;
    const seen: number[] = [];
    const result = await repeat(session, run, {
      until: 7,
      stepped: (steps, { inspector }) => {
        seen.push(steps);
        if (steps === 0) return;
        const layers = inspector.snapshot();
        expect(layers.map(({ name }) => name)).toEqual([
          "conv2d 5×5, 1 → 4",
          "conv2d 3×3, 4 → 8",
          "dense 128 → 10",
        ]);
        for (const { weights, range, totals } of layers) {
          expect(weights.histogram.reduce((sum, n) => sum + n, 0)).toBe(weights.count);
          expect(range === null || range > 0).toBe(true);
          expect(totals.saturated).toBeLessThanOrEqual(totals.outputs);
        }
        expect(inspector.loss).toBeGreaterThan(0);
      },
    });
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(result).toMatchObject({ steps: 7 });
  });

  it("that holds fewer samples than were seen: as far as they go", async () => {
    const { log } = recorded as { log: Uint8Array };
    const session = readSession(log);
    const whole = session.samples as NonNullable<Session["samples"]>;
    const short = { ...session, samples: { ...whole, count: 5 } };
    expect(await repeat(short, session.runs[0] as Run)).toMatchObject({
      steps: 5,
      early: "the log holds no more samples",
    });
    expect(encodeEntry({ kind: "end" }).length).toBeLessThan(log.length);
  });
});
