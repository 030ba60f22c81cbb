import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import mqtt from "mqtt";
import { afterEach, describe, expect, it } from "vitest";
import { startMosquitto } from "../bridge/support/mosquitto.ts";
import { until } from "../bridge/support/wait.ts";
import { missingOf, requires } from "../support/requirements.ts";
import { temporaryTree } from "../support/tree.ts";
import { endAll, octomote, processesOf, type Running, type RunOptions } from "./support/octomote.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

/** Runs `octomote start` on few generated images; whatever is left of it is ended with the test. */
function start(args: string[], options?: RunOptions): Running {
  const running = octomote(["start", ...SMALL, ...args], options);
  cleanups.push(() => endAll(running));
  return running;
}

/** Ports that the system chooses, so that tests beside each other do not meet. */
const PORTS = ["--port", "0", "--mqtt-port", "0"];
const SMALL = ["--data", "generated", "--images", "2000"];

const pageOf = async (running: Running) => (await running.sees(/page +(http:\/\/\S+)/))[1] as string;
const brokerOf = async (running: Running) => (await running.sees(/broker +(mqtt:\/\/\S+)/))[1] as string;
const learning = (running: Running) => running.sees(/step [1-9]/);

/** Collects the states that devices publish. */
async function watch(url: string) {
  const client = await mqtt.connectAsync(url);
  cleanups.push(() => client.endAsync(true));
  const states = new Map<string, { step: number; loss?: number }[]>();
  client.on("message", (topic, payload) => {
    const id = topic.split("/")[1] as string;
    if (payload.length > 0) states.set(id, [...(states.get(id) ?? []), JSON.parse(payload.toString())]);
  });
  await client.subscribeAsync("octomote/+");
  return states;
}

const emulated = missingOf(["arm-none-eabi-gcc", "qemu-system-arm"]).length === 0;

requires("gcc").describe("octomote start", () => {
  it("as npm start, for some seconds: ends by itself and reports what docs and scripts rely on", async () => {
    const file = join(temporaryTree(), "result.json");
    const running = octomote(["start", "--", ...SMALL, ...PORTS, "--seconds", "5", "--json", file], {
      command: ["npm", "--silent"],
    });
    cleanups.push(() => endAll(running));
    const page = await pageOf(running);
    const broker = await brokerOf(running);
    expect((await fetch(page)).status).toBe(200);
    const states = await watch(broker);
    expect(await running.ended).toEqual({ code: 0, signal: null });
    expect(processesOf(running)).toEqual([]);

    const report = JSON.parse(readFileSync(file, "utf8"));
    const device = (id: string, board: string) => ({
      id,
      board,
      engine: expect.stringMatching(/^wasm3-\d+\.\d+\.\d+/),
      steps: expect.any(Number),
      loss: expect.any(Number),
      accuracy: expect.any(Number),
      dirty: null,
      macs: null,
      bytesOut: expect.any(Number),
      ramBytes: expect.any(Number),
    });
    expect(report).toEqual({
      dataset: "generated",
      broker,
      page,
      devices: [
        device("garage", "posix"),
        device("kitchen", "posix"),
        device("porch", emulated ? "mps2-an386" : "posix"),
      ],
      mqttMessages: expect.any(Number),
    });
    for (const { steps, loss, accuracy, bytesOut, ramBytes } of report.devices) {
      expect(steps).toBeGreaterThan(0);
      expect(loss).toBeGreaterThan(0);
      expect(accuracy).toBeGreaterThanOrEqual(0);
      expect(accuracy).toBeLessThanOrEqual(1);
      expect(bytesOut).toBeGreaterThan(0);
      expect(ramBytes).toBeGreaterThan(1000);
    }
    const published = [...states.values()].flat().length;
    expect(published).toBeGreaterThan(0);
    expect(report.mqttMessages).toBeGreaterThanOrEqual(published);
  });

  it("lets devices learn, and ends all of them on Ctrl-C", async () => {
    const file = join(temporaryTree(), "result.json");
    const running = start([...PORTS, "--devices", "2", "--json", file]);
    const states = await watch(await brokerOf(running));
    await until(() => {
      const told = (states.get("kitchen") ?? []).filter((state) => state.loss !== undefined);
      const losses = told.map((state) => state.loss as number);
      return losses.length > 2 && (losses.at(-1) as number) < 0.7 * Math.max(...losses);
    });
    const before = processesOf(running).map(({ command }) => command);
    expect(before.length).toBeGreaterThan(2);
    // As a terminal does: to the whole group, and npm would send it a second time.
    process.kill(-running.pid, "SIGINT");
    process.kill(running.pid, "SIGINT");
    expect(await running.ended).toEqual({ code: 0, signal: null });
    expect(processesOf(running)).toEqual([]);
    const report = JSON.parse(readFileSync(file, "utf8"));
    expect(report.devices.map(({ id }: { id: string }) => id)).toEqual(["garage", "kitchen"]);
  });

  it.each(["SIGTERM", "SIGHUP"] as const)("ends everything on %s", async (signal) => {
    const running = start([...PORTS, "--devices", "2"]);
    await learning(running);
    process.kill(running.pid, signal);
    expect(await running.ended).toEqual({ code: 0, signal: null });
    expect(processesOf(running)).toEqual([]);
  });

  it("ends everything while it is still building", async () => {
    const running = start(PORTS);
    await running.sees(/modules +compiling/);
    process.kill(running.pid, "SIGTERM");
    expect(await running.ended).toEqual({ code: 1, signal: null });
    await until(() => processesOf(running).length === 0);
  });

  it("ends everything when its parent is gone", async () => {
    // The shell has more to do, so it does not become octomote itself.
    const running = start([...PORTS, "--devices", "2"], {
      command: ["sh", "-c", '"$@"; exit 3', "sh", process.execPath, "host/cli/octomote.mjs"],
    });
    await learning(running);
    process.kill(running.pid, "SIGKILL");
    await until(() => processesOf(running).length === 0);
  });

  it("leaves nothing behind when it is killed itself", async () => {
    const running = start(PORTS);
    await learning(running);
    process.kill(running.pid, "SIGKILL");
    await until(() => processesOf(running).length === 0);
  });

  it("ends when its output has nowhere to go", async () => {
    const running = start([...PORTS, "--devices", "1"]);
    await learning(running);
    running.child.stdout?.destroy();
    await until(() => processesOf(running).length === 0);
  });

  it("takes other ports when its own are taken, and says so", async () => {
    const occupied: Server[] = [];
    const occupy = async () => {
      const server = createServer();
      occupied.push(server);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      return typeof address === "object" && address ? address.port : 0;
    };
    cleanups.push(() =>
      Promise.all(occupied.map((server) => new Promise((resolve) => server.close(resolve)))),
    );
    const [port, mqttPort] = [await occupy(), await occupy()];
    const running = start(["--port", String(port), "--mqtt-port", String(mqttPort), "--devices", "1"]);
    const page = await pageOf(running);
    const broker = await brokerOf(running);
    await running.sees(new RegExp(`port ${port} is taken`));
    await running.sees(new RegExp(`port ${mqttPort} is taken`));
    expect(new URL(page).port).not.toBe(String(port));
    expect(new URL(broker).port).not.toBe(String(mqttPort));
    expect((await fetch(page)).status).toBe(200);
    const states = await watch(broker);
    await until(() => states.has("kitchen"));
  });

  it("says before it builds when the report cannot be written", async () => {
    const running = start([...PORTS, "--json", "/nowhere/result.json"]);
    expect((await running.ended).code).toBe(1);
    expect(running.stderr()).toMatch(/Cannot write \/nowhere\/result\.json[\s\S]*--json/);
    expect(running.stdout()).not.toMatch(/compiling/);
  });

  it("fails with a fix when the broker that was named is not there", async () => {
    const running = start([...PORTS, "--broker", "mqtt://127.0.0.1:1", "--devices", "1"]);
    expect((await running.ended).code).toBe(1);
    expect(running.stderr()).toMatch(/No broker answers at mqtt:\/\/127\.0\.0\.1:1[\s\S]*--broker/);
    expect(processesOf(running)).toEqual([]);
  });

  requires("mosquitto").describe("at an external broker", () => {
    it("speaks MQTT 5 there, and carries the page's WebSocket to it", async () => {
      const broker = await startMosquitto();
      cleanups.push(() => broker.stop());
      const file = join(temporaryTree(), "result.json");
      const running = start([
        ...PORTS,
        "--devices",
        "1",
        "--broker",
        broker.url,
        "--seconds",
        "4",
        "--json",
        file,
      ]);
      const page = await pageOf(running);
      const client = await mqtt.connectAsync(`${page.replace("http", "ws")}mqtt`, { protocolVersion: 5 });
      cleanups.push(() => client.endAsync(true));
      const info = new Promise<{ mqtt: number; broker: string; dataset: string }>((resolve) =>
        client.on("message", (_topic, payload) => resolve(JSON.parse(payload.toString()))),
      );
      await client.subscribeAsync("octomote/bridge/info");
      expect(await info).toMatchObject({ mqtt: 5, broker: broker.url, dataset: "generated" });
      expect(await running.ended).toEqual({ code: 0, signal: null });
      expect(JSON.parse(readFileSync(file, "utf8")).broker).toBe(broker.url);
      // The broker outlives the run, and knows that everybody is gone.
      const late = await mqtt.connectAsync(broker.url);
      cleanups.push(() => late.endAsync(true));
      const retained = new Map<string, string>();
      late.on("message", (topic, payload) => retained.set(topic, payload.toString()));
      await late.subscribeAsync(["octomote/bridge/state", "octomote/kitchen/availability"]);
      await until(() => retained.size === 2);
      expect([...retained.values()]).toEqual(['{"state":"offline"}', '{"state":"offline"}']);
    });
  });
});

describe("octomote start without a C compiler", () => {
  it("runs the same modules in Node, and says so in one line", async () => {
    const file = join(temporaryTree(), "result.json");
    const running = start([...PORTS, "--seconds", "3", "--json", file], { env: { CC: "/nonexistent/cc" } });
    expect(await running.ended).toEqual({ code: 0, signal: null });
    expect(processesOf(running)).toEqual([]);
    expect(running.stdout().match(/no C compiler/g)).toHaveLength(1);
    expect(existsSync(file)).toBe(true);
    const { devices } = JSON.parse(readFileSync(file, "utf8"));
    expect(
      devices.map(({ board, engine }: { board: string; engine: string }) => `${board} ${engine}`),
    ).toEqual(["node node", "node node", "node node"]);
    for (const { steps } of devices) expect(steps).toBeGreaterThan(0);
  });
});
