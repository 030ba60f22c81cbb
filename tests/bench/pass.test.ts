// What the benchmark of PASS measures with: average precision, baselines on the kernels of the device, net files.
import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PLOT, readResults, renderPlot } from "../../bench/docs.ts";
import { ScoreHistogram } from "../../bench/pass/average-precision.ts";
import { dense, fixedThreshold, hold, perPixel, type Watcher } from "../../bench/pass/baselines.ts";
import { decodeNetFile, encodeNetFile, loadNet } from "../../bench/pass/nets.ts";
import { macsPlot } from "../../bench/pass/plot.ts";
import { WindowNet } from "../../bench/pass/windows.ts";
import { measurePassFeatures } from "../../bench/pass-features.ts";
import { frameOf } from "../../host/data/clip.ts";
import { Random } from "../../host/data/random.ts";
import { drawScene } from "../../host/data/scene.ts";
import type { Net } from "../../host/pass/net.ts";

/** A net of two layers and a head over frames of 32×24. */
function smallNet(seed: number): Net {
  const random = new Random(seed);
  const weights = (n: number) => Int8Array.from({ length: n }, () => random.between(-127, 127));
  return {
    input: [24, 32, 1],
    layers: [
      {
        kind: "conv2d",
        filters: 4,
        kernel: 3,
        stride: 2,
        padding: 1,
        weights: weights(36),
        multiplier: 0.002,
        lo: 0,
      },
      {
        kind: "conv2d",
        filters: 4,
        kernel: 3,
        stride: 2,
        padding: 1,
        weights: weights(144),
        multiplier: 0.002,
        lo: 0,
      },
      { kind: "conv2d", filters: 1, kernel: 1, weights: weights(4), multiplier: 0.02 },
    ],
  };
}

const frames = (seed: number, noise = 0): Int8Array[] => {
  const clip = drawScene({ width: 32, height: 24, frames: 12, seed, noise });
  return Array.from({ length: clip.count }, (_, i) => Int8Array.from(frameOf(clip, i), (p) => p - 128));
};

const watch = (watcher: Watcher, seen: readonly Int8Array[]) =>
  seen.map((frame) => {
    const { output, macs } = watcher(frame);
    return { output: [...output], macs };
  });

describe("average precision", () => {
  const of = (scores: number[], labels: number[]): number => {
    const histogram = new ScoreHistogram();
    histogram.add(scores, labels);
    return histogram.averagePrecision();
  };

  it.each([
    ["all right", [9, 8, 1, 0], [1, 1, 0, 0], 1],
    ["all wrong", [9, 8, 1, 0], [0, 0, 1, 1], 0.5 * (1 / 3) + 0.5 * (2 / 4)],
    ["scikit-learn's example", [10, 40, 35, 80], [0, 0, 1, 1], 0.8333333333333333],
    ["one score for all: the share of positives", [5, 5, 5, 5], [1, 0, 0, 0], 0.25],
    ["the ends of int8", [-128, 127], [0, 1], 1],
  ])("%s", (_, scores, labels, expected) => expect(of(scores, labels)).toBeCloseTo(expected, 12));

  it("is the mean over positives of the precision at each, where no two scores are equal", () => {
    const labels = fc.array(fc.constantFrom(0, 1), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(labels, (ranked) => {
        const positives = ranked.reduce<number>((sum, label) => sum + label, 0);
        fc.pre(positives > 0);
        let found = 0;
        let sum = 0;
        ranked.forEach((label, i) => {
          if (label) sum += ++found / (i + 1);
        });
        expect(
          of(
            ranked.map((_, i) => 127 - i),
            ranked,
          ),
        ).toBeCloseTo(sum / positives, 12);
      }),
    );
  });
});

describe("baselines", () => {
  it("hold computes every kth frame and keeps its output", async () => {
    const seen = frames(3);
    const whole = watch(await dense(smallNet(1)), seen);
    const held = watch(await hold(smallNet(1), 3), seen);
    held.forEach(({ output, macs }, i) => {
      expect(output).toEqual(whole[i - (i % 3)]?.output);
      expect(macs).toBe(i % 3 === 0 ? whole[0]?.macs : 0);
    });
  });

  it("thresholds below any difference give the dense output", async () => {
    const seen = frames(4, 1);
    const whole = watch(await dense(smallNet(2)), seen).map(({ output }) => output);
    // Every patch is dirty under a threshold of −1, so that its missing halo is not missed.
    const patches = watch(await fixedThreshold(smallNet(2), -1), seen);
    expect(patches.map(({ output }) => output)).toEqual(whole);
    const pixels = watch(await perPixel(smallNet(2), 0, 0), seen);
    expect(pixels.map(({ output }) => output)).toEqual(whole);
    expect(pixels.at(-1)?.macs).toBeLessThanOrEqual(patches.at(-1)?.macs ?? 0);
  });

  it("nothing that moves costs nothing", async () => {
    const [frame] = frames(5) as [Int8Array];
    for (const watcher of [await fixedThreshold(smallNet(3), 2), await perPixel(smallNet(3), 2, 0)]) {
      const [first, second] = watch(watcher, [frame, frame]);
      expect(first?.macs).toBe(12 * 16 * 36 + 6 * 8 * 144 + 6 * 8 * 4);
      expect(second).toEqual({ output: first?.output, macs: 0 });
    }
  });
});

it("features take fewer bytes without what did not change, and more where all of it did; the host has the same", async () => {
  const { cases, missing } = await measurePassFeatures({ short: true, choose: false });
  expect(missing).toEqual([]);
  const [{ rows, shape }] = cases as [(typeof cases)[0]];
  expect(shape).toEqual([9, 12, 32]);
  for (const { method, whole, skip, changed } of rows) {
    if (method === "dense") expect(changed).toBe(1);
    if (method === "dense") expect(skip.mean).toBeGreaterThan(whole.mean);
    else expect(skip.mean).toBeLessThan(whole.mean);
  }
});

describe("the plot of multiplications against average precision", () => {
  it("in docs is that of bench/results (npm run bench:docs), and shows every method", async () => {
    const results = await readResults();
    const plot = renderPlot(results);
    expect(await readFile(PLOT, "utf8")).toBe(plot);
    const pets = results.pass.cases.find(({ clip, net }) => clip === "pets" && net === "pilot");
    for (const { method } of pets?.outcomes ?? []) expect(plot).toContain(`>${method}</text>`);
  });

  it("refuses a clip without boxes", () => {
    const outcome = {
      method: "fast",
      dirty: 0,
      macs: 0.2,
      worstMacs: 1,
      averagePrecision: null,
      otherwise: 0,
    };
    const one = { clip: "car", net: "pilot", frames: 1, denseMacs: 1, outcomes: [outcome], counted: [] };
    expect(() => macsPlot(one)).toThrow(RangeError);
  });
});

describe("net files", () => {
  it("hold a net whole", () => {
    const net = smallNet(7);
    const back = decodeNetFile(JSON.parse(JSON.stringify(encodeNetFile(net, { seed: 1 }, 0.5))));
    expect(back.input).toEqual(net.input);
    back.layers.forEach((layer, i) => {
      const want = net.layers[i];
      if (layer.kind !== "conv2d" || want?.kind !== "conv2d") throw new Error("not a convolution");
      expect(layer.weights).toEqual(want.weights);
      expect(layer.multiplier).toEqual([Math.fround(want.multiplier as number)]);
    });
  });

  it.each(["presence", "pets-separable"])("%s is one of ours, and sees", async (name) => {
    const { net, file } = await loadNet(name);
    expect(file.averagePrecision).toBeGreaterThan(0.7);
    const windows = await WindowNet.create(net);
    expect(windows.stages.at(-1)?.data).toHaveLength((net.input[0] * net.input[1]) / 64);
  });
});
