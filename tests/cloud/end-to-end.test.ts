// A split model through Mosquitto: devices on posix and one in QEMU, a bridge, workers and a trainer, each of which is killed, and the broker
// too. Whatever devices sent is in the trainer's journal in the end, once, and it learns on.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, expect, it } from "vitest";
import { Bridge } from "../../host/bridge/bridge.ts";
import { type BuiltModule, buildCloudKernels, buildModules, buildSgq } from "../../host/build/modules.ts";
import { Journal } from "../../host/cloud/ingest/journal.ts";
import { decodeRecord } from "../../host/cloud/ingest/record.ts";
import type { CloudMetrics } from "../../host/cloud/metrics.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { encodeSamples } from "../../host/data/sample-file.ts";
import {
  startVirtualDevice,
  type VirtualBoard,
  type VirtualDevice,
} from "../../host/devices/virtual-device.ts";
import { LABELLED } from "../../host/protocol/labelled.ts";
import { decodeNumbered } from "../../host/protocol/numbered.ts";
import { receiptOf } from "../../host/protocol/receipts.ts";
import { TestClient } from "../bridge/support/client.ts";
import { type Mosquitto, startMosquitto } from "../bridge/support/mosquitto.ts";
import { until } from "../bridge/support/wait.ts";
import { endAll, octomote, type Running } from "../cli/support/octomote.ts";
import { requires } from "../support/requirements.ts";

const BOARDS: Record<string, VirtualBoard> = { attic: "posix", barn: "posix", cellar: "mps2-an386" };
/** The limit of a test that starts a dozen processes, one after the other: it only ends what would never be. */
const LIMIT_MS = 600_000;
/** Milliseconds between two samples of a device. */
const EVERY = 60;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

let module: string;

beforeAll(async () => {
  const built = await buildModules();
  module = (built.find(({ app, target }) => app === "split" && target === "device") as BuiltModule).path;
  await Promise.all([buildSgq(), buildCloudKernels()]);
});

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "octomote-cloud-e2e-"));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A broker that keeps what it has when it is ended in order. */
async function broker(folder: string, ports?: Mosquitto): Promise<Mosquitto> {
  return startMosquitto({
    ...(ports && { ports }),
    config: ["persistence true", `persistence_location ${folder}/`, "max_queued_messages 0"],
  });
}

function begin(...args: string[]): Running {
  const running = octomote(["cloud", ...args, "--json"]);
  cleanups.push(() => endAll(running));
  return running;
}

async function kill({ pid, ended }: Running): Promise<void> {
  process.kill(pid, "SIGKILL");
  await ended;
}

/** The last line of a kind that a trainer or worker printed. */
function printed<Line>({ stdout }: Running, kind: string): Line | undefined {
  const line = stdout()
    .split("\n")
    .findLast((one) => one.startsWith(`{"kind":"${kind}"`));
  return line === undefined ? undefined : JSON.parse(line);
}

const metricsOf = (trainer: Running) => printed<CloudMetrics>(trainer, "metrics");

/** Samples that a worker says it has decoded. */
const decodedBy = (worker: Running): number => printed<{ samples: number }>(worker, "counts")?.samples ?? 0;

async function device(id: string, folder: string, seed: number): Promise<VirtualDevice> {
  const samples = join(folder, `${id}.samples`);
  const dataset = await loadDataset("generated", { limit: { train: 200 }, seed: 7 });
  await writeFile(samples, encodeSamples(dataset, { seed, heldOutEvery: 8 }));
  const it = await startVirtualDevice({ id, board: BOARDS[id] as VirtualBoard, module, samples });
  cleanups.push(() => it.stop());
  return it;
}

/** A bridge, and the receipts of the labelled features that came through it. */
async function bridgeAt(
  url: string,
): Promise<{ bridge: Bridge; receipts: string[]; published: () => number }> {
  const bridge = new Bridge({ mqtt: { url, reconnectPeriod: 50 }, facts: { version: "9.9.9" } });
  await bridge.start();
  cleanups.push(() => bridge.stop());
  const receipts: string[] = [];
  bridge.bus.on("deviceFeatures", ({ device: { id }, bytes }) => {
    if (bytes[0] === LABELLED) receipts.push(receiptOf(id, bytes));
  });
  return { bridge, receipts, published: () => receipts.length };
}

/** Receipts of what lies in the journal of a trainer that has ended. */
function inJournal(folder: string): string[] {
  const receipts: string[] = [];
  const journal = new Journal(join(folder, "trainer", "samples.journal"), (record) => {
    const { device, payload } = decodeRecord(record);
    if (device !== "") receipts.push(receiptOf(device, decodeNumbered(payload).payload));
  });
  journal.close();
  return receipts;
}

async function start(
  bridge: Bridge,
  devices: VirtualDevice[],
  params: Record<string, number>,
): Promise<void> {
  for (const { link } of devices) {
    bridge.attach(link, "virtual");
    await link.request("start", { seed: 1, params }, { timeoutMs: 60_000 });
  }
}

/** No device sends any more, and everything that was on its way is there. */
async function quiet(devices: VirtualDevice[]): Promise<void> {
  for (const { link } of devices) await link.request("pause", {}, { timeoutMs: 10_000 });
  for (const { link } of devices) await until(async () => !(await link.request("status", {})).running);
}

/** Waits until the trainer that runs says something. */
const progress = (trainer: () => Running, more: (metrics: CloudMetrics) => boolean): Promise<CloudMetrics> =>
  until(() => {
    const metrics = metricsOf(trainer());
    return metrics && more(metrics) ? metrics : undefined;
  });

const trainAt = (url: string, folder: string, ...more: string[]): Running =>
  begin("train", "--broker", url, "--folder", join(folder, "trainer"), "--bytes", "200", ...more);

requires("gcc", "mosquitto", "qemu-system-arm", "arm-none-eabi-gcc").describe(
  "a split model with workers",
  () => {
    it(
      "loses nothing that was sent while a worker, the broker and the trainer are killed, and learns on",
      async () => {
        const [folder, kept] = [await temporary(), await temporary()];
        let mosquitto = await broker(kept);
        cleanups.push(() => mosquitto.stop());
        const { url } = mosquitto;
        const { bridge, receipts, published } = await bridgeAt(url);
        const trainer = () => trainAt(url, folder, "--from", "workers", "--calibration", "64");
        const worker = (id: string) => begin("worker", "--broker", url, "--id", id);
        let learner = trainer();
        const first = worker("first");
        let second = worker("second");
        await learner.sees(/frozen training/);
        for (const one of [first, second]) await one.sees(/decodes at/);
        const ids = Object.keys(BOARDS);
        const devices = await Promise.all(ids.map((id, i) => device(id, folder, 10 + i)));
        await start(bridge, devices, { every: EVERY });
        const more = async (count: number) => {
          const before = published();
          await until(() => published() > before + count);
        };
        const coded = await progress(
          () => learner,
          ({ devices: all, bytesPerSample }) =>
            bytesPerSample !== undefined && ids.every((id) => all[id]?.codebook === 1),
        );
        expect(coded.bytesPerSample?.mean).toBeLessThan(250);
        expect(coded.decodedByWorkers).toBeGreaterThan(coded.samples / 2);

        // a worker that never comes back, with what it was given; the other takes over
        await kill(first);
        await more(40);

        // the broker: what it had not written is gone, sessions and shared subscriptions too
        await mosquitto.stop("SIGKILL");
        await more(40);
        mosquitto = await broker(kept, mosquitto);
        const back = published();
        await progress(
          () => learner,
          ({ samples }) => samples > back,
        );

        // in order: it keeps sessions, but not that they share a subscription
        await mosquitto.stop("SIGTERM");
        await more(20);
        await kill(second);
        mosquitto = await broker(kept, mosquitto);
        await more(20);
        second = worker("second");
        await until(() => decodedBy(second) > 0);

        const before = metricsOf(learner) as CloudMetrics;
        await kill(learner);
        await more(40);
        learner = trainer();
        const after = await progress(
          () => learner,
          ({ samples }) => samples > before.samples + 40,
        );
        expect(after.codebook?.version).toBe(1);
        expect(after.steps).toBeGreaterThan(0);

        // all at once
        await Promise.all([kill(learner), kill(second), mosquitto.stop("SIGKILL")]);
        await more(20);
        mosquitto = await broker(kept, mosquitto);
        second = worker("second");
        learner = trainer();

        await quiet(devices);
        const done = await progress(
          () => learner,
          ({ samples, steps, lost }) => samples >= published() && lost === 0 && steps > before.steps,
        );
        expect(done).toMatchObject({ samples: published(), lost: 0 });
        expect(done.decodedByWorkers).toBeGreaterThan(published() / 2);
        await kill(learner);
        expect(inJournal(folder).sort()).toEqual(receipts.sort());
      },
      LIMIT_MS,
    );
  },
);

requires("gcc", "mosquitto").describe("a split model", () => {
  it.each([
    ["ended", "SIGTERM"],
    ["killed", "SIGKILL"],
  ] as const)(
    "loses nothing that was sent while the broker and the trainer are %s and come back, and learns on",
    async (_, signal) => {
      const [folder, kept] = [await temporary(), await temporary()];
      let mosquitto = await broker(kept);
      cleanups.push(() => mosquitto.stop());
      const { url } = mosquitto;
      const { bridge, receipts, published } = await bridgeAt(url);
      let learner = trainAt(url, folder, "--calibration", "64");
      await learner.sees(/frozen training/);
      const devices = await Promise.all(["attic", "barn"].map((id, i) => device(id, folder, 10 + i)));
      await start(bridge, devices, { every: EVERY });
      await progress(
        () => learner,
        ({ codebook }) => codebook !== undefined,
      );

      await mosquitto.stop(signal);
      const gone = published();
      await until(() => published() > gone + 20);
      mosquitto = await broker(kept, mosquitto);
      await progress(
        () => learner,
        ({ samples }) => samples > gone,
      );

      // both at once: the broker keeps for the trainer what it had not acknowledged, or the bridge has it
      const before = metricsOf(learner) as CloudMetrics;
      await kill(learner);
      const missed = published();
      await until(() => published() > missed + 10);
      await mosquitto.stop(signal);
      mosquitto = await broker(kept, mosquitto);
      learner = trainAt(url, folder, "--calibration", "64");

      await quiet(devices);
      const done = await progress(
        () => learner,
        ({ samples, steps, lost }) => samples >= published() && lost === 0 && steps > before.steps,
      );
      expect(done).toMatchObject({ samples: published(), lost: 0, codebook: { version: 1 } });
      await kill(learner);
      expect(inJournal(folder).sort()).toEqual(receipts.sort());
    },
  );

  it("that learns on both sides answers every training sample with a gradient", async () => {
    const folder = await temporary();
    const mosquitto = await broker(folder);
    cleanups.push(() => mosquitto.stop());
    const { url } = mosquitto;
    const client = await TestClient.connect(url, 5, "octomote/cloud/state");
    cleanups.push(() => client.close());
    const { bridge } = await bridgeAt(url);
    const learner = trainAt(url, folder, "--mode", "joint", "--calibration", "48");
    await learner.sees(/joint training/);
    await start(bridge, [await device("attic", folder, 3)], { every: 5, joint: 1 });
    const metrics: CloudMetrics = await client.wait(
      "octomote/cloud/state",
      (state: CloudMetrics | undefined) =>
        (state?.bytesDown ?? 0) > 40 * 1568 && state?.devices.attic?.codebook === 1,
    );
    expect(metrics).toMatchObject({ mode: "joint", lost: 0, refused: 0 });
    // every sample that was not held out was learned from, once
    expect(metrics.steps).toBe(metrics.training);
  });
});
