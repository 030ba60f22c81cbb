// octomote bridge --record: what the devices of a running bridge learn is repeated from its logs.
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { EmbeddedBroker } from "../../host/bridge/broker/embedded-broker.ts";
import { buildFirmware } from "../../host/build/firmware.ts";
import { buildIntrinsics, buildModules } from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { encodeSamples } from "../../host/data/sample-file.ts";
import { replay } from "../../host/replay/replayer.ts";
import { type Run, readSession, type Session } from "../../host/replay/session.ts";
import { TestClient } from "../bridge/support/client.ts";
import { startMosquitto } from "../bridge/support/mosquitto.ts";
import { until } from "../bridge/support/wait.ts";
import { requires } from "../support/requirements.ts";
import { temporaryTree } from "../support/tree.ts";
import { endAll, octomote, ROOT, type Running, run } from "./support/octomote.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

beforeAll(() => buildModules(), 300_000);

const MODULE = join(ROOT, "build/device/trainer.wasm");
const PORTABLE = join(ROOT, "build/portable/trainer.wasm");
const MEGABYTE = 1 << 20;

interface Stage {
  folder: string;
  log: string;
  samples: string;
  client: TestClient;
  running: Running;
}

/** A bridge with posix devices that wait for a start, and its recording. */
async function stage(
  url: string,
  version: 4 | 5,
  ids: string[],
  options: { images?: number; more?: string[] } = {},
): Promise<Stage> {
  const { path } = await buildFirmware("posix");
  const folder = temporaryTree();
  const samples = join(folder, "samples.bin");
  const dataset = await loadDataset("generated", { limit: { train: options.images ?? 200, test: 50 } });
  writeFileSync(samples, encodeSamples(dataset, { seed: 1 }));
  const log = join(folder, "session.cbor");
  const device = (id: string) => `${path} --id ${id} --module ${MODULE} --samples ${samples}`;
  const running = octomote([
    ...["bridge", "--broker", url, "--record", log, "--module", MODULE, "--samples", samples],
    ...ids.flatMap((id) => ["--exec", device(id)]),
    ...(options.more ?? []),
  ]);
  cleanups.push(() => endAll(running));
  const client = await TestClient.connect(url, version);
  cleanups.push(() => client.close());
  for (const id of ids) await client.wait(`octomote/${id}/availability`, (told) => told?.state === "online");
  return { folder, log, samples, client, running };
}

async function started({ client }: Stage, id: string, seed: number): Promise<void> {
  const { status } = await client.ask("device/start", { id, seed, params: { lr: 0.01 } });
  expect(status).toBe("ok");
}

async function embedded(): Promise<string> {
  const it = new EmbeddedBroker({ port: 0 });
  await it.start();
  cleanups.push(() => it.stop());
  return it.url;
}

/** Replays the only run of a log; all that the device told must be equal. */
async function replays(path: string, seed: number): Promise<Session> {
  const session = readSession(new Uint8Array(readFileSync(path)));
  const [run, ...more] = session.runs;
  expect(more).toEqual([]);
  expect(run?.seed).toBe(seed);
  const intrinsics = new Uint8Array(readFileSync(await buildIntrinsics()));
  const result = await replay({ session, run: run as Run, intrinsics });
  expect(result.difference).toBeUndefined();
  expect(result.early).toBeUndefined();
  expect(result.steps).toBeGreaterThan(100);
  expect(result.equal.digests + result.equal.states).toBeGreaterThan(1);
  return session;
}

async function records(url: string, version: 4 | 5): Promise<void> {
  const it = await stage(url, version, ["porch", "attic"]);
  await started(it, "porch", 5);
  await started(it, "attic", 6);
  for (const id of ["porch", "attic"]) await it.client.wait(`octomote/${id}`, (state) => state?.step > 100);
  // what is read and paused on the way changes nothing of what is learned
  expect((await it.client.ask("device/state/read", { id: "porch" })).status).toBe("ok");
  it.client.mqtt.publish("octomote/attic/set", '{"running":false}');
  await it.client.wait("octomote/attic", (state) => state.running === false);
  it.client.mqtt.publish("octomote/attic/set", '{"running":true}');
  await it.client.wait("octomote/attic", (state) => state.running === true);
  process.kill(it.running.pid, "SIGTERM");
  expect(await it.running.ended).toEqual({ code: 0, signal: null });
  expect(it.running.stdout()).toContain(`porch is recorded to ${join(it.folder, "session.porch.cbor")}`);
  expect((await replays(join(it.folder, "session.porch.cbor"), 5)).ended).toBe(true);
  await replays(join(it.folder, "session.attic.cbor"), 6);
}

requires("gcc").describe("octomote bridge --record", () => {
  it("records every device, at the embedded broker", async () => {
    await records(await embedded(), 4);
  });

  requires("mosquitto").describe("with MQTT 5", () => {
    it("records every device, at Mosquitto", async () => {
      const mosquitto = await startMosquitto();
      cleanups.push(() => mosquitto.stop());
      await records(mosquitto.url, 5);
    });
  });

  it("killed in the midst leaves logs that replay up to there", async () => {
    const it = await stage(await embedded(), 4, ["porch"]);
    await started(it, "porch", 5);
    const path = join(it.folder, "session.porch.cbor");
    await it.client.wait("octomote/porch", (state) => state?.step > 200);
    process.kill(it.running.pid, "SIGKILL");
    await it.running.ended;
    expect((await replays(path, 5)).ended).toBe(false);
    writeFileSync(path, readFileSync(path).subarray(0, -7));
    const { code, stdout } = await run(["replay", "--log", path, "--every", "1000000000"]);
    expect(stdout).toMatch(/! the log is whole up to byte \d+ \(the log was cut off\)/);
    expect(stdout).toMatch(/✓ [\d,]+ steps, \d+ digests and \d+ states of the device equal/);
    expect(code).toBe(0);
  });

  it("ends a log at its limit; the next start has its own", async () => {
    const it = await stage(await embedded(), 4, ["porch"], { images: 1500, more: ["--record-limit", "1"] });
    await started(it, "porch", 5);
    await it.running.sees(/session\.porch\.cbor has reached 1\.0 MB: what it holds can be replayed/);
    await started(it, "porch", 9);
    const second = join(it.folder, "session.porch.2.cbor");
    // a step is some 800 bytes of sample, and states come between: far more than 100 steps
    await until(() => existsSync(second) && statSync(second).size > 300_000);
    process.kill(it.running.pid, "SIGTERM");
    expect(await it.running.ended).toEqual({ code: 0, signal: null });
    const first = join(it.folder, "session.porch.cbor");
    expect(statSync(first).size).toBeLessThanOrEqual(MEGABYTE);
    await replays(first, 5);
    await replays(second, 9);
  });

  it("leaves logs of earlier bridges as they are, and records no device of another module", async () => {
    const it = await stage(await embedded(), 4, ["porch"]);
    process.kill(it.running.pid, "SIGTERM");
    await it.running.ended;
    // the device never learned: there is nothing to record
    expect(existsSync(join(it.folder, "session.porch.cbor"))).toBe(false);
    writeFileSync(join(it.folder, "session.porch.cbor"), "precious");
    const { path } = await buildFirmware("posix");
    const url = await embedded();
    const device = (id: string, module: string, more = "") =>
      `${path} --id ${id} --module ${module} --samples ${it.samples}${more}`;
    const running = octomote([
      ...[
        "bridge",
        "--broker",
        url,
        "--record",
        it.log,
        "--module",
        MODULE,
        "--samples",
        `porch=${it.samples}`,
      ],
      ...["--exec", device("porch", MODULE), "--exec", device("attic", PORTABLE)],
      ...["--exec", device("shed", MODULE), "--exec", device("cellar", MODULE)],
    ]);
    cleanups.push(() => endAll(running));
    await running.sees(/attic is not recorded: its module \(SHA-256 [0-9a-f]{16}…\) is none of --module/);
    await running.sees(/shed is not recorded: --samples names no file of it; add --samples shed=FILE/);
    const client = await TestClient.connect(url, 4);
    cleanups.push(() => client.close());
    await client.wait("octomote/porch/availability", (told) => told?.state === "online");
    expect((await client.ask("device/start", { id: "porch" })).status).toBe("ok");
    await running.sees(/porch is recorded to .*session\.porch\.2\.cbor/);
    process.kill(running.pid, "SIGTERM");
    await running.ended;
    expect(readFileSync(join(it.folder, "session.porch.cbor"), "utf8")).toBe("precious");
  });
});

describe("octomote bridge --record refuses", () => {
  const BRIDGE = ["bridge", "--tcp-listen", "0", "--record", "session.cbor"];

  it.each([
    ["no module and samples", BRIDGE, 2, /add --module \S+ --samples FILE/],
    ["no samples", [...BRIDGE, "--module", "x.wasm"], 2, /what their sensors play/],
    [
      "a module that is not there",
      [...BRIDGE, "--module", "no.wasm", "--samples", "s"],
      1,
      /no\.wasm cannot be read/,
    ],
    [
      "a module that is none",
      [...BRIDGE, "--module", "package.json", "--samples", "s"],
      1,
      /package\.json is no WebAssembly module/,
    ],
  ])("%s", async (_what, args, code, message) => {
    const ended = await run(args);
    expect(ended.stderr).toMatch(message);
    expect(ended.code).toBe(code);
  });

  it("samples that are none", async () => {
    const { code, stderr } = await run([...BRIDGE, "--module", MODULE, "--samples", "package.json"]);
    expect(stderr).toMatch(/package\.json: not a sample file[\s\S]*--samples takes the sample file/);
    expect(code).toBe(1);
  });
});
