// Thresholds learn: the rate of harmful skips goes to the target, and what was learned of one scene does not harm the next.
import { beforeAll, describe, expect, it } from "vitest";
import { loadNet } from "../../bench/pass/nets.ts";
import { type Clip, frameOf } from "../../host/data/clip.ts";
import { drawScene, type SceneOptions } from "../../host/data/scene.ts";
import type { Net } from "../../host/pass/net.ts";
import { type PassOptions, PassRunner } from "../../host/pass/runner.ts";

/** What credits and debts of the four classes allow beyond the target (assembly/pass/learn.ts). */
const SLACK = 4 * (2 + 14);
/** What a class's factor can be at least. */
const LEAST = 0.5;

let net: Net;
beforeAll(async () => {
  ({ net } = await loadNet("presence"));
});

const scene = (options: SceneOptions): Clip => drawScene({ width: 96, height: 72, ...options });
const int8 = (clip: Clip, i: number): Int8Array => Int8Array.from(frameOf(clip, i), (pixel) => pixel - 128);

describe("in a long scene", () => {
  /** Thresholds twice as high as they should be, and every fourth patch audited. */
  const bold: PassOptions = { sumGain: 4, sumOffset: 4, blockGain: 8, blockOffset: 12, refresh: 4 };
  /** Every 100 frames: audits and harmful ones so far. */
  async function audits(clip: Clip, options: PassOptions): Promise<{ audits: number; harmful: number }[]> {
    const runner = await PassRunner.load(net, { ...bold, ...options });
    const seen = [{ audits: 0, harmful: 0 }];
    let least = false;
    for (let i = 0; i < clip.count; i++) {
      const { counters } = runner.infer(int8(clip, i));
      if (i % 10 === 0) least ||= Math.min(...runner.factors()) <= LEAST;
      if (i % 100 === 99) seen.push({ audits: counters.audits, harmful: counters.harmful });
    }
    // at their least the bound would say nothing
    expect(least).toBe(false);
    return seen;
  }

  const exceeds = (seen: { audits: number; harmful: number }[], quality: number): boolean =>
    seen.some((end, i) =>
      seen.slice(0, i).some((start) => {
        return end.harmful - start.harmful > (end.audits - start.audits) * quality + SLACK;
      }),
    );

  it.each([0.01, 0.02, 0.05])(
    "of all audits of any stretch at most %f are harmful, and what credit allows",
    async (quality) => {
      for (const noise of [0, 2]) {
        const clip = scene({ scenario: "foliage", seed: 31, frames: 600, noise });
        expect(exceeds(await audits(clip, { quality }), quality)).toBe(false);
      }
    },
    60_000,
  );

  it("which would not hold if thresholds did not learn from harm", async () => {
    const clip = scene({ scenario: "foliage", seed: 31, frames: 1000, noise: 0 });
    expect(exceeds(await audits(clip, { quality: 1 }), 0.02)).toBe(true);
  }, 60_000);

  it("the rate comes to the target, from ten times as much", async () => {
    const clip = scene({ scenario: "foliage", seed: 31, frames: 2400, noise: 0 });
    /** Of the audits of the last two thirds. */
    const rate = async (quality: number): Promise<number> => {
      const seen = await audits(clip, { quality });
      const [start, end] = [seen[8]!, seen.at(-1)!];
      return (end.harmful - start.harmful) / (end.audits - start.audits);
    };
    for (const quality of [0.002, 0.004]) {
      const settled = await rate(quality);
      expect(settled).toBeGreaterThan(0.75 * quality);
      expect(settled).toBeLessThan(1.25 * quality);
    }
    // what it would be where nobody sets one
    expect(await rate(1)).toBeGreaterThan(0.04);
  });

  it("a target that allows more saves more", async () => {
    const clip = scene({ scenario: "foliage", seed: 31, frames: 400, noise: 1 });
    const macs = async (quality: number): Promise<number> => {
      const runner = await PassRunner.load(net, { quality, refresh: 4 });
      for (let i = 0; i < clip.count; i++) runner.infer(int8(clip, i));
      return runner.counters().macsTotal;
    };
    expect(await macs(0.1)).toBeLessThan(await macs(0.001));
  }, 60_000);
});

describe("after another scene has begun", () => {
  /** Most dense frames that it may take until thresholds fit the noise, and frames until work is as little as afresh. */
  const DENSE = 16;
  const FRAMES = 48;

  it.each([
    ["a darker one, with more noise", { seed: 1, noise: 0 }, { seed: 2, noise: 3 }],
    ["a brighter one, with less noise", { seed: 3, noise: 3 }, { seed: 4, noise: 0 }],
    ["another place", { seed: 5, noise: 1 }, { seed: 7, noise: 1 }],
    ["one in which more moves", { seed: 8, noise: 1 }, { seed: 9, noise: 1, scenario: "crowd" }],
  ] as const)(
    "%s: whole at once, then as cheap as afresh, and as good",
    async (_, before, after) => {
      const [one, other] = [scene({ ...before, frames: 120 }), scene({ ...after, frames: 160 })];
      const dense = await PassRunner.load(net, { policy: "dense" });
      const fresh = await PassRunner.load(net);
      const runner = await PassRunner.load(net);
      for (let i = 0; i < one.count; i++) runner.infer(int8(one, i));
      const denseBefore = runner.counters().denseFrames;
      const told = { runner: 0, fresh: 0 };
      const macs = { runner: 0, fresh: 0 };
      for (let i = 0; i < other.count; i++) {
        const frame = int8(other, i);
        const truth = dense.infer(frame).output;
        const [now, afresh] = [runner.infer(frame), fresh.infer(frame)];
        if (i === 0) {
          expect(now.output).toEqual(truth);
          // nothing that was learned of the other scene makes this one bolder
          expect(Math.max(...runner.factors())).toBeLessThanOrEqual(1);
        }
        truth.forEach((logit, k) => {
          if (logit > 10 !== now.output[k]! > 10) told.runner++;
          if (logit > 10 !== afresh.output[k]! > 10) told.fresh++;
        });
        if (i < FRAMES) continue;
        macs.runner += now.counters.macs;
        macs.fresh += afresh.counters.macs;
      }
      expect(runner.counters().denseFrames - denseBefore).toBeLessThanOrEqual(DENSE);
      expect(macs.runner).toBeLessThan(1.25 * macs.fresh);
      // a tenth of a percent of all cells
      expect(told.runner).toBeLessThanOrEqual(told.fresh + (other.count * 108) / 1000);
    },
    60_000,
  );
});
