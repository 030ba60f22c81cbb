import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  cleanText,
  MAX_PAYLOAD_BYTES,
  PayloadError,
  parseAvailability,
  parseBridgeInfo,
  parseDeviceList,
  parseDeviceState,
  parseJson,
  parseLog,
} from "../../host/dashboard/model/parse.ts";
import { route, setTopic, subscriptions } from "../../host/dashboard/model/topics.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("the state of a device", () => {
  it("takes what docs/mqtt.md says", () => {
    const state = {
      step: 12,
      loss: 0.5,
      accuracy: 0.75,
      running: true,
      occupied: 3,
      pass: { dirty: 0.1, macs: 1.02, refreshAge: 63, harmful: 0, noise: 1.5, denseFrames: 2 },
      personal: { due: true, doubt: 0.5, kept: 12, labelsLeft: 3 },
      memory: { linear: 1024, poolSize: 4096 },
      error: { code: 7, name: "x", message: "y" },
    };
    expect(parseDeviceState(state)).toMatchObject(state);
  });

  it("takes null as absent, and fields that it does not know as a later version's", () => {
    expect(parseDeviceState({ loss: null, novelty: [1] }).loss).toBeUndefined();
  });

  it.each([
    ["an array", [], "is not an object"],
    ["a number", 3, "is not an object"],
    ["null", null, "is not an object"],
    ["a text as loss", { loss: "0.5" }, "loss"],
    ["a negative loss", { loss: -1 }, "loss"],
    ["accuracy in percent", { accuracy: 86 }, "accuracy"],
    ["half a step", { step: 1.5 }, "step"],
    ["a step beyond 32 bits", { step: 2 ** 40 }, "step"],
    ["running as text", { running: "true" }, "running"],
    ["dirty patches in percent", { pass: { dirty: 12 } }, "pass.dirty"],
    ["a label that is due as a number", { personal: { due: 1 } }, "personal.due"],
    ["half a sample", { personal: { kept: 0.5 } }, "personal.kept"],
    ["half an occupied cell", { occupied: 0.5 }, "occupied"],
    ["memory as a number", { memory: 12 }, "memory"],
    ["a part of memory as a text", { memory: { linear: "12" } }, "memory.linear"],
    ["an error without structure", { error: "broken" }, "error"],
  ])("refuses %s and names the field", (_name, value, field) => {
    expect(() => parseDeviceState(value)).toThrow(PayloadError);
    expect(() => parseDeviceState(value)).toThrow(field);
  });

  it("does not look at inherited names", () => {
    const parsed = parseDeviceState(JSON.parse('{"__proto__":{"loss":1},"constructor":{"x":1}}'));
    expect(parsed.loss).toBeUndefined();
  });

  it("throws nothing but PayloadError, whatever it is given", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        for (const parse of [
          parseDeviceState,
          parseDeviceList,
          parseAvailability,
          parseBridgeInfo,
          parseLog,
        ]) {
          try {
            parse(value);
          } catch (error) {
            expect(error).toBeInstanceOf(PayloadError);
          }
        }
      }),
    );
  });
});

describe("bytes", () => {
  it("must be JSON in UTF-8 of a bounded size", () => {
    expect(parseJson(bytes('{"a":1}'))).toEqual({ a: 1 });
    expect(() => parseJson(bytes("{nope"))).toThrow("is not JSON");
    expect(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22))).toThrow("is not UTF-8");
    expect(() => parseJson(new Uint8Array(MAX_PAYLOAD_BYTES + 1))).toThrow("at most");
  });
});

describe("texts", () => {
  it("lose what could disguise them, and are cut", () => {
    expect(cleanText("kit\u202ehctan\u0000", 50)).toBe("kit\ufffdhctan\ufffd");
    expect(cleanText("abcdef", 4)).toBe("abc…");
  });

  it("keep markup as the text it is", () => {
    expect(parseLog({ message: "<b>x</b>" })).toEqual({ level: "info", message: "<b>x</b>" });
  });

  it("of a broker lose user and password", () => {
    expect(parseBridgeInfo({ broker: "mqtt://ann:secret@host:1883" }).broker).toBe("mqtt://host:1883");
  });
});

describe("the list of devices", () => {
  it("reads each entry", () => {
    const [first] = parseDeviceList([
      { id: "kitchen", board: "posix", module: { bytes: 4800 }, online: true },
    ]);
    expect(first).toMatchObject({ id: "kitchen", board: "posix", moduleBytes: 4800, online: true });
  });

  it.each([["bridge"], ["a/b"], ["+"], [""], ["<img>"], ["x".repeat(40)]])("refuses the name %j", (id) => {
    expect(() => parseDeviceList([{ id }])).toThrow("[0].id");
  });

  it("refuses more devices than the page shows", () => {
    expect(() => parseDeviceList(Array.from({ length: 600 }, (_, i) => ({ id: `d${i}` })))).toThrow(
      "600 devices",
    );
  });
});

describe("topics", () => {
  it.each([
    ["octomote/bridge/info", { of: "bridge", topic: "info" }],
    ["octomote/kitchen", { of: "device", id: "kitchen", topic: "state" }],
    ["octomote/kitchen/availability", { of: "device", id: "kitchen", topic: "availability" }],
    ["octomote/kitchen/log", { of: "device", id: "kitchen", topic: "log" }],
    ["octomote/kitchen/preview", { of: "device", id: "kitchen", topic: "preview" }],
    ["octomote/kitchen/features", null],
    ["octomote/cloud/state", { of: "cloud", topic: "state" }],
    ["octomote/cloud/availability", { of: "cloud", topic: "availability" }],
    ["octomote/cloud/view", { of: "cloud", topic: "view" }],
    ["octomote/cloud/codebook", null],
    ["octomote/cloud", null],
    ["octomote/bridge/request/devices", null],
    ["octomote/bridge", null],
    ["octomote/", null],
    ["other/kitchen", null],
    ["octomotes/kitchen", null],
  ])("%s", (topic, expected) => {
    expect(route("octomote", topic)).toEqual(expected);
  });

  it("are subscribed to below the base, features left out", () => {
    const topics = subscriptions("home/octomote");
    expect(topics.every((topic) => topic.startsWith("home/octomote/"))).toBe(true);
    expect(topics.some((topic) => topic.includes("#") || topic.includes("features"))).toBe(false);
    expect(setTopic("home/octomote", "kitchen")).toBe("home/octomote/kitchen/set");
  });
});
