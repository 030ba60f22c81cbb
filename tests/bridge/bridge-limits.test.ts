// What the bridge does when it is asked for what cannot be, and when something goes away.
import { describe, expect, it } from "vitest";
import { Bridge } from "../../host/bridge/bridge.ts";
import { EmbeddedBroker } from "../../host/bridge/broker/embedded-broker.ts";
import { DeviceFault } from "../../host/devices/device-endpoint.ts";
import { requires } from "../support/requirements.ts";
import { TestClient } from "./support/client.ts";
import { add, broker, cleanups, SETUPS, setUp } from "./support/stage.ts";
import { until } from "./support/wait.ts";

const mosquitto = requires("mosquitto");

describe.each(SETUPS)("at %s, MQTT version %i,", (kind, version) => {
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
      const { client } = await setUp(kind, version);
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
      `{"id":"kitchen","x":"${"y".repeat(70_000)}"}`,
      Buffer.from([0xff, 0xfe, 0x80]),
      `${"[".repeat(50_000)}`,
    ])("payload %.20j", async (payload) => {
      const { client } = await setUp(kind, version);
      client.mqtt.publish("octomote/bridge/request/device/pause", payload);
      const response = await client.wait("octomote/bridge/response/device/pause");
      expect(response).toMatchObject({ status: "error", error: { code: "bad-request" } });
      expect(await client.ask("devices")).toMatchObject({ status: "ok" });
    });

    it("an endless verb, an absurd transaction, a silent or offline device", async () => {
      const { client, device } = await setUp(kind, version);
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
      const { client, device } = await setUp(kind, version);
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
      const answers = () =>
        client.all.filter(({ topic }) => topic === "octomote/bridge/response/device/pause");
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
      const { client, device } = await setUp(kind, version);
      client.mqtt.publish("octomote/kitchen/set", payload);
      expect(await client.wait("octomote/kitchen/log")).toEqual({
        level: "error",
        message: expect.stringMatching(message),
      });
      expect(device.requests).toEqual([]);
    });

    it("for a device that nobody knows is told in the bridge's log", async () => {
      const { client } = await setUp(kind, version);
      client.mqtt.publish("octomote/attic/set", '{"running":true}');
      await client.wait("octomote/bridge/logging", (log) => /attic/.test(log?.message));
    });

    it("and requests that were retained for an earlier time are not carried out", async () => {
      const url = await broker(kind);
      const client = await TestClient.connect(url, version);
      cleanups.push(() => client.close());
      client.mqtt.publish("octomote/kitchen/set", '{"running":false}', { retain: true });
      await client.mqtt.publishAsync("octomote/bridge/request/devices", "{}", { retain: true, qos: 1 });
      const bridge = new Bridge({ mqtt: { url, version }, facts: { version: "1" } });
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
      const { client, bridge } = await setUp(kind, version);
      add(bridge, "bridge");
      await client.wait("octomote/bridge/logging", (log) => /reserved/.test(log?.message));
      expect(bridge.devices.all().map(({ id }) => id)).toEqual(["kitchen"]);
    });

    it("that come back on another link keep their place, and the old link speaks for them no more", async () => {
      const { client, bridge, device } = await setUp(kind, version);
      const again = add(bridge, "kitchen");
      again.state.record = { steps: 100 };
      await client.wait("octomote/kitchen", (state) => state.step === 100);
      await device.close();
      expect((await client.ask("device/status", { id: "kitchen" })).data.step).toBe(100);
      expect(bridge.devices.get("kitchen")?.online).toBe(true);
    });

    it("that break off and return are called offline and online", async () => {
      const { client, device } = await setUp(kind, version);
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
