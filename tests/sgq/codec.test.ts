// SGQ's codec: what comes out is what was quantised, for codebooks of every form, shape and probability.
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import type { Codebook, SampleReference } from "../../host/sgq/types.ts";
import { codebookOf, dice, featuresOf, forms, seeds } from "./support/arbitrary.ts";
import { loadCodec } from "./support/codec.ts";

let codec: SgqCodec;
beforeAll(async () => {
  codec = await loadCodec();
});

/** Levels straight from the page: how many of a channel's planes a value exceeds. */
function levelsOf({ shape, planes, group, weights, form }: Codebook, x: Int8Array): Uint8Array {
  const [h, w, c] = shape;
  const channels = c / group;
  const levels = new Uint8Array(h * w * channels);
  for (const { channel, threshold } of planes) {
    for (let i = 0; i < h * w; i++) {
      let value = x[i * c + channel] as number;
      if (form === "shared") {
        let sum = 64;
        for (let k = channel * group; k < (channel + 1) * group; k++)
          sum += (weights[k] as number) * (x[i * c + k] as number);
        value = Math.max(-128, Math.min(127, sum >> 7));
      }
      if (value > threshold) levels[i * channels + channel] = (levels[i * channels + channel] as number) + 1;
    }
  }
  return levels;
}

describe("decode(encode(x)) is x, quantised", () => {
  it("for all forms, shapes and codebooks, coded and raw, one sample or several", () => {
    fc.assert(
      fc.property(seeds, forms, fc.integer({ min: 1, max: 4 }), fc.boolean(), (seed, form, count, raw) => {
        const book = codec.seal(codebookOf(seed, form, codec));
        const samples = Array.from({ length: count }, (_, i) => featuresOf(seed + i, book.elements));
        const frame = codec.encode(book, samples, { sequence: seed >>> 0, raw });
        const decoded = codec.decode(frame, { find: () => book });
        expect(decoded.samples).toHaveLength(count);
        decoded.samples.forEach(({ levels, features, sequence }, i) => {
          const want = codec.quantise(book, samples[i] as Int8Array);
          expect(levels).toEqual(want);
          expect(features).toEqual(codec.reconstruct(book, want));
          if (!decoded.header.short) expect(sequence).toBe(((seed >>> 0) + i) >>> 0);
        });
      }),
      { numRuns: 300 },
    );
  });

  it("with the levels and values of the page", () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom("contexts" as const, "shared" as const), (seed, form) => {
        const book = codec.seal(codebookOf(seed, form, codec));
        const x = featuresOf(seed, book.elements);
        const want = levelsOf(book.book, x);
        expect(codec.quantise(book, x)).toEqual(want);
        const { values, bits, group, shape } = book.book;
        const features = Int8Array.from({ length: book.elements }, (_, i) => {
          const channel = i % shape[2];
          const cell = Math.floor(i / shape[2]) * (shape[2] / group) + Math.floor(channel / group);
          return values[channel * 2 ** bits + (want[cell] as number)] as number;
        });
        expect(codec.reconstruct(book, want)).toEqual(features);
      }),
    );
  });

  it("for slices that each decode alone", () => {
    fc.assert(
      fc.property(seeds, forms, (seed, form) => {
        const book = codec.seal(codebookOf(seed, form, codec));
        const [h, w, c] = book.book.shape;
        const row = book.book.stripe * dice(seed)(0, h / book.book.stripe - 1);
        const rows = h - row;
        const x = featuresOf(seed, book.elements);
        const part = x.subarray(row * w * c);
        const frame = codec.encode(book, [part], { sequence: 1, slice: { row, rows } });
        const { samples, header } = codec.decode(frame, { find: () => book });
        expect(header.slice).toEqual({ row, rows });
        const whole = codec.quantise(book, x);
        expect(samples[0]?.levels).toEqual(whole.subarray((whole.length / h) * row));
      }),
    );
  });

  it("for frames that need no codebook", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 4 }), fc.boolean(), (seed, bits, one) => {
        const roll = dice(seed);
        const shape = [roll(1, 9), roll(1, 9), roll(1, 5)] as const;
        const sets = one ? 1 : shape[2];
        const below = 2 ** bits - 1;
        const thresholds = new Int8Array(sets * below);
        for (let i = 0; i < sets; i++)
          thresholds.set(
            featuresOf(seed + i, below).sort((a, b) => a - b),
            i * below,
          );
        const values = featuresOf(seed, sets * (below + 1));
        const x = featuresOf(seed + 1, shape[0] * shape[1] * shape[2]);
        const frame = codec.encodeSelfContained(3, shape, { bits, thresholds, values }, x, 9);
        const { samples, header } = codec.decode(frame, { find: () => undefined });
        expect(header).toMatchObject({ selfContained: true, model: 3, sequence: 9 });
        x.forEach((value, i) => {
          const set = one ? 0 : i % shape[2];
          const own = thresholds.subarray(set * below, (set + 1) * below);
          const level = own.filter((threshold) => value > threshold).length;
          expect(samples[0]?.levels[i]).toBe(level);
          expect(samples[0]?.features[i]).toBe(values[set * (below + 1) + level]);
        });
      }),
    );
  });
});

describe("skipped patches", () => {
  it("come from the reference, and only from the right one", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const roll = dice(seed);
        const plain = codebookOf(seed, "contexts", codec);
        const book = codec.seal({ ...plain, patch: [roll(1, 3), roll(1, 3)] });
        const [h, w, c] = book.book.shape;
        const [ph, pw] = book.book.patch;
        const across = Math.ceil(w / pw);
        const changed = Uint8Array.from({ length: Math.ceil(h / ph) * across }, () => roll(0, 1));
        const [first, second] = [featuresOf(seed, book.elements), featuresOf(seed + 1, book.elements)];
        const key = codec.encode(book, [first], { sequence: 40 });
        const crc = (key.at(-2) as number) | ((key.at(-1) as number) << 8);
        const reference: SampleReference = { sequence: 40, crc, levels: codec.quantise(book, first) };
        const frame = codec.encode(book, [second], { sequence: 41, skip: { changed, reference } });
        const find = () => book;
        const { samples, header } = codec.decode(frame, { find, reference: () => reference });
        const fresh = codec.quantise(book, second);
        const want = fresh.map((level, i) => {
          const [y, x] = [Math.floor(i / c / w), Math.floor(i / c) % w];
          const moved = changed[Math.floor(y / ph) * across + Math.floor(x / pw)] === 1;
          return moved || header.reference === undefined ? level : (reference.levels[i] as number);
        });
        expect(samples[0]?.levels).toEqual(want);
        if (header.reference === undefined) return;
        expect(header.reference).toBe(40);
        expect(() => codec.decode(frame, { find })).toThrow(expect.objectContaining({ reason: 5 }));
        const other = { ...reference, crc: crc ^ 1 };
        expect(() => codec.decode(frame, { find, reference: () => other })).toThrow(
          expect.objectContaining({ reason: 3 }),
        );
      }),
    );
  });
});

describe("tables", () => {
  it("that were fitted code what is alike in fewer bytes than packing does", () => {
    const plain = codebookOf(1, "contexts", codec);
    const shape = [14, 14, 2] as const;
    const planes = [0, 1].map((channel) => ({ channel, threshold: 0, context: 0 }));
    const values = Int8Array.of(-1, 1, -1, 1);
    const book = { ...plain, bits: 1, shape, planes, values, patch: [0, 0] as const };
    const blob = (seed: number): Int8Array => {
      const roll = dice(seed);
      const [cy, cx, r] = [roll(4, 9), roll(4, 9), roll(2, 5)];
      return Int8Array.from({ length: 14 * 14 * 2 }, (_, i) => {
        const [y, x] = [Math.floor(i / 28), Math.floor(i / 2) % 14];
        return (y - cy) ** 2 + (x - cx) ** 2 <= r * r ? 50 : -50;
      });
    };
    const start = codec.seal({
      ...book,
      contexts: [[{ back: 0, dx: -1, dy: 0 }]],
      tables: new Uint8Array(2),
    });
    const levels = Array.from({ length: 200 }, (_, i) => codec.quantise(start, blob(i)));
    const fitted = codec.seal(fitContexts(codec, start.book, levels, { tableBytes: 512 }));
    expect(fitted.book.tables.length).toBeLessThanOrEqual(512);
    const lengths = Array.from({ length: 50 }, (_, i) =>
      codec.encode(fitted, [blob(1000 + i)], { sequence: i }),
    ).map((frame) => frame.length);
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    expect(mean).toBeLessThan((14 * 14 * 2) / 8 / 2);
  });
});
