// A broker that is away for half a minute: longer than the bridge's patience at first, shorter than its keep-alive would need.

import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { Bridge } from "../../host/bridge/bridge.ts";
import { EmbeddedBroker } from "../../host/bridge/broker/embedded-broker.ts";
import { TestClient } from "../bridge/support/client.ts";
import { startMosquitto } from "../bridge/support/mosquitto.ts";
import { add, type BrokerKind, cleanups, SETUPS } from "../bridge/support/stage.ts";
import { until } from "../bridge/support/wait.ts";

const AWAY_MS = 30_000;

interface Ports {
  port: number;
  webSocketPort: number;
}

/** A broker at `ports`, or at free ones. */
async function start(kind: BrokerKind, ports?: Ports) {
  if (kind === "mosquitto") return startMosquitto(ports && { ports });
  const broker = new EmbeddedBroker({ port: ports?.port ?? 0 });
  const { port } = await broker.start();
  return { port, webSocketPort: 0, url: broker.url, stop: () => broker.stop() };
}

async function gone(kind: BrokerKind, version: 4 | 5): Promise<void> {
  const first = await start(kind);
  // with the times that users have
  const bridge = new Bridge({ mqtt: { url: first.url, version }, facts: { version: "1" } });
  const warnings: string[] = [];
  bridge.bus.on("log", ({ message }) => warnings.push(message));
  await bridge.start();
  cleanups.push(() => bridge.stop());
  const device = add(bridge, "kitchen");
  await until(() => bridge.devices.get("kitchen")?.state);
  await first.stop();
  await until(() => !bridge.mqtt.connected);
  const away = performance.now();
  const seen = device.requests.length;
  const learning = setInterval(() => {
    device.state.record = { steps: (device.state.record?.steps ?? 0) + 1 };
    device.endpoint.features(new Uint8Array(64));
  }, 100);
  await sleep(AWAY_MS);
  const second = await start(kind, first);
  cleanups.push(() => second.stop());
  await until(() => bridge.mqtt.connected);
  clearInterval(learning);
  expect(performance.now() - away).toBeGreaterThanOrEqual(AWAY_MS);
  const client = await TestClient.connect(second.url, version);
  cleanups.push(() => client.close());
  await client.wait("octomote/bridge/state", (value) => value?.state === "online");
  await client.wait("octomote/kitchen/availability", (value) => value?.state === "online");
  const { steps } = device.state.record as { steps: number };
  expect(steps).toBeGreaterThan(100);
  await client.wait("octomote/kitchen", (state) => state?.step === steps);
  await client.wait("homeassistant/device/octomote_kitchen/config");
  // the device knew nothing of it, and what it sent meanwhile is counted, not kept
  expect(device.requests.length).toBe(seen);
  expect((await client.ask("health")).data.dropped.mqtt).toBeGreaterThan(100);
  expect((await client.ask("device/pause", { id: "kitchen" })).status).toBe("ok");
  // said when it went, and why it did not come back: not once for each try
  expect(warnings.filter((text) => text.includes("is gone"))).toHaveLength(1);
  expect(warnings.filter((text) => text.includes(String(first.port))).length).toBeLessThanOrEqual(4);
}

it(`is found again after ${AWAY_MS / 1000} s, at every broker and in every version`, async () => {
  await Promise.all(SETUPS.map(([kind, version]) => gone(kind, version)));
});
