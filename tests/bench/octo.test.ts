// The accuracy benchmark in small, on drawn data: both arithmetics learn, neither falls behind, and a run can be
// repeated. The published table is made by `npm run bench:octo`.
import { beforeAll, describe, expect, it } from "vitest";
import { loadData, orderOf, rateAt, SHORT, stepsOf } from "../../bench/octo/budget.ts";
import { measureOcto, type OctoResult } from "../../bench/octo.ts";

/** Drawn glyphs, seen twice: a larger rate lets the net come far in few steps. */
const BUDGET = { ...SHORT, train: 1_000, test: 300, epochs: 2, rate: 0.02 };

describe("the budget", () => {
  it("drops the rate at 60 % and at 85 % of all steps", () => {
    const steps = stepsOf(BUDGET);
    expect(steps).toBe(2_000);
    expect([0, 1_199, 1_200, 1_699, 1_700, 1_999].map((step) => rateAt(BUDGET, step))).toEqual(
      [0.02, 0.02, 0.004, 0.004, 0.0008, 0.0008].map((rate) => expect.closeTo(rate, 12)),
    );
  });

  it("shows every image once in each epoch, in an order that the seed decides", () => {
    const small = { ...BUDGET, train: 50 };
    const order = [...orderOf(small, 3)];
    const sorted = (part: number[]): number[] => part.toSorted((a, b) => a - b);
    const all = Array.from({ length: 50 }, (_, i) => i);
    expect(sorted(order.slice(0, 50))).toEqual(all);
    expect(sorted(order.slice(50))).toEqual(all);
    expect(order.slice(0, 50)).not.toEqual(order.slice(50));
    expect([...orderOf(small, 3)]).toEqual(order);
    expect([...orderOf(small, 4)]).not.toEqual(order);
  });

  it("keeps the first images of each part", async () => {
    const data = await loadData("generated", BUDGET);
    expect([data.train.count, data.test.count]).toEqual([1_000, 300]);
  });
});

describe("FP32 against INT8", () => {
  const results: Partial<Record<"device" | "portable", OctoResult>> = {};
  beforeAll(async () => {
    const measure = (target: "device" | "portable", seeds: number[]): Promise<OctoResult> =>
      measureOcto({ budget: BUDGET, seeds, target, data: "generated" });
    results.device = await measure("device", [0, 1]);
    results.portable = await measure("portable", [0]);
  });

  it("both learn, and INT8 keeps up", () => {
    const { mean } = results.device!;
    // Chance is 0.1. So few steps and images leave several points to chance: the published table has neither few.
    expect(mean.fp32).toBeGreaterThan(0.6);
    expect(mean.int8).toBeGreaterThan(mean.fp32 - 0.1);
  });

  it("portable and device module learn the same, bit for bit; FP32 repeats itself", () => {
    const [device] = results.device!.runs;
    const [portable] = results.portable!.runs;
    expect(device!.int8.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(portable!.int8).toEqual(device!.int8);
    expect(portable!.fp32).toEqual(device!.fp32);
  });

  it("says what it was measured on", () => {
    const { data, machine, budget } = results.device!;
    expect(data).toMatchObject({ name: "generated", train: 1_000, test: 300 });
    expect(data.source).toContain("seed 1");
    expect(machine.node).toBe(process.version);
    expect(budget).toEqual(BUDGET);
  });
});
