// The soak in small: it finds every process and measures it. Whether memory is flat is for ten minutes to say
// (`npm run bench:soak`); how a trend is told, for samples that are made up.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Sample, trendOf } from "../../bench/soak/fit.ts";
import { residentTree } from "../../bench/soak/processes.ts";
import { measureSoak, SHORT, soakTable } from "../../bench/soak.ts";
import { requires } from "../support/requirements.ts";

describe("a trend", () => {
  const series = (bytes: (time: number) => number): Sample[] =>
    Array.from({ length: 60 }, (_, i) => ({ time: 10 * i, bytes: bytes(10 * i) }));

  it("is the slope of a straight line, whatever its height", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 1000 }), fc.nat(1e9), (perSecond, height) => {
        const { slope, floor } = trendOf(series((time) => height + perSecond * time));
        expect(slope).toBeCloseTo(60 * perSecond, 3);
        expect(floor).toBeCloseTo(60 * perSecond, -4);
      }),
    );
  });

  it("has a floor that heeds no garbage, and sees a leak below it", () => {
    const garbage = (time: number) => (time % 70) * 1000;
    expect(trendOf(series(garbage)).floor).toBe(0);
    expect(trendOf(series((time) => garbage(time) + 100 * time)).floor).toBeGreaterThan(3000);
  });

  it("needs samples that lie apart", () => {
    expect(() => trendOf([])).toThrow(/measure longer/);
    expect(() => trendOf(Array(5).fill({ time: 1, bytes: 1 }))).toThrow(/measure longer/);
  });
});

it("memory of a process includes what it has started", () => {
  expect(residentTree(process.ppid)).toBeGreaterThan(residentTree(process.pid));
});

requires("gcc").describe("octomote start", () => {
  it("is found with all its processes", async () => {
    const result = await measureSoak({ ...SHORT, seconds: 6, warmUp: 1 });
    const names = result.parts.map(({ name, what }) => `${name.split(",")[0]} ${what}`);
    expect(names.sort()).toEqual([
      "bridge heap",
      "bridge resident",
      "garage resident",
      "kitchen resident",
      "porch resident",
    ]);
    for (const { first, last } of result.parts) expect(Math.min(first, last)).toBeGreaterThan(1 << 20);
    expect(result.work.steps).toBeGreaterThan(0);
    expect(result.work.messages).toBeGreaterThan(0);
    expect(soakTable(result)).toContain("kitchen, posix");
  });
});
