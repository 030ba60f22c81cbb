// A bridge at a broker with one simulated device and a client beside it, for the tests of the bridge.
import { afterEach } from "vitest";
import { Bridge } from "../../../host/bridge/bridge.ts";
import { EmbeddedBroker } from "../../../host/bridge/broker/embedded-broker.ts";
import { requires } from "../../support/requirements.ts";
import { TestClient } from "./client.ts";
import { startMosquitto } from "./mosquitto.ts";
import { type SimulatedDevice, simulateDevice } from "./simulated-device.ts";

/** What the running test has to end, last first. */
export const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

export type BrokerKind = "aedes" | "mosquitto";

/** The brokers and versions of MQTT that a suite runs at: the embedded one and, where it is there, Mosquitto. */
export const SETUPS: [BrokerKind, 4 | 5][] = [
  ["aedes", 4],
  ...(requires("mosquitto").skip ? [] : (["mosquitto"] as const)).flatMap((kind): [BrokerKind, 4 | 5][] => [
    [kind, 5],
    [kind, 4],
  ]),
];

/** Starts a broker, and returns its address. */
export async function broker(kind: BrokerKind): Promise<string> {
  if (kind === "mosquitto") {
    const it = await startMosquitto();
    cleanups.push(() => it.stop());
    return it.url;
  }
  const it = new EmbeddedBroker({ port: 0 });
  await it.start();
  cleanups.push(() => it.stop());
  return it.url;
}

/** A bridge with one device at a broker, and a client beside it. */
export async function setUp(kind: BrokerKind, version: 4 | 5, id = "kitchen") {
  const url = await broker(kind);
  const client = await TestClient.connect(url, version);
  cleanups.push(() => client.close());
  const bridge = new Bridge({
    mqtt: { url, version, reconnectPeriod: 50 },
    facts: { version: "9.9.9", dataset: "generated" },
  });
  await bridge.start();
  cleanups.push(() => bridge.stop());
  const device = add(bridge, id);
  await client.wait(`octomote/${id}`);
  return { url, client, bridge, device };
}

/** Attaches a simulated device. */
export function add(bridge: Bridge, id: string): SimulatedDevice {
  const device = simulateDevice(id);
  cleanups.push(() => device.close());
  bridge.attach(device.link, "memory");
  return device;
}
