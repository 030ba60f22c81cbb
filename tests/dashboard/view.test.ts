// The parts of the views that need no document: numbers, memory shares, colours, pacing.
import { describe, expect, it } from "vitest";
import * as format from "../../host/dashboard/model/format.ts";
import { memoryShares } from "../../host/dashboard/view/memory-bar.ts";
import { CHART, PANEL, type Scheme, SERIES, seriesStyle } from "../../host/dashboard/view/palette.ts";
import { Scheduler } from "../../host/dashboard/view/scheduler.ts";
import { contrast, distance, VISIONS } from "./support/color.ts";

describe("numbers", () => {
  it.each([
    [format.formatCount(undefined), "–"],
    [format.formatCount(60_000), "60,000"],
    [format.formatLoss(0.48217), "0.482"],
    [format.formatLoss(12_345), "1.2e+4"],
    [format.formatAccuracy(0.8637), "86.4 %"],
    [format.formatRate(1240.4), "1,240"],
    [format.formatRate(12.44), "12.4"],
    [format.formatBytes(999), "999 B"],
    [format.formatBytes(999_960), "1.00 MB"],
    [format.formatBytes(1_240_000), "1.24 MB"],
    [format.formatMemory(48_333), "47.2 KiB"],
    [format.formatDuration(42), "42 s"],
    [format.formatDuration(192), "3 min 12 s"],
    [format.formatDuration(18_180), "5 h 03 min"],
    [format.formatDuration(190_000), "2 d 4 h"],
  ])("%s", (shown, expected) => {
    expect(shown).toBe(expected);
  });
});

describe("memory", () => {
  it("is split without counting linear memory and metacode twice: they lie in the pool", () => {
    const { shares, used } = memoryShares({
      linear: 100,
      metacode: 50,
      poolUsed: 180,
      poolSize: 300,
      stack: 20,
      static: 7,
    });
    const bytes = Object.fromEntries(shares.map(({ part, bytes }) => [part, bytes]));
    expect(bytes).toEqual({ linear: 100, metacode: 50, other: 30, stack: 20, static: 7, free: 120 });
    expect(used).toBe(207);
  });

  it("of a device without a pool is what it told", () => {
    expect(memoryShares({ linear: 100 })).toMatchObject({
      used: 100,
      shares: [{ part: "linear", bytes: 100 }],
    });
    expect(memoryShares({})).toEqual({ used: 0, shares: [] });
  });
});

describe("colours", () => {
  for (const scheme of ["dark", "light"] as Scheme[]) {
    it(`of the ${scheme} scheme stand out from the panel`, () => {
      for (const color of SERIES[scheme]) expect(contrast(color, PANEL[scheme])).toBeGreaterThanOrEqual(3);
      expect(contrast(CHART[scheme].text, PANEL[scheme])).toBeGreaterThanOrEqual(4.5);
    });

    it.each(Object.keys(VISIONS))(`of the ${scheme} scheme stay apart for %s vision`, (vision) => {
      const colors = SERIES[scheme];
      for (const [i, a] of colors.entries()) {
        for (const b of colors.slice(i + 1)) expect(distance(a, b, vision)).toBeGreaterThan(0.085);
      }
    });
  }

  it("and dashes tell 32 devices apart", () => {
    const styles = Array.from({ length: 32 }, (_, slot) => JSON.stringify(seriesStyle(slot, "dark")));
    expect(new Set(styles).size).toBe(32);
  });
});

describe("the scheduler", () => {
  /** Time that passes when told: frames come every 16 ms. */
  function clock() {
    let time = 0;
    let frames: (() => void)[] = [];
    let timers: { at: number; callback: () => void }[] = [];
    return {
      now: () => time,
      frame: (callback: () => void) => void frames.push(callback),
      timeout: (callback: () => void, ms: number) => void timers.push({ at: time + ms, callback }),
      pass(ms: number) {
        for (const end = time + ms; time < end; ) {
          time += 16;
          const due = timers.filter(({ at }) => at <= time);
          timers = timers.filter(({ at }) => at > time);
          for (const { callback } of due) callback();
          const now = frames;
          frames = [];
          for (const callback of now) callback();
        }
      },
      get idle() {
        return frames.length === 0 && timers.length === 0;
      },
    };
  }

  it("draws a thousand wishes once", () => {
    const time = clock();
    let drawn = 0;
    const want = new Scheduler(time).add(
      () => drawn++,
      () => 0,
    );
    for (let i = 0; i < 1000; i++) want();
    time.pass(16);
    expect(drawn).toBe(1);
    expect(time.idle).toBe(true);
  });

  it("keeps each view's interval, and forgets no wish", () => {
    const time = clock();
    const counts = { slow: 0, fast: 0 };
    const scheduler = new Scheduler(time);
    const slow = scheduler.add(
      () => counts.slow++,
      () => 200,
    );
    const fast = scheduler.add(
      () => counts.fast++,
      () => 50,
    );
    for (let i = 0; i < 125; i++) {
      slow();
      fast();
      time.pass(16);
    }
    expect(counts.slow).toBeGreaterThanOrEqual(9);
    expect(counts.slow).toBeLessThanOrEqual(11);
    expect(counts.fast).toBeGreaterThan(25);
    expect(counts.fast).toBeLessThanOrEqual(41);
    const before = counts.slow;
    slow();
    time.pass(320);
    expect(counts.slow).toBe(before + 1);
    expect(time.idle).toBe(true);
  });

  it("draws at the next frame when asked to", () => {
    const time = clock();
    let drawn = 0;
    const want = new Scheduler(time).add(
      () => drawn++,
      () => 10_000,
    );
    want();
    time.pass(16);
    want();
    want(true);
    time.pass(16);
    expect(drawn).toBe(2);
  });
});
