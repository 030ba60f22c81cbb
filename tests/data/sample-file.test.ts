import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DataError, type Dataset } from "../../host/data/dataset.ts";
import {
  encodeFrames,
  encodeSamples,
  parseSamples,
  readSampleFile,
  type Samples,
  writeSampleFile,
} from "../../host/data/sample-file.ts";

/** Images of 1×3 whose first pixel tells which one it is; test images begin at 200. */
function dataset(train: number, test: number): Dataset {
  const images = (count: number, first: number) => ({
    count,
    pixels: Uint8Array.from({ length: count * 3 }, (_, i) =>
      i % 3 === 0 ? first + 2 * Math.floor(i / 3) : 255,
    ),
    labels: Uint8Array.from({ length: count }, (_, i) => i % 4),
  });
  return {
    ...{ name: "generated", source: "test", height: 1, width: 3, classes: ["a", "b", "c", "d"] },
    train: images(train, 0),
    test: images(test, 200),
  };
}

const all = (samples: Samples) => Array.from({ length: samples.count }, (_, i) => samples.at(i));
const pixel = (sample: { data: Int8Array }) => sample.data[0] as number;

test("the bytes are those of docs/protocol.md", () => {
  const bytes = encodeSamples(dataset(1, 0));
  expect(Buffer.from(bytes).toString("hex")).toBe(
    ["4f4d5346", "0100", "0000", "01000000", "0100", "0300", "0100", "0400", "08000000", "00".repeat(8)].join(
      "",
    ) + ["00", "00", "0000", "007f7f", "00"].join(""),
  );
});

describe("order", () => {
  test("without a seed is the data set's, with every fifth sample held out", () => {
    const samples = all(parseSamples(encodeSamples(dataset(8, 8)), "f"));
    expect(samples.map((sample) => [pixel(sample), sample.label, sample.heldOut])).toEqual([
      ...[0, 1, 2, 3].map((i) => [i, i % 4, false]),
      [100, 0, true],
      ...[4, 5, 6, 7].map((i) => [i, i % 4, false]),
      [101, 1, true],
    ]);
  });

  test("depends on the seed, and holds every training image once", () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 2, max: 9 }),
        (seed, train, every) => {
          const bytes = encodeSamples(dataset(train, 10), { seed, heldOutEvery: every });
          const samples = all(parseSamples(bytes, "f"));
          const learned = samples.filter((sample) => !sample.heldOut).map(pixel);
          expect([...learned].sort((a, b) => a - b)).toEqual(Array.from({ length: train }, (_, i) => i));
          const held = samples.flatMap((sample, i) => (sample.heldOut ? [i] : []));
          expect(held).toEqual(held.map((_, i) => (i + 1) * every - 1));
          expect(held).toHaveLength(Math.floor(train / (every - 1)));
          for (const i of held) expect(pixel(samples[i] as never)).toBeGreaterThanOrEqual(100);
          expect(encodeSamples(dataset(train, 10), { seed, heldOutEvery: every })).toEqual(bytes);
        },
      ),
    );
  });

  test("two devices see two orders", () => {
    const order = (seed: number) =>
      all(parseSamples(encodeSamples(dataset(50, 0), { seed }), "f")).map(pixel);
    expect(order(1)).not.toEqual(order(2));
  });

  test("test images start over when there are too few", () => {
    const samples = all(parseSamples(encodeSamples(dataset(12, 2), { heldOutEvery: 2 }), "f"));
    const held = samples.filter((sample) => sample.heldOut).map(pixel);
    expect(held).toEqual([100, 101, 100, 101, 100, 101, 100, 101, 100, 101, 100, 101]);
  });

  test("counts can be limited", () => {
    const samples = all(parseSamples(encodeSamples(dataset(50, 50), { train: 3, test: 0 }), "f"));
    expect(samples.map(pixel)).toEqual([0, 1, 2]);
  });

  test.each([{ heldOutEvery: 1 }, { heldOutEvery: 2.5 }, { train: 0 }])("%j is refused", (options) => {
    expect(() => encodeSamples(dataset(3, 3), options)).toThrow(RangeError);
  });
});

test("a clip's frames have no labels, and a rate", () => {
  const clip = {
    ...{ name: "door", source: "test", width: 3, height: 1, count: 2 },
    pixels: Uint8Array.of(0, 128, 255, 1, 2, 3),
  };
  const samples = parseSamples(encodeFrames(clip, 10), "f");
  expect(samples).toMatchObject({ count: 2, classes: 0, perSecond: 10 });
  expect(all(samples).map(({ data, label, heldOut }) => [[...data], label, heldOut])).toEqual([
    [[-128, 0, 127], -1, false],
    [[-127, -126, -125], -1, false],
  ]);
  expect(parseSamples(encodeSamples(dataset(1, 0)), "f").perSecond).toBe(0);
});

test("a file is written and read", async () => {
  const folder = await mkdtemp(join(tmpdir(), "octomote-samples-"));
  try {
    const path = join(folder, "some.samples");
    const summary = await writeSampleFile(path, dataset(8, 8), { seed: 3 });
    const samples = await readSampleFile(path);
    expect(summary).toEqual({ count: 10, heldOut: 2, bytes: 32 + 10 * 8 });
    expect(samples).toMatchObject({ count: 10, classes: 4 });
    expect(samples.at(9)).toMatchObject({ h: 1, w: 3, c: 1, heldOut: true });
    expect(() => samples.at(10)).toThrow(/no sample 10 of 10/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a label of 255 is none", () => {
  const bytes = encodeSamples(dataset(1, 0));
  bytes[32] = 255;
  expect(parseSamples(bytes, "f").at(0).label).toBe(-1);
});

describe("a file that is no sample file", () => {
  const whole = encodeSamples(dataset(4, 4));
  const change = (at: number, ...values: number[]) => {
    const bytes = whole.slice();
    bytes.set(values, at);
    return bytes;
  };
  test.each([
    ["empty", new Uint8Array(0), /not a sample file/],
    ["another format", change(0, 1), /not a sample file/],
    ["of another version", change(4, 2), /version 2, but this release reads 1/],
    ["without samples", change(8, 0, 0, 0, 0), /no samples/],
    ["without pixels", change(12, 0, 0), /no samples/],
    ["with a stride that is too small", change(20, 4), /a stride of 4 bytes does not hold 1×3×1/],
    ["with a stride that is no multiple of 4", change(20, 9), /a stride of 9/],
    ["cut off", whole.subarray(0, whole.length - 1), /bytes, but 5 samples need/],
    ["that announces more than it has", change(8, 255, 255, 255, 255), /4294967295 samples need/],
  ])("%s", (_, bytes, message) => {
    expect(() => parseSamples(bytes, "some/file")).toThrow(DataError);
    expect(() => parseSamples(bytes, "some/file")).toThrow(message);
  });
});
