// One device's samples come in order, each once, whatever the way does to them.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SequenceOrder } from "../../host/cloud/ingest/sequence.ts";

/** Everything that comes out for these numbers. */
function run(numbers: readonly number[], order = new SequenceOrder<number>()): number[] {
  return numbers.flatMap((n) => order.push(n, n));
}

describe("order", () => {
  it.each<[string, number[], number[]]>([
    ["as it was sent", [0, 1, 2], [0, 1, 2]],
    ["swapped", [0, 2, 1, 3], [0, 1, 2, 3]],
    ["doubled", [0, 1, 1, 0, 2], [0, 1, 2]],
    ["from the middle on", [700, 701], [700, 701]],
  ])("%s", (_, sent, want) => {
    expect(run(sent)).toEqual(want);
  });

  it("gives up what is missing when too many wait, and takes it when it comes after all", () => {
    const order = new SequenceOrder<number>();
    const rest = Array.from({ length: 33 }, (_, i) => i + 2);
    expect(run([0, ...rest], order)).toEqual([0, ...rest]);
    expect(order.counts).toMatchObject({ lost: 1, late: 0 });
    expect(run([1, 1], order)).toEqual([1]);
    expect(order.counts).toEqual({ lost: 0, late: 1, duplicates: 1, restarts: 0 });
  });

  it("takes a device that starts anew for what it is", () => {
    const order = new SequenceOrder<number>();
    run([9000, 9001], order);
    expect(run([0, 1], order)).toEqual([0, 1]);
    expect(order.counts.restarts).toBe(1);
  });

  it.each([
    ["soon", 40],
    ["after a while", 3000],
  ])("takes one that starts anew %s for what it is, too: the same number with another mark", (_, before) => {
    const order = new SequenceOrder<number>();
    for (let n = 0; n < before; n++) order.push(n, n, 1, n);
    const again = [0, 1, 2].flatMap((n) => order.push(n, n, 1, 100_000 + n));
    expect(again).toEqual([0, 1, 2]);
    expect(order.push(1, 1, 1, 100_001)).toEqual([]);
    expect(order.counts).toEqual({ lost: 0, late: 0, duplicates: 1, restarts: 1 });
  });

  it("hands out what waited when one starts anew", () => {
    const order = new SequenceOrder<number>();
    for (const n of [0, 1, 5]) order.push(n, n, 1, 7);
    expect(order.push(0, 0, 1, 8)).toEqual([5, 0]);
  });

  it("waits for nothing before the first, and takes it if it was overtaken", () => {
    expect(run([701, 700, 702])).toEqual([701, 700, 702]);
  });

  it("hands out what waits when nothing more is to come", () => {
    const order = new SequenceOrder<number>();
    expect(run([5, 7, 9], order)).toEqual([5]);
    expect(order.flush()).toEqual([7, 9]);
    expect(order.counts.lost).toBe(2);
  });

  it("counts items that cover several numbers", () => {
    const order = new SequenceOrder<string>();
    expect(order.push(0, "a", 4)).toEqual(["a"]);
    expect(order.push(8, "c", 4)).toEqual([]);
    expect(order.push(4, "b", 4)).toEqual(["b", "c"]);
    expect(order.next).toBe(12);
  });

  it("whatever is swapped within the window, doubled or lost: each number that came, once; in order but for late ones", () => {
    const sending = fc.array(fc.record({ delay: fc.nat(20), copies: fc.nat(2) }), {
      minLength: 1,
      maxLength: 200,
    });
    fc.assert(
      fc.property(sending, (plan) => {
        const sent = plan
          .flatMap(({ delay, copies }, n) =>
            Array.from({ length: copies }, (_, i) => ({ n, at: n + delay + i * 7 })),
          )
          .sort((a, b) => a.at - b.at)
          .map(({ n }) => n);
        const order = new SequenceOrder<number>();
        // the first number is where it begins: nothing before it is waited for
        const out = [...run([0, ...sent.filter((n) => n > 0)], order), ...order.flush()];
        expect([...out].sort((a, b) => a - b)).toEqual([...new Set([0, ...sent])].sort((a, b) => a - b));
        const onTime = out.length - order.counts.late;
        const rising = out.filter((n, i) => out.slice(0, i).every((before) => before < n)).length;
        expect(rising).toBeGreaterThanOrEqual(onTime);
        expect(order.counts.lost).toBe((out.length === 0 ? 0 : Math.max(...out)) + 1 - out.length);
      }),
    );
  });
});

describe("short numbers", () => {
  it("are completed to the nearest at what is expected", () => {
    fc.assert(
      fc.property(fc.nat(1 << 20), fc.integer({ min: -120, max: 120 }), (next, off) => {
        const order = new SequenceOrder<number>();
        order.push(next, 0);
        const real = next + 1 + off;
        fc.pre(real >= 0);
        expect(order.complete(real & 255)).toBe(real);
      }),
    );
  });

  it("are later ones where the nearest is another item's", () => {
    const order = new SequenceOrder<number>();
    for (let n = 0; n < 500; n++) order.push(n, n, 1, n);
    expect(order.complete(400 & 255, 400)).toBe(400);
    expect(order.complete(400 & 255, 656)).toBe(656);
  });

  it("are what they are before anything came", () => {
    expect(new SequenceOrder<number>().complete(200)).toBe(200);
  });
});

describe("what says that it is old", () => {
  it("fills the gap that it left, however late it comes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 1, max: 2000 }), (at, since) => {
        const order = new SequenceOrder<number>();
        for (let n = 0; n <= at + since; n++) if (n !== at) order.push(n, n, 1, n);
        order.flush();
        const lost = at > 0 ? 1 : 0;
        expect(order.counts.lost).toBe(lost);
        expect(order.push(at, at, 1, at, true)).toEqual([at]);
        expect(order.counts).toMatchObject({ lost: 0, restarts: 0 });
      }),
      { numRuns: 60 },
    );
  });

  it("is no sign that whoever counts has started anew", () => {
    const order = new SequenceOrder<number>();
    for (let n = 100; n < 200; n++) order.push(n, n, 1, n);
    expect(order.push(20, 20, 1, 20, true)).toEqual([20]);
    expect(order.push(150, 1, 1, 7, true)).toEqual([1]);
    expect(order.push(200, 200)).toEqual([200]);
    expect(order.counts).toMatchObject({ restarts: 0, late: 2, lost: 0 });
  });
});
