// A bridge as its own process, and what dies, stalls or shouts around it. Real firmware goes on meanwhile.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Bridge } from "../../host/bridge/bridge.ts";
import { MqttConnection } from "../../host/bridge/mqtt/connection.ts";
import { DeviceLink } from "../../host/link/device-link.ts";
import { ChildProcessTransport } from "../../host/link/transport.ts";
import { TestClient } from "../bridge/support/client.ts";
import { startMosquitto } from "../bridge/support/mosquitto.ts";
import { add, broker, cleanups, SETUPS } from "../bridge/support/stage.ts";
import { until } from "../bridge/support/wait.ts";
import { endAll, octomote, type Running } from "../cli/support/octomote.ts";
import { freePort } from "../support/free-port.ts";
import { posixDevice } from "../support/posix-device.ts";
import { requires } from "../support/requirements.ts";

const mosquitto = requires("mosquitto");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-faults-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A device that starts by itself and connects to `port`. */
async function board(id: string, port: number): Promise<ChildProcess> {
  const { program, args } = await posixDevice(folder, id, true);
  const child = spawn(program, [...args, "--connect", `127.0.0.1:${port}`], { stdio: "ignore" });
  cleanups.push(async () => {
    const gone = once(child, "close");
    if (child.kill("SIGKILL")) await gone;
  });
  return child;
}

function begin(args: string[]): Running {
  const running = octomote(args);
  cleanups.push(() => endAll(running));
  return running;
}

async function onlooker(url: string, version: 4 | 5 = 4): Promise<TestClient> {
  const client = await TestClient.connect(url, version);
  cleanups.push(() => client.close());
  return client;
}

const online = (value: { state: string } | undefined) => value?.state === "online";
const offline = (value: { state: string } | undefined) => value?.state === "offline";

const gcc = requires("gcc");

gcc.describe.each(SETUPS)("octomote bridge at %s, MQTT version %i,", (kind, version) => {
  const speaks = ["--mqtt-version", String(version)];

  it("is killed and comes back: the broker says offline, the device goes on, and is found again", async () => {
    const url = await broker(kind);
    const client = await onlooker(url, version);
    const port = await freePort();
    const args = ["bridge", "--broker", url, "--tcp-listen", String(port), ...speaks];
    const first = begin(args);
    await first.sees(/may connect/);
    const device = await board("attic", port);
    const before = await client.wait("octomote/attic", (state) => state?.step > 0);
    process.kill(first.pid, "SIGKILL");
    await first.ended;
    await client.wait("octomote/bridge/state", offline);
    begin(args);
    await client.wait("octomote/bridge/state", online);
    await client.wait("octomote/attic/availability", online);
    const after = await client.wait("octomote/attic", (state) => state.step > before.step);
    expect(after.uptime).toBeGreaterThan(before.uptime);
    expect(device.exitCode).toBeNull();
    expect((await client.ask("device/pause", { id: "attic" })).status).toBe("ok");
  });

  it("has two devices of one name: says so with both places and what to do, and keeps to one of them", async () => {
    const url = await broker(kind);
    const client = await onlooker(url, version);
    const port = await freePort();
    const running = begin(["bridge", "--broker", url, "--tcp-listen", String(port), ...speaks]);
    await running.sees(/may connect/);
    await board("twin", port);
    await client.wait("octomote/twin/availability", online);
    await board("twin", port);
    await running.sees(
      /warning twin answers at tcp \S+ now, and no longer at tcp \S+; if these are two .*another id/,
    );
    expect(await client.wait("octomote/bridge/devices", (list) => list?.length === 1)).toMatchObject([
      { id: "twin", online: true },
    ]);
    // The second one reports from here on, and only that one.
    const { uptime } = (await client.ask("device/status", { id: "twin" })).data;
    await client.wait("octomote/twin", (state) => state.uptime >= uptime);
    const { uptime: later } = (await client.ask("device/status", { id: "twin" })).data;
    expect(later).toBeGreaterThanOrEqual(uptime);
  });

  it("has a device that never says who it is: nothing is told of it, and others are served", async () => {
    const url = await broker(kind);
    const client = await onlooker(url, version);
    const port = await freePort();
    const running = begin([
      "bridge",
      "--broker",
      url,
      "--tcp-listen",
      String(port),
      "--exec",
      "exec sleep 1000",
      ...speaks,
    ]);
    await running.sees(/may connect/);
    await board("quiet", port);
    await client.wait("octomote/quiet/availability", online);
    expect((await client.ask("devices")).data.map(({ id }: { id: string }) => id)).toEqual(["quiet"]);
    process.kill(running.pid, "SIGTERM");
    expect(await running.ended).toEqual({ code: 0, signal: null });
  });
});

gcc.describe("octomote bridge", () => {
  it.skipIf(mosquitto.skip)("has a device that floods: others are served, memory stays", async () => {
    const server = await startMosquitto();
    cleanups.push(() => server.stop());
    const url = server.url;
    // Not everything: what the flood brings is for the broker to carry, not for this test.
    const [states, asker] = await Promise.all([
      TestClient.connect(url, 4, "octomote/+"),
      TestClient.connect(url, 4, "octomote/bridge/#"),
    ]);
    cleanups.push(() => Promise.all([states.close(), asker.close()]));
    const port = await freePort();
    const flood = fileURLToPath(new URL("./support/flood-device.ts", import.meta.url));
    const running = begin([
      ...["bridge", "--broker", url, "--tcp-listen", String(port)],
      ...["--exec", `"${process.execPath}" --import tsx "${flood}"`],
    ]);
    await running.sees(/may connect/);
    const { step } = await states.wait("octomote/flood", (state) => state?.step > 2000);
    const resident = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${running.pid}/status`, "utf8"))?.[1]);
    const kilobytes = resident();
    await board("quiet", port);
    await states.wait("octomote/quiet", (state) => state?.step > 0);
    await states.wait("octomote/flood", (state) => state.step > step + 10_000);
    expect((await asker.ask("device/pause", { id: "quiet" })).status).toBe("ok");
    await states.wait("octomote/quiet", (state) => state.running === false);
    expect(resident()).toBeLessThan(kilobytes + 96 * 1024);
    const told = states.all.filter((message) => message.topic === "octomote/flood").length;
    expect(told).toBeLessThan(states.json("octomote/flood").step / 10);
    // Features too are passed on at a rate that can be borne; what was left out is counted, and told.
    const { dropped } = (await asker.ask("health")).data;
    expect(dropped.features).toBeGreaterThan(1000);
    const { featuresDropped } = await states.wait("octomote/flood", (state) => state.featuresDropped > 0);
    expect(featuresDropped).toBeLessThanOrEqual((await asker.ask("health")).data.dropped.features);
    expect(states.json("octomote/quiet").featuresDropped).toBeUndefined();
    expect(running.stderr()).not.toMatch(/MaxListeners/);
  });
});

gcc.describe("firmware that stops answering", () => {
  it("fails requests in their time, is found dead, and is back when it answers again", async () => {
    const { program, args } = await posixDevice(folder, "stalled", true);
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    const link = new DeviceLink(new ChildProcessTransport(child));
    cleanups.push(async () => {
      child.kill("SIGCONT");
      await link.close();
    });
    await link.request("status", {});
    const down = once(link, "down");
    child.kill("SIGSTOP");
    await expect(link.request("status", {}, { timeoutMs: 300 })).rejects.toMatchObject({ reason: "timeout" });
    const lost = expect(link.request("status", {}, { timeoutMs: 60_000 })).rejects;
    await lost.toMatchObject({ reason: "link-down", message: expect.stringMatching(/does not acknowledge/) });
    expect(await down).toEqual(["the device does not acknowledge any more"]);
    child.kill("SIGCONT");
    expect(await link.request("status", {}, { timeoutMs: 60_000 })).toMatchObject({ running: true });
    expect(link.stats.epochs).toBe(2);
  });
});

mosquitto.describe.each([5, 4] as const)(
  "Mosquitto, MQTT version %i, goes away and comes back",
  (version) => {
    it("everybody's state and availability are there again, and the will of the next break works", async () => {
      const first = await startMosquitto();
      const bridge = new Bridge({
        mqtt: { url: first.url, version, reconnectPeriod: 50 },
        facts: { version: "1" },
      });
      await bridge.start();
      cleanups.push(() => bridge.stop());
      const [kitchen, garage] = [add(bridge, "kitchen"), add(bridge, "garage")];
      await until(() => bridge.devices.all().filter((device) => device.state).length === 2);
      await first.stop();
      await until(() => !bridge.mqtt.connected);
      // Meanwhile devices learn on, and one of them leaves.
      kitchen.state.record = { steps: 400 };
      await until(() => bridge.devices.get("kitchen")?.stateJson()?.step === 400);
      await garage.close();
      const second = await startMosquitto({ ports: first });
      cleanups.push(() => second.stop());
      const client = await onlooker(second.url, version);
      await client.wait("octomote/bridge/state", online);
      await client.wait("octomote/kitchen/availability", online);
      await client.wait("octomote/garage/availability", offline);
      await client.wait("octomote/kitchen", (state) => state?.step === 400);
      await client.wait("octomote/bridge/devices", (list) => list?.length === 2);
      expect((await client.ask("device/pause", { id: "kitchen" })).status).toBe("ok");
      bridge.mqtt.destroy();
      await client.wait("octomote/bridge/state", offline);
    });

    it("what waits meanwhile is bounded: a topic's latest, then the newest thousand", async () => {
      const first = await startMosquitto();
      const mqtt = new MqttConnection({ url: first.url, version, reconnectPeriod: 50 });
      cleanups.push(() => mqtt.close());
      await mqtt.connect();
      await first.stop();
      await until(() => !mqtt.connected);
      for (let i = 0; i < 5000; i++) {
        mqtt.publish(`kept/${i % 10}`, String(i), { qos: 1, retain: true });
        mqtt.publish(`told/${i}`, "x", { qos: 1 });
        mqtt.publish("stream", "x");
      }
      expect(mqtt.stats.dropped).toBeGreaterThanOrEqual(5000);
      const heard: string[] = [];
      await mqtt.subscribe("told/#", ({ topic }) => heard.push(topic));
      const second = await startMosquitto({ ports: first });
      cleanups.push(() => second.stop());
      await until(() => mqtt.connected);
      await mqtt.flush(60_000);
      await until(() => heard.at(-1) === "told/4999");
      expect(heard.length).toBeLessThanOrEqual(1000);
      expect(heard).toEqual(Array.from(heard, (_, i) => `told/${5000 - heard.length + i}`));
    });
  },
);

describe("a broker that is gone", () => {
  it("is named by commands, with what to do", async () => {
    const running = octomote(["devices", "--broker", `mqtt://127.0.0.1:${await freePort()}`]);
    expect((await running.ended).code).toBe(1);
    expect(running.stderr()).toMatch(/No broker answers at[\s\S]*--broker/);
  });
});
