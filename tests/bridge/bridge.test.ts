import { describe, expect, it } from "vitest";
import { encodePreview } from "../../host/protocol/preview.ts";
import { TestClient } from "./support/client.ts";
import { cleanups, SETUPS, setUp } from "./support/stage.ts";
import { until } from "./support/wait.ts";

describe.each(SETUPS)("the bridge at %s, MQTT version %i", (kind, version) => {
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
      heap: expect.any(Number),
      dropped: { features: 0, mqtt: expect.any(Number) },
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
    // the device goes on publishing, so the retained state may not be the last that arrives
    const retained = () => late.all.find(({ topic, retain }) => topic === "octomote/kitchen" && retain);
    await until(() => retained() !== undefined);
    expect(JSON.parse(retained()?.text ?? "").step).toBe(8);
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

  it("tells what a camera skips, and passes its preview on under a topic of its own", async () => {
    const { client, device } = await setUp(kind, version);
    device.state.record = { dirty: 0.125, macs: 0.25, macsSaved: 4200, refreshAge: 63, occupied: 3 };
    device.state.uptime += 200;
    const state = await client.wait("octomote/kitchen", ({ pass }) => pass !== undefined);
    expect(state).toMatchObject({
      occupied: 3,
      pass: { dirty: 0.125, macs: 0.25, macsSaved: 4200, refreshAge: 63 },
    });
    expect(state.loss).toBeUndefined();
    const preview = encodePreview({
      ...{ sequence: 1, width: 8, height: 8, columns: 1, rows: 1, patch: 8, cellColumns: 1, cellRows: 1 },
      ...{ grey: Uint8Array.of(255), computed: Uint8Array.of(1), occupied: Uint8Array.of(0) },
    });
    device.endpoint.features(preview);
    await until(() => client.last.has("octomote/kitchen/preview"));
    expect([...(client.last.get("octomote/kitchen/preview")?.payload ?? [])]).toEqual([...preview]);
    expect(client.last.has("octomote/kitchen/features")).toBe(false);
  });

  it("passes on what a second may bring of features, and counts what it leaves out", async () => {
    const { client, device } = await setUp(kind, version);
    const passed = () => client.all.filter(({ topic }) => topic === "octomote/kitchen/features").length;
    for (let i = 0; i < 2000; i++) device.endpoint.features(Uint8Array.of(i & 255));
    device.state.uptime += 200;
    const { featuresDropped } = await client.wait(
      "octomote/kitchen",
      ({ uptime, featuresDropped }) => uptime > 1.5 && featuresDropped > 1000,
    );
    await until(() => passed() + featuresDropped >= 2000);
    expect(passed()).toBeGreaterThanOrEqual(500);
    const health = async () => (await client.ask("health")).data.dropped.features;
    expect(await health()).toBe(2000 - passed());
    await device.close();
    await client.ask("device/remove", { id: "kitchen" });
    expect(await health()).toBe(2000 - passed());
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

  it("tells a device what it is looking at", async () => {
    const { client, device } = await setUp(kind, version);
    const messages = () => device.requests.filter(({ verb }) => verb === "message");
    const said: [object, number[]][] = [
      [{ label: 8, frames: 300 }, [1, 8, 44, 1]],
      [{ label: 0 }, [1, 0, 1, 0]],
      [{ label: null }, [1, 0, 0, 0]],
    ];
    for (const [i, [command, bytes]] of said.entries()) {
      client.mqtt.publish("octomote/kitchen/set", JSON.stringify(command));
      await until(() => messages().length === i + 1);
      expect(messages().at(-1)?.args).toEqual({ bytes: Uint8Array.from(bytes) });
    }
    for (const command of [
      { label: 255 },
      { label: "a" },
      { label: 1, frames: 65_536 },
      { label: 1, frames: 0.5 },
    ]) {
      client.mqtt.publish("octomote/kitchen/set", JSON.stringify(command));
      const { message } = await client.wait("octomote/kitchen/log");
      expect(message).toMatch(/^set: "(label|frames)" must be/);
    }
    expect(messages()).toHaveLength(said.length);
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
      "binary_sensor training_due",
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
