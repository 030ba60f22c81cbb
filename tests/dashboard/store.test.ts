import { describe, expect, it } from "vitest";
import { LOG_LINES, Store } from "../../host/dashboard/model/store.ts";

const T0 = 1_790_000_000_000;

/** A store, and how to feed it: values become JSON, texts and bytes go as they are. */
function fed(base = "octomote") {
  const store = new Store(base);
  const send = (topic: string, value: unknown, { retained = false, at = T0 } = {}) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    store.receive(`${base}/${topic}`, new TextEncoder().encode(text), retained, at);
  };
  return { store, send };
}

describe("devices", () => {
  it("appear with whatever names them first", () => {
    const { store, send } = fed();
    send("a", { loss: 1 });
    send("b/availability", { state: "online" });
    send("bridge/devices", [{ id: "c", board: "posix" }]);
    expect([...store.devices.keys()]).toEqual(["a", "b", "c"]);
    expect(store.devicesRevision).toBe(3);
  });

  it("have slots of their own, given again when one is free", () => {
    const { store, send } = fed();
    for (const id of ["a", "b", "c"]) send(`${id}/availability`, { state: "online" }, { retained: true });
    send("b/availability", "");
    send("d", { loss: 1 });
    expect(store.devices.get("d")?.slot).toBe(1);
  });

  it("go when nothing is left of them", () => {
    const { store, send } = fed();
    send("a", { loss: 1 });
    send("a/availability", { state: "online" });
    send("a", "");
    expect(store.devices.has("a")).toBe(true);
    send("a/availability", "");
    expect(store.devices.has("a")).toBe(false);
    expect(store.timelines.all.column("a", "loss")).toBeUndefined();
  });

  it("that a new connection does not confirm go with the bridge's list", () => {
    const { store, send } = fed();
    send("bridge/devices", [{ id: "old" }, { id: "kept" }]);
    store.connected();
    send("kept", { loss: 1 }, { retained: true });
    send("bridge/devices", [{ id: "new" }]);
    expect([...store.devices.keys()].sort()).toEqual(["kept", "new"]);
  });

  it("are bounded in number", () => {
    const { store, send } = fed();
    for (let i = 0; i < 600; i++) send(`d${i}`, { loss: 1 });
    expect(store.devices.size).toBe(512);
    expect(store.warningCount).toBe(88);
  });

  it("called bridge do not exist", () => {
    const { store, send } = fed();
    send("bridge", { loss: 1 });
    expect(store.devices.size).toBe(0);
  });
});

describe("presence", () => {
  it("follows availability, the list, and the bridge, in this order of weight", () => {
    const { store, send } = fed();
    send("a", { loss: 1 });
    const device = store.devices.get("a");
    if (device === undefined) throw new Error("no device");
    expect(store.presence(device)).toBe("unknown");
    send("bridge/devices", [{ id: "a", online: true }]);
    expect(store.presence(device)).toBe("online");
    send("a/availability", { state: "offline" });
    expect(store.presence(device)).toBe("offline");
    send("a/availability", { state: "online" });
    send("bridge/state", { state: "offline" });
    expect(store.presence(device)).toBe("offline");
  });
});

describe("measurements", () => {
  it("land on every axis", () => {
    const { store, send } = fed();
    send("a", { step: 40, loss: 1.5, accuracy: 0.3 });
    for (const axis of ["minutes", "hour", "all", "steps"] as const) {
      expect(store.timelines[axis].column("a", "loss")?.at(-1)).toBe(1.5);
      expect(store.timelines[axis].column("a", "accuracy")?.at(-1)).toBe(0.3);
    }
  });

  it("that are retained show on the card and not on the charts: nobody knows when they were made", () => {
    const { store, send } = fed();
    send("a", { step: 40, loss: 1.5 }, { retained: true });
    expect(store.devices.get("a")?.state?.loss).toBe(1.5);
    expect(store.timelines.all.column("a", "loss")).toBeUndefined();
  });

  it("of a device that starts anew begin a new line by step, and break the one by time", () => {
    const { store, send } = fed();
    send("a", { step: 500, loss: 0.5 }, { at: T0 });
    send("a", { step: 3, loss: 2.3 }, { at: T0 + 2000 });
    const steps = store.timelines.steps.column("a", "loss") ?? [];
    expect(steps.filter((point) => typeof point === "number")).toEqual([2.3]);
    expect(store.timelines.all.column("a", "loss")).toContain(null);
  });
});

describe("malformed messages", () => {
  it("are counted and described, and change nothing", () => {
    const { store, send } = fed();
    send("a", { loss: 1 });
    send("a", "{nope", { retained: true });
    send("a", { loss: "high" });
    send("bridge/devices", { not: "a list" });
    send("bad id", { loss: 1 });
    expect(store.warningCount).toBe(4);
    expect(store.warnings.map(({ why }) => why)).toEqual([
      "is not JSON",
      "loss: is not a number in 0…1000000",
      "is not an array",
      "its topic does not name a device",
    ]);
    expect(store.devices.get("a")?.state?.loss).toBe(1);
  });

  it("leave a bounded trace", () => {
    const { store, send } = fed();
    for (let i = 0; i < 1000; i++) send("a", "x");
    expect(store.warningCount).toBe(1000);
    expect(store.warnings.length).toBeLessThanOrEqual(20);
  });
});

describe("requests", () => {
  it("stand until the device confirms", () => {
    const { store, send } = fed();
    send("a", { running: true });
    const device = store.devices.get("a");
    if (device === undefined) throw new Error("no device");
    store.want(device, false, T0);
    send("a", { running: true });
    expect(device.wanted?.running).toBe(false);
    send("a", { running: false });
    expect(device.wanted).toBeUndefined();
  });

  it("fall back and are logged when nobody confirms them", () => {
    const { store, send } = fed();
    send("a", { running: true });
    const device = store.devices.get("a");
    if (device === undefined) throw new Error("no device");
    store.want(device, false, T0);
    expect(store.expire(T0 + 1000)).toEqual([]);
    expect(store.expire(T0 + 60_000)).toEqual([device]);
    expect(device.wanted).toBeUndefined();
    expect(store.log.at(-1)).toMatchObject({ source: "a", level: "warning" });
  });
});

describe("the log", () => {
  it("takes lines of bridge and devices, numbered, the oldest dropped", () => {
    const { store, send } = fed();
    send("bridge/logging", { level: "warning", message: "first" });
    for (let i = 0; i < LOG_LINES; i++) send("a/log", { level: "info", message: `line ${i}` });
    expect(store.log.length).toBe(LOG_LINES);
    expect(store.log[0]).toMatchObject({ number: 1, source: "a", message: "line 0" });
  });

  it("makes no device of a line: who logs may be gone", () => {
    const { store, send } = fed();
    send("a/log", { level: "info", message: "x" });
    expect(store.devices.size).toBe(0);
  });
});
