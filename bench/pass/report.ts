/** The tables of a PASS measurement, in Markdown. */
import type { PassCase, PassResult } from "../pass.ts";
import type { FeatureCase } from "../pass-features.ts";
import { type Cell, markdownTable, percent } from "../tables.ts";
import type { Counted, Outcome } from "./measure.ts";

const times = (share: number): string => (share > 0 ? `${(1 / share).toFixed(2)}×` : "");
const points = (difference: number): string =>
  `${difference < 0 ? "−" : "+"}${Math.abs(100 * difference).toFixed(2)}`;
const millions = (n: number): string => (n / 1e6).toFixed(2);

/** The policies of PASS, as the benchmark names them. */
const POLICIES: readonly string[] = ["exact", "guarded", "careful", "fast"];

const find = <T extends { method: string }>(all: readonly T[], method: string): T | undefined =>
  all.find((one) => one.method === method);

/** Every method on one clip. */
export function methodsTable({ outcomes, counted }: PassCase): string {
  const base = find(outcomes, "dense")!;
  const denseCount = find(counted, "dense");
  const labelled = base.averagePrecision !== null;
  return markdownTable(
    [
      "method",
      "changed, %",
      "MAC, %",
      "fewer",
      ...(labelled ? ["AP, %", "against dense, points"] : []),
      "cells told otherwise, %",
      ...(denseCount ? ["instructions, millions: mean", "p95", "worst", "saved of what MACs save, %"] : []),
    ],
    outcomes.map((one): Cell[] => {
      const guest = find(counted, one.method);
      const frame = guest && denseCount ? guestCells(one, guest, denseCount) : ["", "", "", ""];
      return [
        one.method,
        one.dirty === null ? "" : percent(one.dirty),
        percent(one.macs),
        times(one.macs),
        ...(labelled
          ? [percent(one.averagePrecision!), points(one.averagePrecision! - base.averagePrecision!)]
          : []),
        percent(one.otherwise),
        ...(denseCount ? frame : []),
      ];
    }),
  );
}

function guestCells(one: Outcome, guest: Counted, dense: Counted): Cell[] {
  const saved = (1 - guest.mean / dense.mean) / (1 - one.macs);
  return [
    millions(guest.mean),
    millions(guest.p95),
    millions(guest.worst),
    one.macs < 1 ? percent(saved) : "",
  ];
}

/** Memory of every net: what the module uses of linear memory, weights included. */
export function memoryTable({ cases }: PassResult): string {
  const rows = cases.flatMap((one) => {
    const counted = find(one.counted, "fast");
    return counted ? [[`${one.net}, ${one.clip}`, one.denseMacs, counted.linear, counted.module]] : [];
  });
  return markdownTable(["net", "MAC of a dense frame", "linear memory, bytes", "device module, bytes"], rows);
}

export function noiseTable({ noise }: PassResult): string {
  return markdownTable(
    ["σ", "method", "changed, %", "MAC, %", "fewer", "AP, %", "against dense, points"],
    noise.flatMap(({ sigma, outcomes }) => {
      const base = find(outcomes, "dense")!;
      return outcomes.map((one): Cell[] => [
        String(sigma),
        one.method,
        one.dirty === null ? "" : percent(one.dirty),
        percent(one.macs),
        times(one.macs),
        percent(one.averagePrecision ?? Number.NaN),
        points((one.averagePrecision ?? 0) - (base.averagePrecision ?? 0)),
      ]);
    }),
    [0, 1],
  );
}

export function stabilityTable({ stability }: PassResult): string {
  const noises = Object.keys(stability[0]?.flips ?? {});
  return markdownTable(
    ["method", "right, %", "MAC, %", ...noises.map((sigma) => `flips per 100 static frames, σ = ${sigma}`)],
    stability.map(({ method, accuracy, macs, flips }) => [
      method,
      percent(accuracy),
      percent(macs),
      ...noises.map((sigma) => flips[sigma]!.toFixed(2)),
    ]),
  );
}

/** What was aimed at, on PETS with the pilot net, and what came out. */
export function goalsTable(result: PassResult): string {
  const pets = result.cases.find(({ clip, net }) => clip === "pets" && net === "pilot");
  if (pets === undefined) return "PETS was not on the machine.";
  const of = (name: string) => find(pets.outcomes, name)!;
  const [dense, exact, careful, fast, held] = ["dense", "exact", "careful", "fast", "frame-hold 4"].map(
    of,
  ) as [Outcome, Outcome, Outcome, Outcome, Outcome];
  const loss = (one: Outcome): number => one.averagePrecision! - dense.averagePrecision!;
  const verdict = (met: boolean): string => (met ? "met" : "missed");
  const rows: Cell[][] = [
    row(
      "fast: ≥ 4.5× fewer MACs at ≤ 0.5 points",
      `${times(fast.macs)}, ${points(loss(fast))}`,
      fast.macs <= 1 / 4.5 && loss(fast) >= -0.005,
    ),
    row(
      "careful: ≥ 3× at ≤ 0.05 points",
      `${times(careful.macs)}, ${points(loss(careful))}`,
      careful.macs <= 1 / 3 && loss(careful) >= -0.0005,
    ),
    row(
      "exact: ≥ 1.3×, equal to dense",
      `${times(exact.macs)}, ${percent(exact.otherwise)} % otherwise`,
      exact.macs <= 1 / 1.3 && exact.otherwise === 0 && loss(exact) === 0,
    ),
    row(
      "≥ 4 points better than frame-hold at as many MACs",
      `${points(fast.averagePrecision! - held.averagePrecision!)} at ${percent(fast.macs)} %, hold 4 at ${percent(held.macs)} %`,
      fast.macs <= held.macs && fast.averagePrecision! - held.averagePrecision! >= 0.04,
    ),
  ];
  const counted = result.cases.filter(({ clip, counted }) => clip === "pets" && counted.length > 0);
  for (const one of counted) {
    const base = find(one.counted, "dense")!.mean;
    const guests = POLICIES.flatMap((name) => find(one.counted, name) ?? []);
    const saved = guests.map(
      ({ method, mean }) => (1 - mean / base) / (1 - find(one.outcomes, method)!.macs),
    );
    const least = Math.min(...saved);
    const worst = Math.max(...guests.map((guest) => guest.worst)) / base;
    rows.push(
      row(
        `instructions saved ≥ 80 % of MACs saved, every policy (${one.net})`,
        `${percent(least)} % at least`,
        least >= 0.8,
      ),
      row(`worst frame ≤ 1.05× dense, every policy (${one.net})`, `${worst.toFixed(3)}×`, worst <= 1.05),
    );
  }
  const fasts = result.noise.map(({ outcomes }) => ({
    dense: find(outcomes, "dense")!,
    fast: find(outcomes, "fast")!,
  }));
  if (fasts.length > 0) {
    const shares = fasts.map((one) => one.fast.macs / fasts[0]!.fast.macs);
    const losses = fasts.map((one) => one.fast.averagePrecision! - one.dense.averagePrecision!);
    const [low, high, most] = [Math.min(...shares), Math.max(...shares), Math.min(...losses)];
    rows.push(
      row(
        "one setting for σ = 0, 2, 4: MACs within ±10 %, loss ≤ 0.5 points",
        `${percent(low)} … ${percent(high)} % of σ = 0's, ${points(most)}`,
        low >= 0.9 && high <= 1.1 && most >= -0.005,
      ),
    );
  }
  const drawn = result.cases.find(({ clip, net }) => clip === "drawn street" && net === "presence");
  if (drawn) {
    const base = find(drawn.outcomes, "dense")!.averagePrecision!;
    const lost = ["guarded", "careful", "fast"].map(
      (name) => find(drawn.outcomes, name)!.averagePrecision! - base,
    );
    const least = Math.min(...lost);
    const otherwise = result.cases
      .filter(({ clip }) => clip !== "pets" && clip !== drawn.clip)
      .map(({ clip, outcomes }) => `${clip} ${percent(find(outcomes, "fast")!.otherwise)} %`);
    rows.push(
      row(
        "the same setting on clips that it was not chosen on: a drawn street, loss ≤ 0.5 points, every policy",
        [
          `${points(least)} at least`,
          ...(otherwise.length > 0 ? [`told otherwise: ${otherwise.join(", ")}`] : []),
        ].join("; "),
        least >= -0.005,
      ),
    );
  }
  const still = result.stability.find(({ method }) => method === "dense");
  if (still) {
    const sigmas = Object.keys(still.flips);
    const told = result.stability.filter(({ method }) => POLICIES.includes(method));
    const calm = told.every(({ flips }) => sigmas.every((sigma) => flips[sigma]! <= still.flips[sigma]!));
    const fast = find(told, "fast")!;
    const flips = (of: Record<string, number>) => sigmas.map((sigma) => of[sigma]!.toFixed(2)).join(", ");
    rows.push(
      row(
        "a second task (the class of a whole frame): no more flips in static frames than dense, every policy",
        `fast ${flips(fast.flips)}, dense ${flips(still.flips)} per 100 at σ = ${sigmas.join(", ")}; right ${points(fast.accuracy - still.accuracy)} points`,
        calm,
      ),
    );
  }
  return markdownTable(["goal", "measured", ""], rows, [0, 1, 2]);

  function row(goal: string, measured: string, met: boolean): Cell[] {
    return [goal, measured, verdict(met)];
  }
}

/** All clips and nets, the policies of PASS alone. */
export function clipsTable({ cases }: PassResult): string {
  return markdownTable(
    [
      "clip",
      "net",
      "policy",
      "changed, %",
      "MAC, %",
      "fewer",
      "AP of dense, %",
      "points",
      "cells told otherwise, %",
    ],
    cases.flatMap(({ clip, net, outcomes }) => {
      const base = find(outcomes, "dense")!;
      return POLICIES.map((name): Cell[] => {
        const one = find(outcomes, name)!;
        const ap = base.averagePrecision;
        return [
          clip,
          net,
          name,
          percent(one.dirty ?? 0),
          percent(one.macs),
          times(one.macs),
          ap === null ? "" : percent(ap),
          ap === null ? "" : points(one.averagePrecision! - ap),
          percent(one.otherwise),
        ];
      });
    }),
    [0, 1, 2],
  );
}

/** Bytes of features, with and without what did not change. */
export function featuresTable({ rows, shape }: FeatureCase): string {
  const raw = shape.reduce((product, n) => product * n, 1);
  return markdownTable(
    [
      "method",
      "MAC, %",
      "patches that changed, %",
      "bytes of a whole frame",
      "of the changes: mean",
      "p95",
      "most",
      "fewer than whole",
      "than int8",
      "AP from what is decoded, %",
    ],
    rows.map(({ method, macs, changed, whole, skip, averagePrecision }) => [
      method,
      percent(macs),
      percent(changed),
      whole.mean.toFixed(1),
      skip.mean.toFixed(1),
      skip.p95,
      skip.most,
      `${(whole.mean / skip.mean).toFixed(2)}×`,
      `${(raw / skip.mean).toFixed(0)}×`,
      percent(averagePrecision),
    ]),
  );
}

export function printPass(result: PassResult): void {
  for (const one of result.cases) {
    console.log(`\n${one.net} on ${one.clip}, ${one.frames} frames\n\n${methodsTable(one)}`);
  }
  if (result.noise.length > 0) console.log(`\nWith added noise (pilot, PETS)\n\n${noiseTable(result)}`);
  if (result.stability.length > 0) console.log(`\nWhole-frame classification\n\n${stabilityTable(result)}`);
  if (result.cases.some(({ counted }) => counted.length > 0))
    console.log(`\nMemory\n\n${memoryTable(result)}`);
  if (result.cases.some(({ clip }) => clip === "pets")) console.log(`\nGoals\n\n${goalsTable(result)}`);
  for (const one of result.missing) console.log(`\n${one} is not on this machine: left out`);
}
