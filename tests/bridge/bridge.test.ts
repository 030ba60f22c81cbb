import { afterEach, describe, expect, it } from "vitest";
import { Bridge } from "../../host/bridge/bridge.ts";
import { EmbeddedBroker } from "../../host/bridge/broker/embedded-broker.ts";
import { DeviceFault } from "../../host/devices/device-endpoint.ts";
import { requires } from "../support/requirements.ts";
import { TestClient } from "./support/client.ts";
import { startMosquitto } from "./support/mosquitto.ts";
import { type SimulatedDevice, simulateDevice } from "./support/simulated-device.ts";
import { until } from "./support/wait.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

type BrokerKind = "aedes" | "mosquitto";

async function broker(kind: BrokerKind): Promise<string> {
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
async function setUp(kind: BrokerKind, version: 4 | 5, id = "kitchen") {
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

function add(bridge: Bridge, id: string): SimulatedDevice {
  const device = simulateDevice(id);
  cleanups.push(() => device.close());
  bridge.attach(device.link, "memory");
  return device;
}

const mosquitto = requires("mosquitto");
const setups: [BrokerKind, 4 | 5][] = [
  ["aedes", 4],
  ...(mosquitto.skip
    ? []
    : ([
        ["mosquitto", 5],
        ["mosquitto", 4],
      ] as [BrokerKind, 4 | 5][])),
];

describe.each(setups)("the bridge at %s, MQTT version %i", (kind, version) => {
  it("tells of itself and its devices as docs/mqtt.md says", async () => {
    const { client, url } = await setUp(kind, version);
    expect(await client.wait("octomote/bridge/state")).toEqual({ state: "online" });
    expect(await client.wait("octomote/bridge/info")).toEqual({
      version: "9.9.9",
      protocol: 1,
      broker: url,
      mqtt: version,
      base: "octomote",
      dataset: "generated",
    });
    const [entry] = await client.wait("octomote/bridge/devices", (list) => list?.length === 1);
    expect(entry).toEqual({
      id: "kitchen",
      board: "posix",
      engine: "wasm3-0.5.0",
      firmware: "0.1.0",
      abi: 1,
      imports: ["octomote_1", "octo_int8_1"],
      module: { bytes: 4096, sha256: "ab".repeat(32) },
      memory: expect.objectContaining({ poolSize: 98_304 }),
      transport: "memory",
      online: true,
      since: expect.any(Number),
    });
    expect(await client.wait("octomote/kitchen/availability")).toEqual({ state: "online" });
    expect(await client.wait("octomote/bridge/health")).toEqual({
      uptime: expect.any(Number),
      rss: expect.any(Number),
      messages: { in: expect.any(Number), out: expect.any(Number) },
      devices: expect.any(Number),
      frames: { in: expect.any(Number), bad: 0, noise: 0 },
    });
  });

  it("publishes the state of a device, renewed, retained and without what it has not told", async () => {
    const { client, device, url } = await setUp(kind, version);
    expect(await client.wait("octomote/kitchen")).toEqual({
      step: 7,
      loss: 1.25,
      accuracy: 0.5,
      class: 3,
      evaluated: 40,
      saturated: 0,
      samples: 9,
      samplesPerSecond: 0,
      bytesOut: 1234,
      dropped: 0,
      uptime: 1.5,
      running: false,
      memory: {
        linear: 40_000,
        metacode: 20_000,
        poolUsed: 70_000,
        poolSize: 98_304,
        stack: 4096,
        static: 2048,
      },
      time: expect.any(Number),
    });
    device.state.record = { steps: 8 };
    device.state.error = { code: 24, got: 11, want: 10 };
    const next = await client.wait("octomote/kitchen", (state) => state.step === 8);
    expect(next).not.toHaveProperty("loss");
    expect(next.error).toEqual({ code: 24, name: "bad-label", message: expect.stringMatching(/11.*10/) });
    const late = await TestClient.connect(url, version);
    cleanups.push(() => late.close());
    expect((await late.wait("octomote/kitchen")).step).toBe(8);
    expect(late.last.get("octomote/kitchen")?.packet.retain).toBe(true);
  });

  it("measures samples per second by the device's own clock", async () => {
    const { client, device } = await setUp(kind, version);
    device.state.running = true;
    for (let i = 1; i <= 10; i++) {
      const before = client.json("octomote/kitchen").uptime;
      device.state.uptime += 200;
      device.state.samples = 9 + i * 50;
      await client.wait("octomote/kitchen", (state) => state.uptime > before);
    }
    expect(client.json("octomote/kitchen").samplesPerSecond).toBeCloseTo(250, 0);
  });

  it("passes on logs and features", async () => {
    const { client, device } = await setUp(kind, version);
    device.endpoint.log({ level: 1, text: "hot \u001b[31m" });
    device.endpoint.features(new Uint8Array([0, 1, 255]));
    expect(await client.wait("octomote/kitchen/log")).toEqual({
      level: "warning",
      message: "hot \u001b[31m",
    });
    await until(() => client.last.has("octomote/kitchen/features"));
    const features = client.last.get("octomote/kitchen/features");
    expect([...(features?.payload ?? [])]).toEqual([0, 1, 255]);
    if (version === 5) {
      expect(features?.packet.properties).toMatchObject({ contentType: "application/octet-stream" });
      expect(features?.packet.properties?.messageExpiryInterval).toBeLessThanOrEqual(60);
      const state = client.last.get("octomote/kitchen")?.packet.properties;
      expect(state).toMatchObject({ contentType: "application/json" });
    }
  });

  it("switches a device and hands messages to its module", async () => {
    const { client, device } = await setUp(kind, version);
    const set = (payload: string) => client.mqtt.publish("octomote/kitchen/set", payload);
    // Nothing was started yet, so there is nothing to resume: switching on starts.
    set('{"running":true}');
    await client.wait("octomote/kitchen", (state) => state.running === true);
    expect(device.requests.map(({ verb }) => verb)).toEqual(["resume", "start"]);
    set('{"running":false}');
    await client.wait("octomote/kitchen", (state) => state.running === false);
    set('{"running":true}');
    await client.wait("octomote/kitchen", (state) => state.running === true);
    set('{"message":"AAH/"}');
    await until(() => device.requests.some(({ verb }) => verb === "message"));
    expect(device.requests.at(-1)).toEqual({ verb: "message", args: { bytes: new Uint8Array([0, 1, 255]) } });
    expect((await client.ask("device/start", { id: "kitchen", seed: 5, params: { lr: 0.5 } })).status).toBe(
      "ok",
    );
    expect(device.requests.at(-1)).toEqual({
      verb: "start",
      args: { seed: 5, steps: 0, params: [[expect.any(Number), 1n << 31n]] },
    });
  });

  it("answers requests with their transaction", async () => {
    const { client } = await setUp(kind, version);
    expect(await client.ask("devices")).toMatchObject({ status: "ok", data: [{ id: "kitchen" }] });
    expect(await client.ask("health")).toMatchObject({ status: "ok", data: { devices: 1 } });
    expect(await client.ask("device/start", { id: "kitchen" })).toMatchObject({ status: "ok" });
    expect(await client.ask("device/pause", { id: "kitchen" })).toMatchObject({ status: "ok" });
    expect(await client.ask("device/status", { id: "kitchen" })).toMatchObject({
      status: "ok",
      data: { running: false, step: 7 },
    });
    expect(await client.ask("device/resume", { id: "kitchen", steps: 3 })).toMatchObject({ status: "ok" });
    expect(await client.ask("device/selftest", { id: "kitchen" })).toMatchObject({
      status: "ok",
      data: { digest: 0x1234 },
    });
  });

  it("tells Home Assistant of a device, again at its birth, and takes it back", async () => {
    const { client, bridge, device } = await setUp(kind, version);
    const topic = "homeassistant/device/octomote_kitchen/config";
    const config = await client.wait(topic);
    expect(config.dev).toEqual({
      ids: ["octomote_kitchen"],
      name: "kitchen",
      mf: "Octomote",
      mdl: "posix",
      sw: "0.1.0",
      hw: "wasm3-0.5.0",
    });
    expect(config.o).toEqual({ name: "Octomote", sw: "9.9.9" });
    expect(config).toMatchObject({ availability_mode: "all", state_topic: "octomote/kitchen" });
    expect(config.availability.map((entry: { topic: string }) => entry.topic)).toEqual([
      "octomote/bridge/state",
      "octomote/kitchen/availability",
    ]);
    const components = Object.entries<Record<string, string>>(config.cmps);
    expect(components.map(([key, fields]) => `${fields.p} ${key}`)).toEqual([
      "sensor loss",
      "sensor accuracy",
      "sensor steps",
      "sensor samples_per_second",
      "sensor memory",
      "sensor uptime",
      "switch running",
    ]);
    expect(new Set(components.map(([, fields]) => fields.unique_id)).size).toBe(components.length);
    // What the switch sends is what the bridge takes.
    const toggle = config.cmps.running;
    await client.ask("device/start", { id: "kitchen" });
    client.mqtt.publish(toggle.command_topic, toggle.payload_off);
    await until(() => device.requests.at(-1)?.verb === "pause");
    client.mqtt.publish(toggle.command_topic, toggle.payload_on);
    await until(() => device.requests.at(-1)?.verb === "resume");

    const told = () => client.all.filter((message) => message.topic === topic).length;
    const before = told();
    client.mqtt.publish("homeassistant/status", "offline");
    client.mqtt.publish("homeassistant/status", "online");
    await until(() => told() === before + 1);

    await device.close();
    await client.wait("octomote/kitchen/availability", (value) => value.state === "offline");
    expect(await client.ask("device/remove", { id: "kitchen" })).toMatchObject({
      status: "ok",
      data: { known: true },
    });
    for (const gone of [topic, "octomote/kitchen", "octomote/kitchen/availability"]) {
      await client.wait(gone, (value) => value === null);
    }
    await client.wait("octomote/bridge/devices", (list) => list.length === 0);
    expect(bridge.devices.all()).toEqual([]);
    expect(await client.ask("device/remove", { id: "kitchen" })).toMatchObject({ data: { known: false } });
  });

  it("says goodbye: everybody is offline when it leaves", async () => {
    const { client, bridge } = await setUp(kind, version);
    await bridge.stop();
    await client.wait("octomote/bridge/state", (value) => value.state === "offline");
    expect(client.json("octomote/kitchen/availability")).toEqual({ state: "offline" });
  });

  it("is called offline by the broker when it dies", async () => {
    const { client, bridge } = await setUp(kind, version);
    await client.wait("octomote/bridge/state", (value) => value.state === "online");
    bridge.mqtt.destroy();
    await client.wait("octomote/bridge/state", (value) => value.state === "offline");
  });
});

describe("requests that cannot be carried out get an answer that says why", () => {
  it.each([
    ["nonsense", { id: "kitchen" }, "unknown-verb", /device\/pause/],
    ["constructor", {}, "unknown-verb", /device\/pause/],
    ["device/pause", {}, "bad-request", /"id"/],
    ["device/pause", { id: 7 }, "bad-request", /"id"/],
    ["device/pause", { id: "../../x" }, "bad-request", /"id"/],
    ["device/pause", { id: "bridge" }, "bad-request", /reserved/],
    ["device/pause", { id: "attic" }, "unknown-device", /attic/],
    ["device/resume", { id: "kitchen", steps: -1 }, "bad-request", /steps/],
    ["device/resume", { id: "kitchen", steps: "9" }, "bad-request", /steps/],
    ["device/start", { id: "kitchen", params: [1] }, "bad-request", /params/],
    ["device/start", { id: "kitchen", params: { lr: "x" } }, "bad-request", /params/],
    ["device/start", { id: "kitchen", params: { lr: 1e300 } }, "bad-request", /2\^31/],
    ["device/resume", { id: "kitchen" }, "not-loaded", /start/],
  ])("%s %j: %s", async (verb, request, code, message) => {
    const { client } = await setUp("aedes", 4);
    const response = await client.ask(verb, request);
    expect(response).toEqual({
      status: "error",
      error: { code, message: expect.stringMatching(message) },
      transaction: expect.any(Number),
    });
  });

  it.each([
    "{",
    "null",
    "7",
    '"kitchen"',
    "[]",
    '{"id":',
    `{"x":"${"y".repeat(70_000)}"}`,
    Buffer.from([0xff, 0xfe, 0x80]),
    `${"[".repeat(50_000)}`,
  ])("payload %.20j", async (payload) => {
    const { client } = await setUp("aedes", 4);
    client.mqtt.publish("octomote/bridge/request/device/pause", payload);
    const response = await client.wait("octomote/bridge/response/device/pause");
    expect(response).toMatchObject({ status: "error", error: { code: "bad-request" } });
    expect(await client.ask("devices")).toMatchObject({ status: "ok" });
  });

  it("an endless verb, an absurd transaction, a silent or offline device", async () => {
    const { client, device } = await setUp("aedes", 4);
    client.mqtt.publish(`octomote/bridge/request/${"x".repeat(5000)}`, "{}");
    expect(await client.wait("octomote/bridge/response/unknown")).toMatchObject({ status: "error" });
    client.mqtt.publish("octomote/bridge/request/devices", '{"transaction":{"a":1}}');
    expect(await client.wait("octomote/bridge/response/devices")).not.toHaveProperty("transaction");
    device.handlers.selfTest = () => {
      throw new DeviceFault({ code: 45, text: "step" });
    };
    expect(await client.ask("device/selftest", { id: "kitchen" })).toMatchObject({ status: "error" });
    await device.close();
    await client.wait("octomote/kitchen/availability", (value) => value.state === "offline");
    const offline = await client.ask("device/pause", { id: "kitchen" });
    expect(offline.error).toEqual({ code: "offline", message: "kitchen is offline" });
  });

  it("a flood for one device: what is too much is refused, and the device goes on", async () => {
    const { client, device } = await setUp("aedes", 4);
    let release: () => void = () => {};
    const held = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined);
    });
    device.handlers.pause = () => held;
    for (let i = 0; i < 20; i++) {
      client.mqtt.publish(
        "octomote/bridge/request/device/pause",
        JSON.stringify({ id: "kitchen", transaction: i }),
      );
    }
    const answers = () => client.all.filter(({ topic }) => topic === "octomote/bridge/response/device/pause");
    await until(() => answers().length === 12);
    expect(answers().every(({ text }) => JSON.parse(text).error.code === "busy")).toBe(true);
    release();
    await until(() => answers().length === 20);
    expect(answers().filter(({ text }) => JSON.parse(text).status === "ok")).toHaveLength(8);
  });
});

describe("set", () => {
  it.each([
    ["{}", /running/],
    ['{"running":1}', /running/],
    ['{"message":"*"}', /base64/],
    ["what", /JSON/],
    [`{"message":"${Buffer.alloc(600).toString("base64")}"}`, /512/],
  ])("%.30s is told in the device's log", async (payload, message) => {
    const { client, device } = await setUp("aedes", 4);
    client.mqtt.publish("octomote/kitchen/set", payload);
    expect(await client.wait("octomote/kitchen/log")).toEqual({
      level: "error",
      message: expect.stringMatching(message),
    });
    expect(device.requests).toEqual([]);
  });

  it("for a device that nobody knows is told in the bridge's log", async () => {
    const { client } = await setUp("aedes", 4);
    client.mqtt.publish("octomote/attic/set", '{"running":true}');
    await client.wait("octomote/bridge/logging", (log) => /attic/.test(log?.message));
  });

  it("and requests that were retained for an earlier time are not carried out", async () => {
    const url = await broker("aedes");
    const client = await TestClient.connect(url, 4);
    cleanups.push(() => client.close());
    client.mqtt.publish("octomote/kitchen/set", '{"running":false}', { retain: true });
    await client.mqtt.publishAsync("octomote/bridge/request/devices", "{}", { retain: true, qos: 1 });
    const bridge = new Bridge({ mqtt: { url }, facts: { version: "1" } });
    await bridge.start();
    cleanups.push(() => bridge.stop());
    const device = add(bridge, "kitchen");
    await client.wait("octomote/kitchen");
    expect((await client.ask("device/status", { id: "kitchen" })).status).toBe("ok");
    expect(device.requests.map(({ verb }) => verb)).toEqual(["status"]);
    expect(client.last.has("octomote/bridge/response/devices")).toBe(false);
  });
});

describe("devices", () => {
  it("whose name cannot be a topic are refused with a word in the log", async () => {
    const { client, bridge } = await setUp("aedes", 4);
    add(bridge, "bridge");
    await client.wait("octomote/bridge/logging", (log) => /reserved/.test(log?.message));
    expect(bridge.devices.all().map(({ id }) => id)).toEqual(["kitchen"]);
  });

  it("that come back on another link keep their place, and the old link speaks for them no more", async () => {
    const { client, bridge, device } = await setUp("aedes", 4);
    const again = add(bridge, "kitchen");
    again.state.record = { steps: 100 };
    await client.wait("octomote/kitchen", (state) => state.step === 100);
    await device.close();
    expect((await client.ask("device/status", { id: "kitchen" })).data.step).toBe(100);
    expect(bridge.devices.get("kitchen")?.online).toBe(true);
  });

  it("that break off and return are called offline and online", async () => {
    const { client, device } = await setUp("aedes", 4);
    const seen = () =>
      client.all.filter(({ topic }) => topic === "octomote/kitchen/availability").map(({ text }) => text);
    device.endpoint.reset();
    await until(() => seen().length >= 3);
    expect(
      seen()
        .slice(0, 3)
        .map((text) => JSON.parse(text).state),
    ).toEqual(["online", "offline", "online"]);
  });
});

describe("a broker that went away and forgot everything", () => {
  it("is told again", async () => {
    const first = new EmbeddedBroker({ port: 0 });
    const { port } = await first.start();
    const bridge = new Bridge({
      mqtt: { url: `mqtt://127.0.0.1:${port}`, reconnectPeriod: 50 },
      facts: { version: "1" },
    });
    await bridge.start();
    cleanups.push(() => bridge.stop());
    const device = add(bridge, "kitchen");
    await until(() => bridge.devices.get("kitchen")?.state);
    await first.stop();
    await until(() => !bridge.mqtt.connected);
    device.state.record = { steps: 77 };
    const second = new EmbeddedBroker({ port });
    await second.start();
    cleanups.push(() => second.stop());
    const client = await TestClient.connect(second.url, 4);
    cleanups.push(() => client.close());
    await client.wait("octomote/bridge/state", (value) => value?.state === "online");
    await client.wait("octomote/bridge/devices", (list) => list?.length === 1);
    await client.wait("octomote/kitchen/availability", (value) => value?.state === "online");
    await client.wait("octomote/kitchen", (state) => state?.step === 77);
    await client.wait("homeassistant/device/octomote_kitchen/config");
  });
});

mosquitto.describe("MQTT 5 requests", () => {
  it("are answered where they ask to be, with their correlation data", async () => {
    const { client } = await setUp("mosquitto", 5);
    client.mqtt.publish("octomote/bridge/request/devices", '{"transaction":"t"}', {
      properties: { responseTopic: "my/answers", correlationData: Buffer.from([1, 2, 3]) },
    });
    expect(await client.wait("my/answers")).toMatchObject({ status: "ok", transaction: "t" });
    const { packet } = client.last.get("my/answers") ?? {};
    expect([...(packet?.properties?.correlationData ?? [])]).toEqual([1, 2, 3]);
    expect(client.last.has("octomote/bridge/response/devices")).toBe(false);
  });

  it.each(["octomote/kitchen/set", "octomote/bridge/request/devices", "octomote/bridge/state"])(
    "cannot have their answer sent to %s",
    async (responseTopic) => {
      const { client, device } = await setUp("mosquitto", 5);
      client.mqtt.publish("octomote/bridge/request/devices", '{"running":true}', {
        properties: { responseTopic },
      });
      expect(await client.wait("octomote/bridge/response/devices")).toMatchObject({
        status: "error",
        error: { code: "bad-request" },
      });
      expect(device.requests).toEqual([]);
      expect(client.json("octomote/bridge/state")).toEqual({ state: "online" });
    },
  );
});
