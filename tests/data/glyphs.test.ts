import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { drawGlyphs, GLYPH_CLASSES } from "../../host/data/glyphs.ts";
import { permutation, Random } from "../../host/data/random.ts";

const PIXELS = 784;

describe("glyphs", () => {
  test("are the same on every machine", () => {
    const { pixels, labels } = drawGlyphs(200, 1);
    const digest = createHash("sha256").update(labels).update(pixels).digest("hex");
    expect(digest).toMatchInlineSnapshot(
      `"659fe89e57704509372d4f8d12709897f6d31e7156f1593234a6a882ebd2368c"`,
    );
  });

  test("an image depends on seed and number alone", () => {
    const few = drawGlyphs(3, 7);
    const many = drawGlyphs(9, 7);
    expect(many.pixels.slice(0, 3 * PIXELS)).toEqual(few.pixels);
    expect(many.labels.slice(0, 3)).toEqual(few.labels);
    expect(drawGlyphs(3, 8).pixels).not.toEqual(few.pixels);
  });

  test("every class comes about as often as the others", () => {
    const counts = new Array(GLYPH_CLASSES.length).fill(0);
    for (const label of drawGlyphs(2000, 3).labels) counts[label]++;
    for (const count of counts) {
      expect(count).toBeGreaterThan(150);
      expect(count).toBeLessThan(250);
    }
  });

  test("are too varied for class means, and similar enough to be learned", () => {
    const train = drawGlyphs(3000, 1);
    const probe = drawGlyphs(200, 2);
    const image = (set: typeof train, i: number) => set.pixels.subarray(i * PIXELS, (i + 1) * PIXELS);
    const means = Array.from({ length: 10 }, () => new Float64Array(PIXELS));
    const counts = new Array(10).fill(0);
    for (let i = 0; i < train.count; i++) {
      const label = train.labels[i] as number;
      counts[label]++;
      image(train, i).forEach((pixel, k) => {
        (means[label] as Float64Array)[k]! += pixel;
      });
    }
    means.forEach((mean, label) => {
      for (let k = 0; k < PIXELS; k++) mean[k]! /= counts[label];
    });
    const distance = (a: ArrayLike<number>, b: ArrayLike<number>) => {
      let sum = 0;
      for (let k = 0; k < PIXELS; k++) sum += ((a[k] as number) - (b[k] as number)) ** 2;
      return sum;
    };
    const nearest = (to: ArrayLike<number>, among: ArrayLike<number>[]) =>
      among.reduce((best, one, i) => (distance(to, one) < distance(to, among[best] as never) ? i : best), 0);
    const examples = Array.from({ length: train.count }, (_, i) => image(train, i));
    let byMean = 0;
    let byExample = 0;
    for (let i = 0; i < probe.count; i++) {
      const label = probe.labels[i];
      if (nearest(image(probe, i), means) === label) byMean++;
      if (train.labels[nearest(image(probe, i), examples)] === label) byExample++;
    }
    expect(byMean / probe.count).toBeGreaterThan(0.2);
    expect(byMean / probe.count).toBeLessThan(0.6);
    expect(byExample / probe.count).toBeGreaterThan(0.6);
  });
});

describe("random numbers", () => {
  test("are the same on every machine", () => {
    const random = new Random(1, 2);
    expect(Array.from({ length: 4 }, () => random.next())).toMatchInlineSnapshot(`
      [
        2354614275,
        498343085,
        2859561060,
        296590228,
      ]
    `);
  });

  test("stay in range and reach its ends", () => {
    const random = new Random(5);
    const seen = new Set(Array.from({ length: 500 }, () => random.between(-2, 2)));
    expect([...seen].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
    for (let i = 0; i < 1000; i++) expect(random.below(1)).toBe(0);
  });

  test("an order has every place once and differs between seeds", () => {
    const order = permutation(1000, 1);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(permutation(1000, 1)).toEqual(order);
    expect(permutation(1000, 2)).not.toEqual(order);
    expect(permutation(1000, 1, 1)).not.toEqual(order);
    expect(permutation(0, 1)).toHaveLength(0);
  });
});
