// What the page takes of a cloud half, and what it refuses.
import { describe, expect, it } from "vitest";
import { PayloadError } from "../../host/dashboard/model/parse.ts";
import { parseCloudState, parseCloudView } from "../../host/dashboard/model/parse-cloud.ts";
import { Store } from "../../host/dashboard/model/store.ts";

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const view = (over: object = {}) => ({
  device: "kitchen",
  label: 3,
  seen: 5,
  codebook: 1,
  shape: [1, 2, 2],
  features: Buffer.from([0, 127, 129, 7]).toString("base64"),
  ...over,
});

describe("a view", () => {
  it("is features of int8, and what they were taken for", () => {
    const { features, ...rest } = parseCloudView(view());
    expect([...features]).toEqual([0, 127, -127, 7]);
    expect(rest).toEqual({ device: "kitchen", label: 3, seen: 5, height: 1, width: 2, channels: 2 });
    expect(parseCloudView(view({ label: -1 })).label).toBeUndefined();
  });

  it.each([
    ["no device", { device: undefined }],
    ["a device of another name", { device: "cloud" }],
    ["a shape of two", { shape: [2, 2] }],
    ["a shape that is none", { shape: [0, 2, 2] }],
    ["more features than its shape has", { shape: [1, 1, 2] }],
    ["no features", { features: undefined }],
    ["features that are no base64", { features: "§" }],
    ["features that are too many", { features: "AAAA".repeat(30_000), shape: [250, 360, 1] }],
    ["a class that is none", { seen: 1.5 }],
  ])("with %s is refused", (_, over) => {
    expect(() => parseCloudView(view(over))).toThrow(PayloadError);
  });
});

describe("a state", () => {
  it("has what is known, and nothing else", () => {
    const state = {
      samples: 5,
      accuracy: 0.5,
      bytesPerSample: { mean: 97.4, p95: 145 },
      codebook: { version: 2 },
    };
    expect(parseCloudState(state)).toMatchObject({
      samples: 5,
      accuracy: 0.5,
      bytesPerSample: 97.4,
      codebook: 2,
    });
    expect(parseCloudState({}).ratio).toBeUndefined();
  });

  it.each([[{ accuracy: 84 }], [{ samples: -1 }], [{ codebook: 3 }], [[]]])("%j is refused", (value) => {
    expect(() => parseCloudState(value)).toThrow(PayloadError);
  });
});

describe("the store", () => {
  it("keeps the last of each, and takes back what is empty; the cloud is no device", () => {
    const store = new Store("octomote");
    const receive = (topic: string, payload: Uint8Array) =>
      store.receive(`octomote/cloud/${topic}`, payload, false, 0);
    receive("availability", bytes({ state: "online" }));
    receive("state", bytes({ samples: 9 }));
    receive("view", bytes(view()));
    receive("view", bytes(view({ seen: 3 })));
    expect(store).toMatchObject({ cloudOnline: true, cloud: { samples: 9 } });
    expect(store.views.get("kitchen")?.seen).toBe(3);
    expect(store.devices.size).toBe(0);
    receive("state", new Uint8Array(0));
    expect(store.cloud).toBeUndefined();
    receive("view", bytes({ device: "kitchen" }));
    expect(store.warningCount).toBe(1);
  });
});
