// octomote weights, through broker and bridge, with devices that run the trainer.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { Bridge } from "../../host/bridge/bridge.ts";
import { EmbeddedBroker } from "../../host/bridge/broker/embedded-broker.ts";
import { buildModules } from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { writeSampleFile } from "../../host/data/sample-file.ts";
import { startVirtualDevice, type VirtualDevice } from "../../host/devices/virtual-device.ts";
import { readRegion } from "../../host/link/regions.ts";
import { Region } from "../../host/protocol/requests.ts";
import { decodeWeights } from "../../host/protocol/weights.ts";
import { sha256 } from "../assembly/support.ts";
import { TestClient } from "../bridge/support/client.ts";
import { simulateDevice } from "../bridge/support/simulated-device.ts";
import { until } from "../bridge/support/wait.ts";
import { temporaryTree } from "../support/tree.ts";
import { run } from "./support/octomote.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

let modules: Record<"trainer" | "personalise", string>;
beforeAll(async () => {
  const built = await buildModules();
  const path = (name: string) => built.find(({ app, target }) => app === name && target === "device")!.path;
  modules = { trainer: path("trainer"), personalise: path("personalise") };
});

interface Scene {
  folder: string;
  url: string;
  /** Options of every verb. */
  at: string[];
  bridge: Bridge;
  client: TestClient;
  device(id: string, seed: number, steps: number, app?: keyof typeof modules): Promise<VirtualDevice>;
}

async function scene(): Promise<Scene> {
  const folder = temporaryTree();
  const broker = new EmbeddedBroker({ port: 0 });
  await broker.start();
  cleanups.push(() => broker.stop());
  const bridge = new Bridge({ mqtt: { url: broker.url }, facts: { version: "1.0.0" } });
  await bridge.start();
  cleanups.push(() => bridge.stop());
  const client = await TestClient.connect(broker.url, 4);
  cleanups.push(() => client.close());
  const samples = join(folder, "samples.bin");
  await writeSampleFile(samples, await loadDataset("generated", { limit: { train: 40 } }), { seed: 1 });
  const device: Scene["device"] = async (id, seed, steps, app = "trainer") => {
    const it = await startVirtualDevice({ id, board: "node", module: modules[app], samples });
    cleanups.push(() => it.stop());
    bridge.attach(it.link, "memory");
    await it.link.request("start", { seed, steps });
    await until(async () => !(await it.link.request("status")).running);
    return it;
  };
  return { folder, url: broker.url, at: ["--broker", broker.url], bridge, client, device };
}

const digest = async ({ link }: VirtualDevice) => sha256(await readRegion(link, Region.learnedState));

describe("octomote weights", () => {
  it("brings what one device has learned to another", async () => {
    const { at, device, folder } = await scene();
    const kitchen = await device("kitchen", 1, 20);
    const garden = await device("garden", 2, 3);
    const file = join(folder, "kitchen.weights");
    const got = await run(["weights", "get", file, "--device", "kitchen", "--json", ...at]);
    expect(got).toMatchObject({ code: 0, stderr: "" });
    const want = await digest(kitchen);
    expect(JSON.parse(got.stdout)).toMatchObject({ device: "kitchen", layers: 3, step: 16, sha256: want });
    expect(decodeWeights(await readFile(file)).entries.map(({ shape }) => shape)).toEqual([
      [8, 5, 5, 1],
      [16, 5, 5, 8],
      [10, 1, 1, 256],
    ]);
    expect(await digest(garden)).not.toBe(want);
    const put = await run(["weights", "put", file, "--device", "garden", ...at]);
    expect(put).toMatchObject({ code: 0, stdout: expect.stringContaining(want) });
    expect(await digest(garden)).toBe(want);
  });

  it("brings what a user has taught one device to another: a head above frozen layers, and the samples behind it", async () => {
    const { at, device, folder } = await scene();
    const kitchen = await device("kitchen", 1, 30, "personalise");
    const garden = await device("garden", 2, 3, "personalise");
    const file = join(folder, "kitchen.weights");
    const got = await run(["weights", "get", file, "--device", "kitchen", "--json", ...at]);
    expect(got).toMatchObject({ code: 0, stderr: "" });
    const want = await digest(kitchen);
    expect(JSON.parse(got.stdout)).toMatchObject({ device: "kitchen", sha256: want });
    expect(
      decodeWeights(await readFile(file))
        .entries.at(-1)
        ?.shape.at(0),
    ).toBe(10);
    expect(await digest(garden)).not.toBe(want);
    expect(await run(["weights", "put", file, "--device", "garden", ...at])).toMatchObject({ code: 0 });
    expect(await digest(garden)).toBe(want);

    const porch = await device("porch", 1, 3);
    const before = await digest(porch);
    const refused = await run(["weights", "put", file, "--device", "porch", ...at]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/porch/);
    expect(await digest(porch)).toBe(before);
  });

  it("reads a device that runs without stopping it", async () => {
    const { at, device, folder } = await scene();
    const { link } = await device("kitchen", 1, 2);
    await link.request("resume", {});
    const file = join(folder, "kitchen.weights");
    expect(await run(["weights", "get", file, "--device", "kitchen", ...at])).toMatchObject({ code: 0 });
    expect(decodeWeights(await readFile(file)).header.step).toBeGreaterThan(2);
    expect((await link.request("status")).running).toBe(true);
  });

  it("of a device in the midst of its steps: read, refused and written, it makes as many as it was asked for", async () => {
    const STEPS = 1500;
    const { client, device } = await scene();
    const kitchen = await device("kitchen", 1, 1);
    const { link } = kitchen;
    const rest = async () => {
      await until(async () => !(await link.request("status")).running);
      return { steps: (await link.request("status")).steps, digest: await digest(kitchen) };
    };
    await link.request("start", { seed: 5, steps: STEPS });
    const undisturbed = await rest();
    expect(undisturbed.steps).toBe(STEPS);
    await link.request("start", { seed: 5, steps: STEPS });
    const { status, data } = await client.ask("device/state/read", { id: "kitchen" });
    expect(status).toBe("ok");
    const state = Buffer.from(data.state, "base64");
    const damaged = Buffer.from(state);
    damaged[500]! ^= 1;
    for (const bad of [damaged, state.subarray(0, 900)]) {
      const write = { id: "kitchen", state: bad.toString("base64") };
      expect(await client.ask("device/state/write", write)).toMatchObject({
        status: "error",
        error: { code: "state-mismatch" },
      });
    }
    expect(await rest()).toEqual(undisturbed);
    await link.request("start", { seed: 6, steps: STEPS });
    const write = { id: "kitchen", state: state.toString("base64") };
    expect(await client.ask("device/state/write", write)).toMatchObject({ status: "ok" });
    expect((await rest()).steps).toBe(STEPS);
  });

  it("refuses what is damaged or another model's, and the device keeps what it had", async () => {
    const { at, client, device, folder } = await scene();
    const kitchen = await device("kitchen", 1, 5);
    const before = await digest(kitchen);
    const file = join(folder, "w");
    await run(["weights", "get", file, "--device", "kitchen", ...at]);
    const whole = readFileSync(file);
    const put = async (bytes: Uint8Array) => {
      writeFileSync(file, bytes);
      return run(["weights", "put", file, "--device", "kitchen", ...at]);
    };
    expect(await put(whole.subarray(0, 900))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("damaged"),
    });
    expect(await put(whole.map((byte, i) => (i === 999 ? byte ^ 1 : byte)))).toMatchObject({ code: 1 });
    expect(await put(Buffer.from("weights"))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("not a weights file"),
    });
    const state = decodeWeights(whole).state;
    state[12]! ^= 1;
    const request = { id: "kitchen", state: Buffer.from(state).toString("base64") };
    expect(await client.ask("device/state/write", request)).toMatchObject({
      status: "error",
      error: { code: "state-mismatch", message: expect.stringContaining("another model") },
    });
    for (const text of ["", "no base64!", "AAAA"]) {
      const answer = await client.ask("device/state/write", { id: "kitchen", state: text });
      expect(answer).toMatchObject({ status: "error" });
    }
    expect(await digest(kitchen)).toBe(before);
  });

  it("says what is missing, and writes nothing", async () => {
    const { at, bridge, device, folder } = await scene();
    await device("kitchen", 1, 1);
    const pretender = simulateDevice("pretender");
    cleanups.push(() => pretender.close());
    bridge.attach(pretender.link, "memory");
    await until(() => bridge.devices.all().length === 2);
    const file = join(folder, "none");
    const get = (id: string, ...more: string[]) =>
      run(["weights", "get", file, "--device", id, ...more, ...at]);
    expect(await get("nobody")).toMatchObject({ code: 1, stderr: expect.stringContaining("nobody") });
    expect(await get("pretender")).toMatchObject({ code: 1 });
    const other = await get("kitchen", "--app", "camera");
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining("--app") });
    expect(await get("kitchen", "--base", "elsewhere", "--timeout", "0.2")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("has answered"),
    });
    expect(existsSync(file)).toBe(false);
    const gone = await run(["weights", "put", join(folder, "gone"), "--device", "kitchen", ...at]);
    expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining("cannot be read") });
  });
});
