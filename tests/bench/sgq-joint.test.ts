// The bench of joint training in small: its quantiser is the codec's, what it passes back is clipped, its rows and curves are what is published.
import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { JOINT_PLOT, readResults } from "../../bench/docs.ts";
import { JointQuantiser } from "../../bench/sgq/joint-quantiser.ts";
import { EARLY_CUTS, jointMeans, jointPlot, jointTable, LATE_CUT } from "../../bench/sgq/joint-report.ts";
import { RateModel } from "../../bench/sgq/rate-model.ts";
import { type JointResult, type JointRow, measureJoint, SHORT_JOINT } from "../../bench/sgq-joint.ts";
import { trainCodebook } from "../../host/cloud/codebook/train.ts";
import { Random } from "../../host/data/random.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import { loadCodec } from "../sgq/support/codec.ts";

const SHAPE = [4, 4, 4] as const;
const SIZE = 64;
const BYTES = 20;

let codec: SgqCodec;
beforeAll(async () => {
  codec = await loadCodec();
});

const activations = (random: Random, lowest: number): Float32Array =>
  Float32Array.from({ length: SIZE }, () => (random.between(0, 15000) / 1000) * lowest);

describe("the quantiser in the loop", () => {
  it.each([1, 3, 5])("with %i thresholds gives the levels that the codec gives", (planes) => {
    const quantiser = new JointQuantiser(codec, { shape: SHAPE, planes, bytes: BYTES, seed: 1 });
    quantiser.lowest = 0.25;
    const random = new Random(2);
    const calibration = Array.from({ length: 32 }, () => quantiser.int8(activations(random, 0.25)));
    const thresholds = Array.from({ length: SHAPE[2] }, () => quantiser.thresholds);
    const options = { model: 1, version: 1, shape: SHAPE, thresholds };
    const book = trainCodebook({ codec, fitContexts }, calibration, options);
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const x = activations(new Random(seed), 0.25);
        const y = new Float32Array(SIZE);
        quantiser.forward(x, y);
        const levels = codec.quantise(book, quantiser.int8(x));
        expect([...y].map((value) => Math.round((value * planes) / 2))).toEqual([...levels]);
      }),
      { numRuns: 50 },
    );
  });

  it("passes an error near a threshold, and nothing far from all of them", () => {
    const quantiser = new JointQuantiser(codec, { shape: SHAPE, planes: 1, bytes: BYTES, seed: 1 });
    const { shift } = quantiser;
    const x = new Float32Array(SIZE).fill(shift + 1.1);
    x.fill(shift + 5.5, 32);
    const error = new Float32Array(SIZE).fill(0.5);
    quantiser.backward(x, error, 1);
    expect(error.subarray(0, 32).every((value) => value > 0.3)).toBe(true);
    expect(error.subarray(32).every((value) => value === 0)).toBe(true);
  });

  it("with gradients of 4 bits passes the same error in the mean, twice as a level is worth 2", () => {
    const quantiser = new JointQuantiser(codec, { shape: SHAPE, planes: 1, bytes: BYTES, down: 4, seed: 1 });
    const x = new Float32Array(SIZE).fill(quantiser.shift + 1);
    const random = new Random(3);
    const wanted = Float32Array.from({ length: SIZE }, () => random.between(-100, 100) / 10);
    const mean = new Float64Array(SIZE);
    const draws = 2000;
    for (let n = 0; n < draws; n++) {
      const error = wanted.slice();
      quantiser.backward(x, error, 1);
      for (let i = 0; i < SIZE; i++) mean[i] = (mean[i] as number) + (error[i] as number) / 2 / draws;
    }
    // steps of at most 10/4 have a deviation of a half each; the price of a bit is far less
    mean.forEach((value, i) => {
      expect(Math.abs(value - (wanted[i] as number))).toBeLessThan(0.15);
    });
  });
});

describe("the rate model", () => {
  it("learns what is rare, and what follows from a neighbour", () => {
    const model = new RateModel([6, 6, 2], 1);
    const random = new Random(5);
    const rows = (): Uint8Array => {
      const levels = new Uint8Array(72);
      // channel 0: whole rows are equal; channel 1: always 0
      for (let y = 0; y < 6; y++)
        if (random.below(2)) for (let x = 0; x < 6; x++) levels[2 * (6 * y + x)] = 1;
      return levels;
    };
    for (let n = 0; n < 3000; n++) {
      model.logOdds(rows());
      model.learn();
    }
    const levels = rows();
    const odds = model.logOdds(levels);
    for (let i = 0; i < 36; i++) {
      expect((odds[2 * i] as number) > 0).toBe(levels[2 * i] === 1);
      expect(odds[2 * i + 1]).toBeLessThan(-3);
    }
  });
});

describe("the short measurement", () => {
  it("has every mode, and goes on from what it has", async () => {
    const machine = { cpu: "", cores: 1, node: "" };
    const result: JointResult = { machine, dataset: "", images: 320, epochs: 1, rows: [] };
    let kept = 0;
    const keep = async (): Promise<void> => void kept++;
    await measureJoint(result, SHORT_JOINT, keep);
    expect(result.rows.map(({ cut, name }) => [cut, name])).toEqual(
      SHORT_JOINT.modes.map(({ cut, name }) => [cut.name, name]),
    );
    const row = (cut: string, of: string) =>
      result.rows.find((one) => one.cut === cut && one.name === of) as JointRow;
    expect(row("7×7×8", "FP32 split learning").bytes).toBe(4 * 392 + 5);
    for (const [cut, elements] of [
      ["7×7×8", 392],
      ["14×14×8", 1568],
    ] as const) {
      expect(row(cut, "INT8 features, FP32 gradients").bytes).toBe(elements + 5);
      const sgq = row(cut, "SGQ, gradients of 4 bits");
      expect(sgq.bytes).toBeLessThan(0.4 * elements);
      // 4 bits an element, exponents, header and check value
      expect(sgq.down).toBeGreaterThan(elements / 2);
      expect(sgq.down).toBeLessThan(elements / 2 + 26);
    }
    await measureJoint(result, SHORT_JOINT, keep);
    expect(kept).toBe(SHORT_JOINT.modes.length);
  });
});

describe("what is published", () => {
  it("holds every mode against what loses nothing, and draws its curves", async () => {
    const { sgqJoint, sgqJointEarly } = await readResults();
    expect(jointMeans(sgqJoint, LATE_CUT).map(({ name }) => name)).toContain("FP32 split learning");
    expect(jointTable(sgqJoint, LATE_CUT)).toContain("+0.00");
    expect(jointTable(sgqJointEarly, EARLY_CUTS)).toContain("+0.00");
    // npm run bench:docs
    expect(await readFile(JOINT_PLOT, "utf8")).toBe(jointPlot(sgqJoint));
  });
});
