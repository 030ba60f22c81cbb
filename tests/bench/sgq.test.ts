// The rate–accuracy bench of SGQ in small: its device half has the arithmetic of the intrinsics, its coders give what they are paid for.
import { readFile } from "node:fs/promises";
import { compress, init } from "@bokuweb/zstd-wasm";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { readResults, SGQ_PLOT } from "../../bench/docs.ts";
import { testImages } from "../../bench/sgq/command.ts";
import { featuresOf, PIXELS, quantiseHalf } from "../../bench/sgq/halves.ts";
import { loadJpeg } from "../../bench/sgq/jpeg.ts";
import { kMeans, nearest } from "../../bench/sgq/k-means.ts";
import { ratesPlot } from "../../bench/sgq/plot.ts";
import { meansOf, ratesTable } from "../../bench/sgq/report.ts";
import { FRAME_BYTES, packed, topK } from "../../bench/sgq/rivals.ts";
import { measureRates, type SgqResult, SHORT } from "../../bench/sgq.ts";
import type { Dataset } from "../../host/data/dataset.ts";
import { Random } from "../../host/data/random.ts";

const zstd = (bytes: Uint8Array): Uint8Array => compress(bytes as Buffer, 3);
const features = (seed: number): Int8Array => {
  const random = new Random(seed);
  return Int8Array.from({ length: 3136 }, () => Math.max(0, random.between(-100, 127)));
};

beforeAll(init);

describe("the device half", () => {
  it("rounds as the intrinsics do: an exact product, half up, clamped to 0 … 127", () => {
    const random = new Random(5);
    const weights = Float32Array.from({ length: 144 }, () => random.between(-1000, 1000) / 1000);
    const biases = Float32Array.from({ length: 16 }, () => random.between(-100, 100) / 1000);
    const pixels = Uint8Array.from({ length: 200 * PIXELS }, () => random.below(256));
    const { half } = quantiseHalf({ weights, biases }, pixels);
    const got = featuresOf(half, pixels, 1);
    const at = (y: number, x: number): number =>
      y < 0 || x < 0 || y > 27 || x > 27 ? 0 : (pixels[y * 28 + x] as number);
    for (let i = 0; i < got.length; i++) {
      const [o, px, py] = [i % 16, Math.floor(i / 16) % 14, Math.floor(i / 224)];
      let most = 0;
      for (let d = 0; d < 4; d++) {
        const [y, x] = [2 * py + (d >> 1), 2 * px + (d & 1)];
        let sum = BigInt(half.biases[o] as number);
        for (let t = 0; t < 9; t++)
          sum +=
            BigInt(half.weights[o * 9 + t] as number) *
            BigInt(at(y + Math.floor(t / 3) - 1, x + (t % 3) - 1));
        // multiplier = m · 2^−s with 31 bits of m
        const s = 30 - Math.floor(Math.log2(half.multipliers[o] as number));
        const m = BigInt((half.multipliers[o] as number) * 2 ** s);
        most = Math.max(most, Math.min(127, Number((sum * m + (1n << BigInt(s - 1))) >> BigInt(s))));
      }
      expect(got[i]).toBe(most);
    }
  });
});

describe("coders beside SGQ", () => {
  it("packed levels stand for the values of their thresholds, in no more bytes than their bits", () => {
    const thresholds = Array.from({ length: 16 }, (_, c) => [c, 30 + c, 80]);
    const values = Int8Array.from({ length: 64 }, (_, i) => i);
    const coder = packed(thresholds, values, 2, zstd);
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const x = features(seed);
        const y = coder.decoded(x);
        x.forEach((value, i) => {
          const level = (thresholds[i % 16] as number[]).filter((threshold) => value > threshold).length;
          expect(y[i]).toBe(4 * (i % 16) + level);
        });
        expect(coder.bytes(x, 0)).toBeLessThanOrEqual(FRAME_BYTES + 784);
      }),
      { numRuns: 10 },
    );
  });

  it("the largest share is kept, the rest is zero", () => {
    const x = features(3);
    const y = [...(topK(0.05, zstd).decoded(x) as Float32Array)];
    const kept = y.filter((value) => value > 0);
    expect(kept).toHaveLength(Math.round(0.05 * 3136));
    const sorted = [...x].sort((a, b) => b - a).slice(0, kept.length);
    expect(kept.sort((a, b) => b - a)).toEqual(sorted);
  });

  it("vectors get the entry that is nearest", () => {
    const vectors = Array.from({ length: 60 }, (_, i) =>
      Int8Array.of(i % 3 === 0 ? 100 : 0, i % 3 === 1 ? 100 : 0),
    );
    const entries = kMeans(vectors, 3);
    const centres = [0, 1, 2].map((n) => entries.subarray(2 * n, 2 * n + 2));
    for (const vector of vectors)
      expect([...(centres[nearest(centres, vector)] as Int8Array)]).toEqual([...vector]);
  });

  it("JPEG of an even grey costs next to nothing, of noise much, and more at a higher quality", async () => {
    const jpegOf = await loadJpeg();
    const even = jpegOf(new Uint8Array(PIXELS).fill(90), 28, 28, 50);
    expect(even.bytes).toBeLessThan(20);
    expect(Math.max(...even.pixels.map((pixel) => Math.abs(pixel - 90)))).toBeLessThan(4);
    const random = new Random(1);
    const noise = Uint8Array.from({ length: PIXELS }, () => random.below(256));
    const [low, high] = [jpegOf(noise, 28, 28, 20).bytes, jpegOf(noise, 28, 28, 80).bytes];
    expect(low).toBeGreaterThan(even.bytes * 4);
    expect(high).toBeGreaterThan(low);
  });
});

describe("untouched images", () => {
  const split = (count: number) => ({
    name: "",
    count,
    pixels: Uint8Array.from({ length: count * PIXELS }, (_, i) => Math.floor(i / PIXELS)),
    labels: Uint8Array.from({ length: count }, (_, i) => i),
  });
  const dataset = { name: "", train: split(100), test: split(30) } as unknown as Dataset;
  const budget = { images: 70, epochs: 1, validation: 10, test: 20 };

  it("are those between training and choices", () => {
    const { pixels, labels } = testImages(dataset, { ...budget, untouched: true });
    expect([...labels]).toEqual(Array.from({ length: 20 }, (_, i) => 70 + i));
    expect(pixels.length).toBe(20 * PIXELS);
    expect([pixels[0], pixels.at(-1)]).toEqual([70, 89]);
    expect(testImages(dataset, budget)).toBe(dataset.test);
  });

  it("are refused when training would see them", () => {
    expect(() => testImages(dataset, { ...budget, images: 71, untouched: true })).toThrow("use --images 70");
  });
});

describe("the short measurement", () => {
  it("has every point that was asked for, and goes on from what it has", async () => {
    const result: SgqResult = {
      machine: { cpu: "", cores: 1, node: "" },
      dataset: "",
      images: 256,
      epochs: 1,
      rows: [],
    };
    let kept = 0;
    const options = { ...SHORT, images: 256, validation: 64, test: 64 };
    const keep = async (): Promise<void> => void kept++;
    await measureRates(result, options, keep);
    expect(result.rows.map(({ name }) => name)).toEqual([
      "INT8",
      "INT8, zstd",
      "1 bit",
      "8 levels, contexts",
      "2 bit, within 98 B, planes",
    ]);
    const [int8, , oneBit, , within] = result.rows;
    expect(int8?.bytes).toBe(3136 + FRAME_BYTES);
    expect(oneBit?.bytes).toBeGreaterThan(10);
    expect(oneBit?.bytes).toBeLessThan(397);
    // what fits the images of training nearly fits others, and room for a channel is not left over
    expect(within?.bytes).toBeLessThan(1.15 * 98);
    expect(within?.bytes).toBeGreaterThan(0.6 * 98);
    expect(kept).toBe(4);
    await measureRates(result, options, keep);
    expect(kept).toBe(4);
  });
});

describe("what is published", () => {
  it("compares each point with INT8 features of the same seeds", async () => {
    const { sgq } = await readResults();
    for (const { name, against } of meansOf(sgq)) if (name === "INT8") expect(against).toBe(0);
    expect(ratesTable(sgq)).toContain("1 bit");
    // the plot of docs/sgq.md is of these results (npm run bench:docs)
    expect(await readFile(SGQ_PLOT, "utf8")).toBe(ratesPlot(sgq));
  });
});
