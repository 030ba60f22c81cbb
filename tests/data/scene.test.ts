import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Clip, frameOf } from "../../host/data/clip.ts";
import { drawScene, SCENARIOS, type Scenario } from "../../host/data/scene.ts";

const draw = (scenario: Scenario, frames = 120, noise = 0, seed = 2): Clip =>
  drawScene({ scenario, width: 96, height: 72, frames, seed, noise });

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
const mean = (values: Uint8Array) => sum(values) / values.length;
const changed = (a: Uint8Array, b: Uint8Array) => sum(a.map((value, i) => (value === b[i] ? 0 : 1)));
const steps = (clip: Clip) =>
  Array.from({ length: clip.count - 1 }, (_, i) => changed(frameOf(clip, i), frameOf(clip, i + 1)));

test("are the same on every machine", () => {
  const digest = createHash("sha256");
  for (const scenario of Object.keys(SCENARIOS) as Scenario[]) digest.update(draw(scenario, 20, 1).pixels);
  expect(digest.digest("hex")).toMatchInlineSnapshot(
    `"3ab6ffebab791be28cc036831808eea9b97436b6560433a8eaba83a09fbf0854"`,
  );
});

test("depend on the seed", () => {
  expect(draw("street", 3, 0, 1).pixels).not.toEqual(draw("street", 3, 0, 2).pixels);
  expect(draw("street", 3, 0, 1)).toEqual(draw("street", 3, 0, 1));
});

describe("street", () => {
  const clip = draw("street", 400);

  test("has boxes around what moves, and only there", () => {
    let inside = 0;
    let outside = 0;
    for (let t = 1; t < clip.count; t++) {
      const near = [...(clip.boxes?.[t] ?? []), ...(clip.boxes?.[t - 1] ?? [])];
      frameOf(clip, t).forEach((value, i) => {
        if (value === clip.pixels[(t - 1) * 96 * 72 + i]) return;
        const x = i % 96;
        const y = Math.floor(i / 96);
        const covered = near.some((b) => x >= b.x - 1 && x <= b.x + b.w && y >= b.y - 1 && y <= b.y + b.h);
        // Who is about to come or go has no box yet, or none any more.
        if (covered) inside++;
        else if (x > 24 && x < 72 && y < 56) outside++;
      });
    }
    expect(inside).toBeGreaterThan(5000);
    expect(outside).toBe(0);
  });

  test("boxes lie in the frame and are taller than they are wide, or the other way round for vehicles", () => {
    const boxes = clip.boxes?.flat() ?? [];
    expect(boxes.length).toBeGreaterThan(100);
    for (const { x, y, w, h } of boxes) {
      expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
      expect(x + w).toBeLessThanOrEqual(96);
      expect(y + h).toBeLessThanOrEqual(72);
    }
    expect(boxes.some(({ w, h }) => h > 2 * w)).toBe(true);
    expect(boxes.some(({ w, h }) => w > 1.5 * h)).toBe(true);
  });

  test("people stand out from what is behind them", () => {
    const empty = draw("static", 1);
    let most = 0;
    frameOf(clip, 200).forEach((value, i) => {
      most = Math.max(most, Math.abs(value - (empty.pixels[i] as number)));
    });
    expect(most).toBeGreaterThanOrEqual(20);
  });
});

test("noise has the standard deviation that was asked for, and no bias", () => {
  for (const noise of [1, 2, 4]) {
    const quiet = draw("static", 4, 0);
    const noisy = draw("static", 4, noise);
    const differences = [...noisy.pixels].map((value, i) => value - (quiet.pixels[i] as number));
    const average = sum(differences) / differences.length;
    const spread = Math.sqrt(sum(differences.map((d) => (d - average) ** 2)) / differences.length);
    expect(Math.abs(average)).toBeLessThan(0.05);
    // Rounding to grey levels adds 1/12 to the variance.
    expect(Math.abs(spread - Math.sqrt(noise ** 2 + 1 / 12))).toBeLessThan(0.03 * noise + 0.02);
  }
});

describe("adversarial cases", () => {
  test("static: nothing moves, and there are 500 frames of it", () => {
    const clip = drawScene({ scenario: "static", width: 16, height: 16, noise: 0 });
    expect(clip.count).toBe(500);
    expect(steps(clip)).toEqual(new Array(499).fill(0));
    expect(clip.boxes?.flat()).toEqual([]);
  });

  test("slow-ramp: 60 grey levels, at most one at a time", () => {
    const clip = draw("slow-ramp", 240);
    const levels = Array.from({ length: clip.count }, (_, t) => mean(frameOf(clip, t).subarray(0, 96 * 8)));
    expect((levels.at(-1) as number) - (levels[0] as number)).toBeCloseTo(59, 0);
    for (let t = 1; t < levels.length; t++) {
      expect((levels[t] as number) - (levels[t - 1] as number)).toBeLessThanOrEqual(1);
    }
  });

  test("fade-in: somebody is there in the end, and no pixel moved by more than two grey levels at once", () => {
    const clip = draw("fade-in", 300);
    expect(clip.boxes?.[0]).toEqual([]);
    expect(clip.boxes?.at(-1)).toHaveLength(1);
    let most = 0;
    for (let i = 96 * 72; i < clip.pixels.length; i++) {
      most = Math.max(most, Math.abs((clip.pixels[i] as number) - (clip.pixels[i - 96 * 72] as number)));
    }
    expect(most).toBeLessThanOrEqual(2);
    expect(changed(frameOf(clip, 0), frameOf(clip, 299))).toBeGreaterThan(50);
  });

  test("light-step: nearly all pixels change twice, at a third and at two thirds", () => {
    const counts = steps(draw("light-step"));
    const large = counts.flatMap((count, i) => (count > 0.95 * 96 * 72 ? [i] : []));
    expect(large).toEqual([39, 79]);
  });

  test("shake: the frame moves by up to a pixel, in most frames", () => {
    const counts = steps(draw("shake"));
    expect(counts.filter((count) => count > 0.4 * 96 * 72).length).toBeGreaterThan(80);
  });

  test("foliage: trees move all the time, what is not a tree does not", () => {
    const clip = draw("foliage", 60, 0, 5);
    const [first, second] = [frameOf(clip, 10), frameOf(clip, 14)];
    const top = 96 * 32;
    const moved = changed(first.subarray(0, top), second.subarray(0, top));
    expect(moved).toBeGreaterThan(100);
    expect(moved).toBeLessThan(0.9 * top);
  });

  test("stop-and-stay: somebody comes, and stands still from a quarter on", () => {
    const clip = draw("stop-and-stay");
    const counts = steps(clip);
    expect(Math.max(...counts.slice(0, 30))).toBeGreaterThan(0);
    expect(counts.slice(30)).toEqual(new Array(89).fill(0));
    expect(clip.boxes?.at(-1)).toHaveLength(1);
  });

  test("leave: what stood there from the first frame is gone in the end", () => {
    const clip = draw("leave", 200);
    expect(clip.boxes?.[0]).toHaveLength(1);
    expect(steps(clip).slice(0, 99)).toEqual(new Array(99).fill(0));
    expect(clip.boxes?.at(-1)).toEqual([]);
  });
});
