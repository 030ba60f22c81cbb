/** The rate–accuracy bench as a table. */
import type { SgqResult, SgqRow } from "../sgq.ts";
import { markdownTable, percent } from "../tables.ts";

/** FP32 features of the cut. */
const FP32_BYTES = 12_544;

export interface Mean {
  readonly group: SgqRow["group"];
  readonly name: string;
  readonly seeds: number;
  readonly bytes: number;
  readonly p95: number;
  /** Of frames of eight samples, where they were made. */
  readonly ofEight: number | undefined;
  readonly test: number;
  /** Points of accuracy against INT8 features of the same seeds. */
  readonly against: number;
}

/** NaN of none. */
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** One line for each point, over its seeds. */
export function meansOf({ rows }: SgqResult): Mean[] {
  const names = [...new Set(rows.map(({ group, name }) => JSON.stringify([group, name])))];
  return names.map((key) => {
    const [group, name] = JSON.parse(key) as [SgqRow["group"], string];
    const own = rows.filter((row) => row.group === group && row.name === name);
    const base = rows.filter((row) => row.name === "INT8" && own.some(({ seed }) => seed === row.seed));
    const test = mean(own.map((row) => row.test));
    const shared = own.flatMap(({ ofEight }) => ofEight ?? []);
    return {
      group,
      name,
      seeds: own.length,
      bytes: mean(own.map((row) => row.bytes)),
      p95: mean(own.map((row) => row.p95)),
      ofEight: shared.length === own.length ? mean(shared) : undefined,
      test,
      against: 100 * (test - mean(base.map((row) => row.test))),
    };
  });
}

const TITLES: Record<SgqRow["group"], string> = {
  INT8: "features",
  SGQ: "SGQ",
  uniform: "uniform steps",
  rivals: "features",
  image: "the image",
};

export function ratesTable(result: SgqResult): string {
  const means = meansOf(result);
  // a column for frames of eight where most points have them
  const own = means.filter(({ group }) => group === "SGQ");
  const shared = 2 * own.filter(({ ofEight }) => ofEight !== undefined).length > own.length;
  return markdownTable(
    [
      "sent",
      "coded as",
      "bytes",
      "95 % below",
      ...(shared ? ["of eight"] : []),
      "against FP32",
      "accuracy %",
      "points",
      "seeds",
    ],
    means.map(({ group, name, seeds, bytes, p95, ofEight, test, against }) => [
      TITLES[group],
      name,
      bytes.toFixed(1),
      p95.toFixed(0),
      ...(shared ? [ofEight?.toFixed(1) ?? "–"] : []),
      group === "image" ? "–" : `${(FP32_BYTES / bytes).toFixed(0)}×`,
      percent(test),
      Number.isNaN(against) ? "–" : `${against >= 0 ? "+" : "−"}${Math.abs(against).toFixed(2)}`,
      seeds,
    ]),
    [0, 1],
  );
}
