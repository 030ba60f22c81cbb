// The rows of the accuracy benchmark in their short form, its long training and its costs: what they compute, that a run that was
// stopped goes on, and what becomes of a broken file of results.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runGuestSteps } from "../../bench/fp32/guest.ts";
import { NativeFp32 } from "../../bench/fp32/native.ts";
import { Fp32Trainer } from "../../bench/fp32/trainer.ts";
import { writeJson } from "../../bench/json.ts";
import { elements } from "../../bench/net.ts";
import { FULL, loadData } from "../../bench/octo/budget.ts";
import { COST_ROWS, COST_SHORT, measureCost, parametersBesides } from "../../bench/octo/cost.ts";
import { measureEndurance } from "../../bench/octo/endurance.ts";
import { stepsToGoal, trainInt8, trainPosix } from "../../bench/octo/methods.ts";
import { NETS, type NetName, parametersOf } from "../../bench/octo/nets.ts";
import {
  inShort,
  measureRows,
  moduleWith,
  ROWS,
  type RowResults,
  readRows,
  rowsTable,
} from "../../bench/octo/rows.ts";
import { requires } from "../support/requirements.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-rows-test-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const NAMES = Object.keys(NETS) as NetName[];
const TINY = { ...FULL, train: 120, test: 40, epochs: 1, rate: 0.01 };

/** Training images of a net, as FP32 sees them. */
async function samplesOf(net: NetName, count: number) {
  const data = await loadData(NETS[net].data === "coloured" ? "coloured" : "generated", {
    ...TINY,
    train: count,
  });
  const size = elements(NETS[net].spec.input);
  return Array.from({ length: count }, (_, i) => {
    const pixels = data.train.pixels.subarray(i * size, (i + 1) * size);
    return [Float32Array.from(pixels, (p) => p / 255), data.train.labels[i]!] as const;
  });
}

/** Losses of the reference in TypeScript. */
function reference(net: NetName, samples: Awaited<ReturnType<typeof samplesOf>>): number[] {
  const trainer = new Fp32Trainer(NETS[net].spec, 3);
  return samples.map(([x, label]) => trainer.step(x, label, 0.01));
}

/** Float32 sums in another order, over a few steps. */
const close = (losses: readonly number[]) =>
  losses.map((loss) => expect.closeTo(loss, 3 - Math.floor(Math.log10(Math.max(loss, 1)))));

requires("gcc").describe("FP32 in C, on this machine", () => {
  it.each(NAMES)("takes the steps of the reference: %s", async (net) => {
    const data = await loadData(NETS[net].data === "coloured" ? "coloured" : "generated", {
      ...TINY,
      train: 6,
    });
    const native = await NativeFp32.open(NETS[net].spec, 3, [data.train], folder);
    const losses: number[] = [];
    for (let i = 0; i < 6; i++) losses.push((await native.learn([[i, 0.01]])).loss);
    native.close();
    expect(losses).toEqual(close(reference(net, await samplesOf(net, 6))));
  });

  it("says what is wrong when it ends early", async () => {
    const data = await loadData("generated", { ...TINY, train: 2 });
    const native = await NativeFp32.open(NETS["6.0k"].spec, 3, [data.train], folder);
    await expect(native.learn([[2, 0.01]])).rejects.toThrow("no image of this number");
  });
});

requires("arm-none-eabi-gcc", "qemu-system-arm", "gcc", "glib").describe("on an emulated Cortex-M4", () => {
  it.each(["6.0k", "residual"] as const)("FP32 in C takes the steps of the reference: %s", async (net) => {
    const samples = await samplesOf(net, 3);
    const { losses, instructions } = await runGuestSteps(NETS[net].spec, 3, samples, 0.01);
    expect(losses).toEqual(close(reference(net, samples)));
    expect(instructions).toBeGreaterThan(0);
  });

  it("counts the short form of the costs", async () => {
    const costs = await measureCost(COST_SHORT);
    expect(costs.map(({ title }) => title)).toEqual(["INT8", "FP32 in C, with FPU"]);
    const [int8, fp32] = costs;
    expect(int8!.parameters).toBe(5_994);
    expect(int8!.instructions).toBeLessThan(fp32!.instructions);
  });
});

describe("the table of costs", () => {
  it("has every net in both arithmetics", () => {
    for (const net of NAMES) {
      const titles = COST_ROWS.filter((row) => row.net === net).map(
        ({ title, target }) => `${title} ${target}`,
      );
      expect(titles).toEqual(
        expect.arrayContaining(["INT8 device", "INT8 portable", "FP32 in C, with FPU undefined"]),
      );
    }
  });

  it("counts what LAC and PRC add", () => {
    const row = { net: "6.0k", title: "" } as const;
    // channels 8 + 16 + 10, two of each; ranges of two layers, and steps of three grids
    expect(parametersBesides({ ...row, layers: 1 })).toBe(68);
    expect(parametersBesides({ ...row, layers: 2 })).toBe(2);
    expect(parametersBesides({ ...row, layers: 3, bits: 4 })).toBe(73);
    // 3·9·8 + 8, twice 72·8 + 8, 72·16 + 16, twice 144·16 + 16, 256·10 + 10
    const residual = 224 + 2 * 584 + 1_168 + 2 * 2_320 + 2_570;
    expect(NAMES.map(parametersOf)).toEqual([5_994, 30_322, 182_660, 433_890, residual]);
  });
});

requires("gcc").describe("INT8 in the posix firmware", () => {
  it.each(["6.0k", "residual"] as const)("learns what Node learns, bit for bit: %s", async (net) => {
    const { number, spec, pages, data } = NETS[net];
    const dataset = await loadData(data === "coloured" ? "coloured" : "generated", TINY);
    const module = await moduleWith(pages, folder);
    const training = { net: spec, params: { net: number, cosine: 1 } };
    const node = await trainInt8(dataset, TINY, 1, module, training);
    const posix = await trainPosix(dataset, TINY, 1, module, training);
    expect({ ...posix, seconds: 0 }).toEqual({ ...node, seconds: 0 });
    expect(posix.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it("a long training tells accuracy, saturation and ranges at each checkpoint", async () => {
    const options = { steps: 1_500, checkpoints: 3, data: "generated", train: 500, test: 100 } as const;
    const { checkpoints, steps } = await measureEndurance(options);
    expect(steps).toBe(1_500);
    expect(checkpoints.map((one) => one.steps)).toEqual([500, 1_000, 1_500]);
    const [first, , last] = checkpoints;
    expect(last!.accuracy).toBeGreaterThan(first!.accuracy);
    expect(last!.loss).toBeLessThan(first!.loss);
    expect(last!.layers.map(({ name }) => name)).toEqual(["conv2d 1", "conv2d 4", "dense 7"]);
    for (const [i, { exponent, largest, range }] of last!.layers.entries()) {
      // a unit doubles only when a weight has reached the edge
      expect(exponent - first!.layers[i]!.exponent).toBeLessThanOrEqual(last!.saturated);
      expect(largest).toBeLessThanOrEqual(1);
      expect(range).toBeGreaterThan(0);
      expect(range).toBeLessThan(64);
    }
  });
});

requires("gcc").describe("the rows", () => {
  const chosen = ROWS.filter(({ name }) =>
    /^6.0k .*cosine \/ (FP32|INT8|2 bits, LAC|INT8, shifts alone)$/.test(name),
  );

  it("are trained once: a run that was stopped goes on", async () => {
    const rows = chosen.map(inShort);
    const file = join(folder, "rows.json");
    const results = await readRows(file);
    const trained: string[] = [];
    const measure = (some: typeof rows) =>
      measureRows({
        rows: some,
        drawn: true,
        results,
        folder,
        onResult: async ({ name }, seed) => {
          trained.push(`${name} ${seed}`);
          await writeJson(file, results);
        },
      });
    await measure(rows.slice(0, 1));
    await measure(rows);
    expect(trained.toSorted()).toEqual(rows.map(({ name }) => `${name} 0`).toSorted());
    const kept = await readRows(file);
    expect(kept).toEqual(results);
    await measure(rows.map((row) => ({ ...row, seeds: [0] })));
    expect(trained).toHaveLength(rows.length);
    const table = rowsTable(kept);
    for (const { title } of rows) expect(table).toContain(`| ${title} `);
    for (const { outcomes } of Object.values(kept)) expect(outcomes[0]!.curve!.at(-1)![0]).toBe(1_200);
  });

  it("have names of their own", () => {
    expect(new Set(ROWS.map(({ name }) => name)).size).toBe(ROWS.length);
  });
});

describe("results of rows", () => {
  const outcome = (...curve: [number, number][]) => ({ accuracy: 0.9, curve, seconds: 3 });

  it("tells the first look at which the goal was reached", () => {
    expect(stepsToGoal(outcome([2_500, 0.8], [5_000, 0.851], [10_000, 0.84]))).toBe(5_000);
    expect(stepsToGoal(outcome([2_500, 0.8]))).toBeUndefined();
  });

  it("says in the table how many seeds came there", () => {
    const row = { name: "a", net: "6.0k", title: "INT8", budget: FULL, engine: "Node, V8", machine: {} };
    const results = (outcomes: object) => ({ a: { ...row, outcomes } }) as unknown as RowResults;
    expect(rowsTable(results({ 0: outcome([2_500, 0.9]), 1: outcome([5_000, 0.5]) }))).toContain(
      "2,500 (1 of 2)",
    );
    expect(rowsTable(results({ 0: outcome([2_500, 0.5]) }))).toContain("never");
  });

  it.each([
    ["{", "no JSON"],
    ["[]", "holds no rows"],
    ['{"a": 1}', '"a" is no row'],
    ['{"a": {"name": "b", "budget": {}, "outcomes": {}}}', '"a" is no row'],
    ['{"a": {"name": "a", "budget": {}, "outcomes": {"0": {}}}}', 'seed 0 of "a" has no accuracy'],
    ['{"a": {"name": "a", "budget": {}, "outcomes": {"0": {"accuracy": 87}}}}', "has no accuracy"],
  ])("refuses a broken file, and leaves it as it is: %s", async (text, why) => {
    const file = join(folder, "broken.json");
    await writeFile(file, text);
    await expect(readRows(file)).rejects.toThrow(why);
    await expect(readRows(file)).rejects.toThrow("broken.json");
    expect(await readFile(file, "utf8")).toBe(text);
  });

  it("are none without a file, and those that are committed can be read", async () => {
    expect(await readRows(join(folder, "none.json"))).toEqual({});
    const committed = await readRows(new URL("../../bench/results/octo-rows.json", import.meta.url).pathname);
    expect(Object.keys(committed).length).toBeGreaterThan(0);
  });
});

describe("images in colour", () => {
  it("depend on the seed alone, and no test image is a training image", async () => {
    const [one, two] = await Promise.all([
      loadData("coloured", TINY),
      loadData("coloured", { ...TINY, train: 60 }),
    ]);
    const size = 32 * 32 * 3;
    expect([one.height, one.width, one.channels]).toEqual([32, 32, 3]);
    expect(one.train.pixels).toHaveLength(120 * size);
    expect(two.train.pixels).toEqual(one.train.pixels.subarray(0, 60 * size));
    expect(one.test.pixels.subarray(0, size)).not.toEqual(one.train.pixels.subarray(0, size));
    expect(new Set(one.train.labels).size).toBe(10);
  });

  it("a validation split is made of training images alone", async () => {
    const whole = await loadData("generated", { ...TINY, train: 160 });
    const split = await loadData("generated", { ...TINY, validation: true });
    expect(split.train.pixels).toEqual(whole.train.pixels.subarray(0, 120 * 784));
    expect(split.test.pixels).toEqual(whole.train.pixels.subarray(120 * 784));
    expect(split.test.count).toBe(40);
  });
});
