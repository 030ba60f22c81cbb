// What the cloud has for devices reaches those that ask for it; features with a label reach a subscriber that was away.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { type Message, MqttConnection } from "../../host/bridge/mqtt/connection.ts";
import { encodeLabelled } from "../../host/protocol/labelled.ts";
import { decodePart, PartKind } from "../../host/protocol/parts.ts";
import { requires } from "../support/requirements.ts";
import type { SimulatedDevice } from "./support/simulated-device.ts";
import { add, cleanups, setUp } from "./support/stage.ts";
import { until } from "./support/wait.ts";

/** First bytes of a nack; the rest is for the cloud. */
const NACK = Uint8Array.of(0xa1, 3, 1, 0, 0, 0, 0, 2, 0, 0, 0);
const HALF = Uint8Array.from({ length: 400 }, (_, i) => i);
const CODEBOOK = Uint8Array.from({ length: 2500 }, (_, i) => i * 7);

/** What the device's module was given, put together: kind → bytes. */
function given({ requests }: SimulatedDevice): Map<PartKind, number[]> {
  const whole = new Map<PartKind, number[]>();
  for (const { verb, args } of requests) {
    if (verb !== "message") continue;
    const { kind, offset, bytes } = decodePart((args as { bytes: Uint8Array }).bytes);
    const before = offset === 0 ? [] : (whole.get(kind) ?? []);
    expect(before.length).toBe(offset);
    whole.set(kind, [...before, ...bytes]);
  }
  return whole;
}

const publish = (client: Awaited<ReturnType<typeof setUp>>["client"], name: string, bytes: Uint8Array) =>
  client.mqtt.publishAsync(`octomote/cloud/${name}`, Buffer.from(bytes), { qos: 1, retain: true });

it("a device that asks gets device half and codebook in parts, and every later codebook; others are left alone", async () => {
  const { client, bridge, device } = await setUp("aedes", 4);
  const silent = add(bridge, "garage");
  await publish(client, "codebook", CODEBOOK);
  await publish(client, "half", HALF);
  await sleep(50);
  device.endpoint.features(NACK);
  await until(() => given(device).get(PartKind.codebook)?.length === CODEBOOK.length);
  expect(given(device).get(PartKind.half)).toEqual([...HALF]);
  expect(given(device).get(PartKind.codebook)).toEqual([...CODEBOOK]);
  await publish(client, "codebook", CODEBOOK.slice(1));
  await until(() => given(device).get(PartKind.codebook)?.length === CODEBOOK.length - 1);
  expect(silent.requests.filter(({ verb }) => verb === "message")).toEqual([]);
});

it("a device that asks again while it is given what it asked for gets it once", async () => {
  const { client, device } = await setUp("aedes", 4);
  await publish(client, "codebook", CODEBOOK);
  await sleep(50);
  const message = device.handlers.message;
  device.handlers.message = (args) => {
    device.endpoint.features(NACK);
    return message(args);
  };
  device.endpoint.features(NACK);
  await until(() => given(device).get(PartKind.codebook)?.length === CODEBOOK.length);
  await sleep(100);
  expect(device.requests.filter(({ verb }) => verb === "message")).toHaveLength(5);
  device.handlers.message = message;
  // one that asks later has lost it
  device.endpoint.features(NACK);
  await until(() => device.requests.filter(({ verb }) => verb === "message").length === 10);
});

it("a codebook that was refused, and one that the broker only tells again, are not sent again", async () => {
  const { client, device } = await setUp("aedes", 4);
  await publish(client, "codebook", CODEBOOK);
  await sleep(50);
  device.endpoint.features(NACK);
  await until(() => given(device).get(PartKind.codebook)?.length === CODEBOOK.length);
  // sequence number 300, two bytes; reason 6
  device.endpoint.features(Uint8Array.of(0xa1, 3, 1, 0, 0, 0, 0xac, 2, 6, 8, 0, 0));
  await publish(client, "codebook", CODEBOOK);
  await sleep(100);
  expect(device.requests.filter(({ verb }) => verb === "message")).toHaveLength(5);
});

it("a device that is called like a topic of the cloud is refused", async () => {
  const { bridge } = await setUp("aedes", 4);
  const logged: string[] = [];
  bridge.bus.on("log", ({ message }) => logged.push(message));
  add(bridge, "cloud");
  await until(() => logged.some((line) => line.includes("reserved")));
  expect(bridge.devices.get("cloud")).toBeUndefined();
});

requires("mosquitto").describe("sessions", () => {
  const subscriber = async (url: string, heard: string[], handler?: (message: Message) => unknown) => {
    const mqtt = new MqttConnection({
      url,
      version: 5,
      clientId: "learner",
      sessionExpiry: 60,
      reconnectPeriod: 50,
    });
    cleanups.push(() => mqtt.destroy());
    await mqtt.subscribe("octomote/+/features", (message) => {
      heard.push(message.payload.subarray(-1).toString("hex"));
      return handler?.(message);
    });
    await mqtt.connect();
    return mqtt;
  };
  const features = (n: number, label: boolean): Uint8Array =>
    label ? encodeLabelled([{ label: 1, heldOut: false }], Uint8Array.of(0xb1, n)) : Uint8Array.of(0xb1, n);

  it("labelled features wait for a learner that is away; others are for who listens now", async () => {
    const { url, device } = await setUp("mosquitto", 5);
    const heard: string[] = [];
    const first = await subscriber(url, heard);
    device.endpoint.features(features(1, true));
    await until(() => heard.length === 1);
    first.destroy();
    await sleep(50);
    device.endpoint.features(features(2, false));
    device.endpoint.features(features(3, true));
    await sleep(100);
    await subscriber(url, heard);
    await until(() => heard.length === 2);
    expect(heard).toEqual(["01", "03"]);
  });

  it("what a handler has not kept its promise about comes again, and the broker has its acknowledgement only then", async () => {
    const { url, device } = await setUp("mosquitto", 5);
    const heard: string[] = [];
    let fails = 1;
    const mqtt = await subscriber(url, heard, async () => {
      await sleep(20);
      if (fails-- > 0) throw new Error("the disk is full");
    });
    const trouble: string[] = [];
    mqtt.on("trouble", (text) => trouble.push(text));
    device.endpoint.features(features(1, true));
    device.endpoint.features(features(2, true));
    await until(() => heard.length === 3);
    expect(heard).toEqual(["01", "01", "02"]);
    expect(trouble).toEqual(["the disk is full"]);
  });

  it("subscribers of a group share what comes: each message goes to one", async () => {
    const { url, device } = await setUp("mosquitto", 5);
    const heard: string[][] = [[], []];
    for (const [i, own] of heard.entries()) {
      const mqtt = new MqttConnection({ url, version: 5, clientId: `worker-${i}`, reconnectPeriod: 50 });
      cleanups.push(() => mqtt.destroy());
      await mqtt.subscribe("$share/decoders/octomote/+/features", ({ payload }) => {
        own.push(payload.subarray(-1).toString("hex"));
      });
      await mqtt.connect();
    }
    for (let n = 0; n < 10; n++) device.endpoint.features(features(n, true));
    await until(() => heard.flat().length === 10);
    expect(new Set(heard.flat()).size).toBe(10);
    expect(heard.map((own) => own.length)).toEqual([5, 5]);
  });
});
