import type { IPublishPacket } from "mqtt-packet";
import { afterEach, describe, expect, it } from "vitest";
import { EmbeddedBroker } from "../../host/bridge/broker/embedded-broker.ts";
import { OctomoteError } from "../../host/bridge/errors.ts";
import { type Message, MqttConnection, type MqttOptions } from "../../host/bridge/mqtt/connection.ts";
import { freePort } from "../support/free-port.ts";
import { requires } from "../support/requirements.ts";
import { startFakeBroker } from "./support/fake-broker.ts";
import { startMosquitto } from "./support/mosquitto.ts";
import { until } from "./support/wait.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

function connection(options: MqttOptions): MqttConnection {
  const it = new MqttConnection({ reconnectPeriod: 50, ...options });
  cleanups.push(() => it.close());
  return it;
}

async function embedded(port = 0): Promise<EmbeddedBroker> {
  const broker = new EmbeddedBroker({ port });
  await broker.start();
  cleanups.push(() => broker.stop());
  return broker;
}

/** Collects what a connection hears. */
async function listen(mqtt: MqttConnection, filter: string): Promise<Message[]> {
  const heard: Message[] = [];
  await mqtt.subscribe(filter, (message) => heard.push(message));
  return heard;
}

async function faked(manners: Parameters<typeof startFakeBroker>[0]) {
  const broker = await startFakeBroker(manners);
  cleanups.push(() => broker.close());
  return broker;
}

describe("the embedded broker", () => {
  it("refuses MQTT 5, and the connection falls back to 3.1.1", async () => {
    const broker = await embedded();
    const mqtt = connection({ url: broker.url });
    await mqtt.connect();
    expect(mqtt.version).toBe(4);
    const heard = await listen(mqtt, "a/+");
    mqtt.publish("a/b", '{"x":1}', { qos: 1, retain: true, expiry: 9 });
    mqtt.publish("a/c", new Uint8Array([0, 255]));
    await until(() => heard.length === 2);
    const payloads = Object.fromEntries(
      heard.map(({ topic, payload }) => [topic, payload.toString("latin1")]),
    );
    expect(payloads).toEqual({ "a/b": '{"x":1}', "a/c": "\x00\xff" });
    await until(() => mqtt.stats.out === 2);
    expect(mqtt.stats).toEqual({ in: 2, out: 2, dropped: 0 });
  });

  it("publishes the will of a connection that dies, and none of one that leaves", async () => {
    const broker = await embedded();
    const watcher = connection({ url: broker.url });
    await watcher.connect();
    const heard = await listen(watcher, "will/#");
    for (const name of ["leaves", "dies"]) {
      const mqtt = new MqttConnection({ url: broker.url, will: { topic: `will/${name}`, payload: "gone" } });
      await mqtt.connect();
      if (name === "leaves") await mqtt.close();
      else mqtt.destroy();
    }
    await until(() => heard.length > 0);
    expect(heard.map((message) => message.topic)).toEqual(["will/dies"]);
  });

  it("comes back after the broker was away, subscribes again and sends what waited", async () => {
    const port = await freePort();
    const first = new EmbeddedBroker({ port });
    await first.start();
    const mqtt = connection({ url: `mqtt://127.0.0.1:${port}` });
    const ups: number[] = [];
    mqtt.on("up", () => ups.push(mqtt.version));
    await mqtt.connect();
    const heard = await listen(mqtt, "x");
    await first.stop();
    await until(() => !mqtt.connected);
    mqtt.publish("x", "1", { qos: 1 });
    mqtt.publish("x", "lost");
    mqtt.publish("x", "2", { qos: 1, retain: true });
    mqtt.publish("x", "3", { qos: 1, retain: true });
    const second = await embedded(port);
    expect(second.url).toBe(`mqtt://127.0.0.1:${port}`);
    await until(() => heard.length === 2);
    expect(heard.map((message) => message.payload.toString())).toEqual(["1", "3"]);
    expect(ups).toEqual([4, 4]);
    expect(mqtt.stats.dropped).toBe(1);
  });
});

describe("refusals", () => {
  it("names the fix when nobody answers", async () => {
    const port = await freePort();
    const failure = connection({ url: `mqtt://me:secret@127.0.0.1:${port}` }).connect();
    await expect(failure).rejects.toThrow(`No broker answers at mqtt://127.0.0.1:${port}`);
    await expect(failure).rejects.toSatisfy(
      (error) => error instanceof OctomoteError && /--broker/.test(error.fix),
    );
  });

  it.each([
    [5, 135],
    [4, 5],
  ])("names the fix when the password is wrong (first version %i)", async (first, code) => {
    const broker = await faked({
      connack: ({ protocolVersion }) => (protocolVersion === first ? code : 1),
    });
    const failure = connection({ url: broker.url }).connect();
    await expect(failure).rejects.toThrow("refuses the user name or password");
    await expect(failure).rejects.toSatisfy(
      (error) => error instanceof OctomoteError && /--user/.test(error.fix),
    );
    expect(broker.offered).toEqual(first === 5 ? [5] : [5, 4]);
  });

  it("does not take silence or a hang-up for a wish for another version", async () => {
    const rude = await faked({ connack: () => "close" });
    await expect(connection({ url: rude.url }).connect()).rejects.toThrow(OctomoteError);
    expect(new Set(rude.offered)).toEqual(new Set([5]));
    const silent = await faked({ connack: () => null });
    await expect(connection({ url: silent.url, connectTimeout: 100 }).connect()).rejects.toThrow(
      OctomoteError,
    );
    expect(new Set(silent.offered)).toEqual(new Set([5]));
  });

  it("keeps to the version it was told", async () => {
    const broker = await faked({ connack: ({ protocolVersion }) => (protocolVersion === 5 ? 0 : 1) });
    await expect(connection({ url: broker.url, version: 4 }).connect()).rejects.toThrow(OctomoteError);
    expect(broker.offered).toEqual([4]);
  });

  it("takes the other version when another broker answers after a break", async () => {
    let speaks = 5;
    const broker = await faked({ connack: ({ protocolVersion }) => (protocolVersion === speaks ? 0 : 132) });
    const mqtt = connection({ url: broker.url });
    await mqtt.connect();
    expect(mqtt.version).toBe(5);
    const ups: number[] = [];
    mqtt.on("up", () => ups.push(mqtt.version));
    speaks = 4;
    broker.cut();
    await until(() => ups.length === 1);
    speaks = 5;
    broker.cut();
    await until(() => ups.length === 2);
    expect(ups).toEqual([4, 5]);
  });
});

describe("Receive Maximum", () => {
  it("is never exceeded, also not with what is sent again after a break", async () => {
    const broker = await faked({ connack: () => 0, receiveMaximum: 2 });
    const mqtt = connection({ url: broker.url });
    await mqtt.connect();
    for (let i = 0; i < 7; i++) mqtt.publish(`q/${i}`, "x", { qos: 1 });
    await until(() => broker.unacknowledged.length === 2);
    broker.cut();
    const seen = new Set<string>();
    while (mqtt.stats.out < 7) {
      await until(() => broker.unacknowledged.length > 0 || mqtt.stats.out === 7);
      expect(broker.unacknowledged.length).toBeLessThanOrEqual(2);
      for (const { topic } of broker.unacknowledged) seen.add(topic);
      broker.acknowledge();
    }
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => `q/${i}`));
    expect(mqtt.stats).toMatchObject({ out: 7, dropped: 0 });
  });

  it("lets the limit of our own count where the broker names none", async () => {
    const broker = await faked({ connack: ({ protocolVersion }) => (protocolVersion === 5 ? 1 : 0) });
    const mqtt = connection({ url: broker.url });
    await mqtt.connect();
    for (let i = 0; i < 100; i++) mqtt.publish(`q/${i}`, "x", { qos: 1 });
    await until(() => broker.unacknowledged.length === 32);
    while (mqtt.stats.out < 100) {
      expect(broker.unacknowledged.length).toBeLessThanOrEqual(32);
      broker.acknowledge();
      await until(() => broker.unacknowledged.length > 0 || mqtt.stats.out === 100);
    }
  });
});

describe("properties of MQTT 5", () => {
  it("are sent on 5 and left out on 3.1.1", async () => {
    for (const version of [5, 4] as const) {
      const broker = await faked({ connack: () => 0 });
      const mqtt = connection({ url: broker.url, version });
      await mqtt.connect();
      mqtt.publish("s", "{}", { expiry: 60, correlationData: Buffer.from("c") });
      mqtt.publish("b", new Uint8Array([1]));
      const published = () =>
        broker.packets.filter((packet): packet is IPublishPacket => packet.cmd === "publish");
      await until(() => published().length === 2);
      const [text, binary] = published();
      if (version === 4) {
        expect(text?.properties).toBeUndefined();
        expect(binary?.properties).toBeUndefined();
        continue;
      }
      expect(text?.properties).toMatchObject({
        contentType: "application/json",
        payloadFormatIndicator: true,
        messageExpiryInterval: 60,
        correlationData: Buffer.from("c"),
      });
      expect(text?.properties?.userProperties).toMatchObject({ schema: "1" });
      expect(binary?.properties).toMatchObject({ contentType: "application/octet-stream" });
      expect(binary?.properties).not.toHaveProperty("messageExpiryInterval");
    }
  });
});

requires("mosquitto").describe("Mosquitto 2", () => {
  it.each([5, 4] as const)("carries everything in version %i, over TCP and WebSocket", async (version) => {
    const broker = await startMosquitto();
    cleanups.push(() => broker.stop());
    const tcp = connection({ url: broker.url, version });
    const web = connection({ url: `ws://127.0.0.1:${broker.webSocketPort}/mqtt`, version });
    await Promise.all([tcp.connect(), web.connect()]);
    expect([tcp.version, web.version]).toEqual([version, version]);
    const heard = await listen(web, "t/#");
    // More topics than Mosquitto has aliases, each several times.
    for (let i = 0; i < 90; i++) tcp.publish(`t/${i % 30}`, String(i), { qos: i % 2 ? 1 : 0 });
    await until(() => heard.length === 90);
    const last = new Map(heard.map(({ topic, payload }) => [topic, payload.toString()]));
    expect(last.size).toBe(30);
    expect(heard.every(({ topic, payload }) => topic === `t/${Number(payload.toString()) % 30}`)).toBe(true);
  });

  it("is spoken to in MQTT 5 without being asked to", async () => {
    const broker = await startMosquitto();
    cleanups.push(() => broker.stop());
    const mqtt = connection({ url: broker.url });
    await mqtt.connect();
    expect(mqtt.version).toBe(5);
  });

  it("lets in whoever has the password, by options or in the URL, and nobody else", async () => {
    const broker = await startMosquitto({ user: "me" });
    cleanups.push(() => broker.stop());
    const { port } = broker;
    await connection({ url: broker.url, username: "me", password: "secret" }).connect();
    await connection({ url: `mqtt://me:secret@127.0.0.1:${port}` }).connect();
    for (const url of [broker.url, `mqtt://me:wrong@127.0.0.1:${port}`]) {
      await expect(connection({ url }).connect()).rejects.toThrow("refuses the user name or password");
    }
  });

  it("is found again after a restart", async () => {
    const first = await startMosquitto();
    const mqtt = connection({ url: first.url });
    await mqtt.connect();
    const heard = await listen(mqtt, "r");
    await first.stop();
    await until(() => !mqtt.connected);
    mqtt.publish("r", "after", { qos: 1 });
    const second = await startMosquitto({ ports: first });
    cleanups.push(() => second.stop());
    await until(() => heard.length === 1);
    expect(heard[0]?.payload.toString()).toBe("after");
    expect(mqtt.version).toBe(5);
  });
});
