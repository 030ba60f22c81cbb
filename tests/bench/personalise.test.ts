// The benchmark of personalisation in small, on drawn data: without a buffer the old classes are lost, with it they are kept. The
// published table is made by `npm run bench:personalise`.
import { beforeAll, describe, expect, it } from "vitest";
import {
  measurePersonalise,
  type PersonaliseResult,
  pairsTable,
  personaliseTable,
  SHORT,
} from "../../bench/personalise.ts";

const BUDGET = {
  ...SHORT,
  train: 800,
  test: 200,
  epochs: 2,
  backboneRate: 0.02,
  life: 120,
  shows: 5,
  rate: 0.005,
};

describe("two new classes on a backbone of eight", () => {
  let result: PersonaliseResult;
  beforeAll(async () => {
    result = await measurePersonalise(BUDGET, [0], "generated", () => {}, { pairs: [[0, 1]] });
  });

  const of = (name: string) => result.methods.find(({ method }) => method.name === name)!.outcomes[0]!;

  it("the backbone knows eight of them, and none of the new ones", () => {
    expect(of("16 KB").before.old).toBeGreaterThan(0.4);
    expect(of("16 KB").before.fresh).toBe(0);
  });

  it("the new ones are learned either way, the old ones are kept with the buffer only", () => {
    for (const name of ["none", "16 KB"]) expect(of(name).after.fresh).toBeGreaterThan(0.4);
    expect(of("16 KB").after.old).toBeGreaterThan(of("none").after.old + 0.1);
  });

  it("a buffer holds what its bytes allow: features of 256 elements, frames of 784, 2 bits each or more", () => {
    const most = BUDGET.life + 2 * BUDGET.shots * BUDGET.shows;
    expect(of("2 KB").kept).toBe(Math.floor((2048 - 48) / 68));
    expect(of("16 KB").kept).toBe(Math.min(most, Math.floor((16_384 - 48) / 68)));
    expect(of("16 KB, 4 bits").kept).toBe(Math.floor((16_384 - 48) / 132));
    expect(of("16 KB, 8 bits").kept).toBe(Math.floor((16_384 - 48) / 260));
    expect(of("16 KB of frames, all layers learn").kept).toBe(Math.floor((16_384 - 48) / 200));
    expect(of("16 KB").memory - of("2 KB").memory).toBe(16_384 - 2048);
  });

  it("the table has a row for each method", () => {
    expect(personaliseTable(result).split("\n")).toHaveLength(2 + result.methods.length);
    expect(pairsTable(result).split("\n")).toHaveLength(2 + 2);
  });

  it("settings are chosen on training images that nothing learns from, not on test images", async () => {
    const budget = { ...BUDGET, train: 300, test: 50, epochs: 1, life: 20, shows: 1 };
    const [tested, validated] = [
      await measurePersonalise(budget, [0], "generated"),
      await measurePersonalise(budget, [0], "generated", () => {}, { validate: true }),
    ];
    const steps = (it: PersonaliseResult) =>
      it.methods.map(({ outcomes }) => outcomes.map((one) => one.steps));
    expect(steps(validated)).toEqual(steps(tested));
    expect(validated.methods[0]!.outcomes).not.toEqual(tested.methods[0]!.outcomes);
  });
});
