// What the accuracy benchmark compares with, in small: a trainer like PocketNN's, and normalisations in FP32. The published figures are made by
// `npm run bench:octo -- --rows PocketNN` and `-- --normalisation`.
import { describe, expect, it } from "vitest";
import { REFERENCE_NET } from "../../bench/net.ts";
import { FULL } from "../../bench/octo/budget.ts";
import { NETS } from "../../bench/octo/nets.ts";
import {
  METHODS,
  measureNormalisation,
  NORMALISATION,
  type NormalisationRow,
  normalisationTable,
} from "../../bench/octo/normalisation.ts";
import { INVERSE_RATE, PocketTrainer } from "../../bench/octo/pocket.ts";
import { ROWS } from "../../bench/octo/rows.ts";

describe("a trainer like PocketNN's", () => {
  const pattern = (k: number) => Int32Array.from({ length: 784 }, (_, i) => (i % 10 === k ? 127 : 0));

  it("learns without an error that goes backwards, in whole numbers, and the same twice", () => {
    const trained = () => {
      const trainer = new PocketTrainer(NETS.MLP.spec, 3);
      for (let step = 0; step < 800; step++) trainer.learn(pattern(step % 10), step % 10, INVERSE_RATE);
      return trainer;
    };
    const [one, other] = [trained(), trained()];
    for (let k = 0; k < 10; k++) expect(one.classify(pattern(k))).toBe(k);
    expect([...one.forward(pattern(4))]).toEqual([...other.forward(pattern(4))]);
    expect([...one.forward(pattern(4))].every((y) => Number.isInteger(y) && Math.abs(y) <= 127)).toBe(true);
  });

  it("takes dense layers only, and has a row", () => {
    expect(() => new PocketTrainer(REFERENCE_NET, 0)).toThrow(/dense layers only/);
    expect(ROWS.filter(({ method }) => method === "pocket")).toMatchObject([{ net: "MLP", native: false }]);
  });
});

describe("normalisations", () => {
  it("each learns; what has been measured is not measured again", async () => {
    const rows: NormalisationRow[] = [];
    const budget = { ...NORMALISATION, train: 300, test: 100, epochs: 1 };
    const options = { budget, data: "generated", nets: ["residual"], seeds: [0], rows } as const;
    const result = await measureNormalisation(options);
    expect(rows).toHaveLength(METHODS.length);
    for (const { accuracies } of rows) expect(accuracies[0]).toBeGreaterThan(0.15);
    expect(normalisationTable(result).split("\n")).toHaveLength(2 + METHODS.length);
    rows[0]!.accuracies[0] = 0.5;
    await measureNormalisation(options);
    expect(rows[0]!.accuracies[0]).toBe(0.5);
    expect(FULL.validation).toBeUndefined();
  });
});
