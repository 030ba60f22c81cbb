import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergePoints, Timeline, valueAt } from "../../host/dashboard/model/timeline.ts";

const fold = (capacity: number, width = 1) =>
  new Timeline({ metrics: ["loss"], capacity, width, overflow: "fold", origin: 0 });

describe("a timeline", () => {
  it("gives all devices the same x axis, and averages within a bucket", () => {
    const timeline = fold(100, 10);
    timeline.add("a", 3, { loss: 1 });
    timeline.add("a", 7, { loss: 2 });
    timeline.add("b", 25, { loss: 5 });
    timeline.add("a", 29, { loss: 4 });
    expect(timeline.x).toEqual([5, 15, 25]);
    expect(timeline.column("a", "loss")).toEqual([1.5, undefined, 4]);
    expect(timeline.column("b", "loss")).toEqual([undefined, undefined, 5]);
    expect(timeline.column("c", "loss")).toBeUndefined();
  });

  it("folds pairs and doubles its width when full, keeping all of history", () => {
    const timeline = fold(4);
    for (let x = 0; x < 5; x++) timeline.add("a", x, { loss: x });
    expect(timeline.width).toBe(2);
    expect(timeline.x).toEqual([1, 3, 5]);
    expect(timeline.column("a", "loss")).toEqual([0.5, 2.5, 4]);
  });

  it("goes on averaging in a bucket that was being filled when it folded", () => {
    const timeline = fold(4);
    timeline.add("a", 2, { loss: 10 });
    timeline.add("b", 4, { loss: 0 });
    timeline.add("a", 3, { loss: 20 });
    expect(timeline.column("a", "loss")?.[1]).toBe(15);
  });

  it("as a window forgets the oldest and never moves what remains", () => {
    const timeline = new Timeline({ metrics: ["loss"], capacity: 16, width: 1, overflow: "shift" });
    for (let x = 100; x < 140; x++) timeline.add("a", x, { loss: x });
    expect(timeline.x.length).toBeLessThanOrEqual(16);
    expect(timeline.x.at(-1)).toBe(139.5);
    timeline.x.forEach((x, i) => {
      expect(timeline.column("a", "loss")?.[i]).toBe(x - 0.5);
    });
  });

  it("survives a jump far beyond its window", () => {
    const timeline = new Timeline({ metrics: ["loss"], capacity: 16, width: 1, overflow: "shift" });
    timeline.add("a", 5, { loss: 1 });
    timeline.add("a", 1e9, { loss: 2 });
    expect(timeline.x.length).toBeLessThanOrEqual(16);
    expect(timeline.column("a", "loss")?.at(-1)).toBe(2);
  });

  it("breaks a line after silence and after a break, and nowhere else", () => {
    const options = {
      metrics: ["loss"],
      capacity: 100,
      width: 1,
      overflow: "fold",
      silence: 10,
      origin: 0,
    } as const;
    const timeline = new Timeline(options);
    for (const x of [0, 5, 20]) timeline.add("a", x, { loss: 1 });
    timeline.break("a");
    timeline.add("a", 23, { loss: 1 });
    const nulls = timeline.column("a", "loss")?.flatMap((point, i) => (point === null ? [i] : []));
    expect(nulls).toEqual([6, 21]);
  });

  it("ignores what lies before its origin", () => {
    const timeline = new Timeline({ metrics: ["loss"], capacity: 8, width: 1, overflow: "fold" });
    timeline.add("a", 10, { loss: 1 });
    timeline.add("a", 3, { loss: 9 });
    expect(timeline.column("a", "loss")).toEqual([1]);
  });

  it("keeps metrics apart: one that is not told leaves its column empty", () => {
    const timeline = new Timeline({ metrics: ["loss", "accuracy"], capacity: 8, width: 1, overflow: "fold" });
    timeline.add("a", 0, { loss: 1 });
    timeline.add("a", 0.5, { accuracy: 0.5 });
    expect(timeline.column("a", "loss")).toEqual([1]);
    expect(timeline.column("a", "accuracy")).toEqual([0.5]);
  });

  it("forgets a device that was removed", () => {
    const timeline = fold(8);
    timeline.add("a", 1, { loss: 1 });
    timeline.remove("a");
    expect(timeline.column("a", "loss")).toBeUndefined();
  });

  it("stays bounded and consistent whatever arrives", () => {
    const sample = fc.record({
      id: fc.constantFrom("a", "b", "c"),
      x: fc.oneof(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 0xffff_ffff })),
      loss: fc.double({ min: 0, max: 10, noNaN: true }),
    });
    const kind = fc.constantFrom("fold" as const, "shift" as const);
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 200 }), kind, (samples, overflow) => {
        const timeline = new Timeline({ metrics: ["loss"], capacity: 32, width: 1, overflow, origin: 0 });
        for (const { id, x, loss } of samples) timeline.add(id, x, { loss });
        expect(timeline.x.length).toBeLessThanOrEqual(32);
        timeline.x.forEach((x, i) => {
          if (i > 0) expect(x - (timeline.x[i - 1] ?? Number.NaN)).toBeCloseTo(timeline.width, 6);
        });
        for (const id of ["a", "b", "c"]) {
          const column = timeline.column(id, "loss");
          if (column === undefined) continue;
          expect(column.length).toBe(timeline.x.length);
          for (const point of column) {
            if (typeof point === "number") expect(point >= 0 && point <= 10).toBe(true);
          }
        }
      }),
    );
  });

  it("is as big after a day as after ten minutes", () => {
    const timeline = new Timeline({
      metrics: ["loss"],
      capacity: 1200,
      width: 0.25,
      overflow: "fold",
      origin: 0,
    });
    for (let second = 0; second < 86_400; second++) timeline.add("a", second, { loss: second });
    expect(timeline.x.length).toBeGreaterThan(600);
    expect(timeline.x.length).toBeLessThanOrEqual(1200);
    expect(timeline.column("a", "loss")?.every((point) => typeof point === "number")).toBe(true);
  });
});

describe("merging two points", () => {
  it.each([
    [1, 3, 2],
    [1, undefined, 1],
    [undefined, 3, 3],
    [1, null, 1],
    [null, undefined, null],
    [undefined, null, null],
    [undefined, undefined, undefined],
  ])("%s and %s give %s", (a, b, merged) => {
    expect(mergePoints(a, b)).toBe(merged);
  });
});

describe("the value at a bucket", () => {
  it("is the latest before it, unless the line broke", () => {
    const column = [1, undefined, undefined, null, undefined, 7];
    expect([0, 1, 2, 3, 4, 5].map((i) => valueAt(column, i))).toEqual([1, 1, 1, undefined, undefined, 7]);
    expect(valueAt(undefined, 3)).toBeUndefined();
  });
});
