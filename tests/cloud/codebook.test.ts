// Codebooks that are learned: thresholds, values, order, contexts and probabilities, and the point that a user's number picks.
import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { buildCloudKernels } from "../../host/build/modules.ts";
import { type ChooseOptions, chooseCodebook } from "../../host/cloud/codebook/choose.ts";
import {
  centroids,
  channelMeans,
  levelOf,
  levelsOf,
  snap,
  thresholdsFor,
} from "../../host/cloud/codebook/levels.ts";
import { orderChannels } from "../../host/cloud/codebook/order.ts";
import {
  type CodebookOptions,
  type CodebookTools,
  meanBytes,
  sketchCodebook,
  trainCodebook,
} from "../../host/cloud/codebook/train.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import { loadCodec } from "../sgq/support/codec.ts";
import { CLASSES, SHAPE, samplesOf } from "./support/features.ts";

let tools: CodebookTools;
let kernels: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  tools = { codec: await loadCodec(), fitContexts };
  kernels = new Uint8Array(await readFile(await buildCloudKernels()));
});

const { features, labels } = samplesOf(96);
const fresh = samplesOf(32, 1000).features;
const THRESHOLDS = [[10, 50], [5], [10], []];

const trained = (over: Partial<CodebookOptions> = {}, samples = features) =>
  trainCodebook(tools, samples, { model: 3, version: 9, shape: SHAPE, thresholds: THRESHOLDS, ...over });

describe("thresholds", () => {
  it("lie at odd multiples of a channel's mean, which is that of what is above zero", () => {
    const means = channelMeans([Int8Array.of(10, -50, 20, 0), Int8Array.of(30, 2, 20, -2)], 2);
    expect([...means]).toEqual([20, 0.5]);
    expect(thresholdsFor(means, 1, 0.7)).toEqual([[14], [0]]);
    expect(thresholdsFor(means, 2, 0.4)).toEqual([
      [8, 24, 40],
      [0, 1],
    ]);
  });

  it("of any means ascend, are below what int8 can hold, and are none for a silent channel", () => {
    const means = fc.array(fc.double({ min: 0, max: 127, noNaN: true }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        means,
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom(0.4, 0.7, 1.2),
        (all, bits, scale) => {
          thresholdsFor(Float64Array.from(all), bits, scale).forEach((own, channel) => {
            expect(own.length).toBeLessThan(2 ** bits);
            expect(own).toEqual([...new Set(own)].sort((a, b) => a - b));
            expect(own.every((threshold) => threshold >= 0 && threshold < 127)).toBe(true);
            if ((all[channel] as number) < 0.05) expect(own).toEqual([]);
          });
        },
      ),
    );
  });

  it("of features that were quantised before go to the nearest cut, each once", () => {
    expect(snap([[1, 4, 30], [], [9]], [3, 8, 24])).toEqual([[3, 24], [], [8]]);
  });
});

describe("levels", () => {
  it("are those that the codec finds with these thresholds", () => {
    const { codec } = tools;
    const sets = fc.array(
      fc
        .uniqueArray(fc.integer({ min: -128, max: 126 }), { maxLength: 3 })
        .map((own) => own.sort((a, b) => a - b)),
      { minLength: 4, maxLength: 4 },
    );
    const sample = fc.array(fc.integer({ min: -128, max: 127 }), { minLength: 144, maxLength: 144 });
    fc.assert(
      fc.property(
        sets.filter((own) => own.some((one) => one.length > 0)),
        sample,
        (thresholds, values) => {
          const book = trained({ thresholds });
          const x = Int8Array.from(values);
          expect(levelsOf(thresholds, x)).toEqual(codec.quantise(book, x));
        },
      ),
      { numRuns: 30 },
    );
  });

  it("stand for the mean of what was seen there: no other value has a smaller square error", () => {
    const values = centroids(features, THRESHOLDS, 2);
    const error = (channel: number, level: number, value: number): number => {
      let sum = 0;
      for (const sample of features)
        for (let i = channel; i < sample.length; i += 4)
          if (levelOf(THRESHOLDS[channel] as number[], sample[i] as number) === level)
            sum += ((sample[i] as number) - value) ** 2;
      return sum;
    };
    for (let channel = 0; channel < 4; channel++)
      for (let level = 0; level <= (THRESHOLDS[channel] as number[]).length; level++) {
        const value = values[4 * channel + level] as number;
        for (const other of [value - 1, value + 1])
          expect(error(channel, level, value)).toBeLessThanOrEqual(error(channel, level, other));
      }
  });

  it("that were never seen begin where their threshold is", () => {
    expect([...centroids([Int8Array.of(1, 2)], [[5, 90]], 2)]).toEqual([2, 5, 90, 90]);
  });
});

describe("coding order", () => {
  it("puts a channel behind the one that explains it, and leaves out what is not sent", () => {
    const order = orderChannels(
      features.map((sample) => levelsOf(THRESHOLDS, sample)),
      THRESHOLDS,
    );
    expect([...order].sort()).toEqual([0, 1, 2]);
    expect(Math.abs(order.indexOf(0) - order.indexOf(1))).toBe(1);
  });
});

describe("a trained codebook", () => {
  it("has model, version, shape, patch and thresholds as asked, and probabilities within their budget", () => {
    const { book } = trained({ patch: [2, 2], tableBytes: 64 });
    expect(book).toMatchObject({
      model: 3,
      version: 9,
      shape: SHAPE,
      patch: [2, 2],
      form: "contexts",
      bits: 2,
    });
    expect(book.tables.length).toBeLessThanOrEqual(64);
    const own = (channel: number) =>
      book.planes.filter((plane) => plane.channel === channel).map((plane) => plane.threshold);
    expect([0, 1, 2, 3].map(own)).toEqual(THRESHOLDS);
  });

  it("is the same bytes for the same samples", () => {
    expect(trained().bytes).toEqual(trained().bytes);
  });

  it("loses nothing but what quantising loses", () => {
    const { codec } = tools;
    const book = trained();
    fresh.forEach((sample, sequence) => {
      const frame = codec.encode(book, [sample], { sequence });
      const [decoded] = codec.decode(frame, { find: () => book }).samples;
      expect(decoded?.features).toEqual(codec.reconstruct(book, codec.quantise(book, sample)));
    });
  });

  it("takes fewer bytes than one with the usual contexts, on samples that neither has seen", () => {
    const options = { model: 3, version: 9, shape: SHAPE, thresholds: THRESHOLDS };
    const { codec } = tools;
    const bytes = meanBytes(codec, trained(), fresh);
    expect(bytes).toBeLessThan(meanBytes(codec, sketchCodebook(tools, features, options), fresh));
    const sent = THRESHOLDS.reduce((sum, own) => sum + own.length, 0);
    expect(bytes).toBeLessThan((36 * sent) / 8);
  });

  it("cannot be made of nothing", () => {
    expect(() => trained({}, [])).toThrow(/needs samples/);
  });
});

describe("a number of the user's", () => {
  const choose = (over: Partial<ChooseOptions> = {}, count = features.length) =>
    chooseCodebook(
      tools,
      { features: features.slice(0, count), labels },
      {
        model: 3,
        version: 1,
        shape: SHAPE,
        target: { loss: 1 },
        kernels,
        layers: [
          { kind: "dense", units: 8 },
          { kind: "dense", units: CLASSES },
        ],
        ...over,
      },
    );

  it.each([40, 20, 16, 12])("%i bytes: frames take no more, and tell classes apart", async (bytes) => {
    const { chosen, tried } = await choose({ target: { bytes } });
    expect(chosen.bytes).toBeLessThanOrEqual(bytes);
    expect(meanBytes(tools.codec, chosen.book, fresh)).toBeLessThan(1.1 * bytes);
    expect(chosen.accuracy).toBeGreaterThan(0.9);
    expect(tried.length).toBeGreaterThanOrEqual(4);
  });

  it("few bytes: the channels that tell classes apart are sent, and noise is not", async () => {
    const { chosen } = await choose({ target: { bytes: 8 } });
    const sent = chosen.thresholds.flatMap((own, channel) => (own.length > 0 ? [channel] : []));
    expect(sent.length).toBeGreaterThan(0);
    expect([0, 1]).toEqual(expect.arrayContaining(sent));
    expect(chosen.accuracy).toBeGreaterThan(0.9);
  });

  it("fewer bytes than any frame has: the smallest that was found", async () => {
    const { chosen, tried } = await choose({ target: { bytes: 1 } });
    expect(chosen.bytes).toBeLessThanOrEqual(Math.min(...tried.map((one) => one.bytes)));
  });

  it("a loss: the cheapest point that loses no more", async () => {
    const { chosen, tried } = await choose({ target: { loss: 1 } });
    const enough = tried.filter((one) => (one.accuracy ?? 0) >= 0.99);
    expect(chosen.accuracy).toBeGreaterThanOrEqual(0.99);
    expect(chosen.thresholds).toEqual(enough.sort((a, b) => a.bytes - b.bytes)[0]?.thresholds);
  });

  it("examples that were quantised at cuts have no other thresholds", async () => {
    const { chosen } = await choose({ cuts: [3, 8, 24] });
    expect(chosen.thresholds.flat().every((threshold) => [3, 8, 24].includes(threshold))).toBe(true);
  });

  it("too few examples are refused", async () => {
    await expect(choose({}, 15)).rejects.toThrow(/15 examples.*at least 16/);
  });
});
