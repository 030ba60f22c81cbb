/** Joint training as a table, and its curves as SVG. */
import type { JointResult } from "../sgq-joint.ts";
import { markdownTable, percent } from "../tables.ts";
import type { CurvePoint } from "./split-learning.ts";

interface JointMean {
  readonly name: string;
  readonly seeds: number;
  readonly bytes: number;
  readonly p95: number;
  readonly ofEight: number | undefined;
  readonly up: number;
  readonly down: number;
  readonly test: number;
  readonly curve: readonly CurvePoint[];
}

/** What the others are held against. */
const FP32 = /^FP32 split/;
const INT8 = /^INT8/;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** One line for each mode, over its seeds. */
export function jointMeans({ rows }: JointResult): JointMean[] {
  return [...new Set(rows.map(({ name }) => name))].map((name) => {
    const own = rows.filter((row) => row.name === name);
    const of = (what: "bytes" | "p95" | "up" | "down" | "test"): number => mean(own.map((row) => row[what]));
    return {
      name,
      seeds: own.length,
      bytes: of("bytes"),
      p95: of("p95"),
      ofEight: own.every((row) => row.ofEight !== undefined)
        ? mean(own.map((row) => row.ofEight as number))
        : undefined,
      up: of("up"),
      down: of("down"),
      test: of("test"),
      curve: (own[0]?.curve ?? []).map(({ samples }, i) => ({
        samples,
        accuracy: mean(own.map((row) => row.curve[i]?.accuracy ?? 0)),
      })),
    };
  });
}

export function jointTable(result: JointResult): string {
  const means = jointMeans(result);
  const beside = (base: RegExp, { test }: JointMean): string => {
    const other = means.find(({ name }) => base.test(name))?.test;
    if (other === undefined) return "–";
    return `${test >= other ? "+" : "−"}${Math.abs(100 * (test - other)).toFixed(2)}`;
  };
  return markdownTable(
    [
      "joint training",
      "bytes",
      "95 % below",
      "of eight",
      "up",
      "down",
      "accuracy %",
      "to FP32",
      "to INT8",
      "seeds",
    ],
    means.map((one) => [
      one.name,
      one.bytes.toFixed(1),
      one.p95.toFixed(0),
      one.ofEight?.toFixed(1) ?? "–",
      one.up.toFixed(0),
      one.down.toFixed(0),
      percent(one.test),
      beside(FP32, one),
      beside(INT8, one),
      one.seeds,
    ]),
    [0],
  );
}

const WIDTH = 720;
const HEIGHT = 420;
const EDGE = { left: 52, right: 16, top: 16, bottom: 44 } as const;
const COLOURS = ["#555555", "#2563eb", "#c2410c", "#d97706", "#15803d"] as const;

/** Accuracy on validation images against training samples. */
export function jointPlot(result: JointResult): string {
  const means = jointMeans(result);
  const points = means.flatMap(({ curve }) => curve);
  const last = Math.max(...points.map(({ samples }) => samples));
  const lowest = 5 * Math.floor(20 * Math.min(...points.map(({ accuracy }) => accuracy)));
  const highest = Math.ceil(100 * Math.max(...points.map(({ accuracy }) => accuracy)));
  const x = (samples: number): number => EDGE.left + (samples / last) * (WIDTH - EDGE.left - EDGE.right);
  const y = (of: number): number =>
    EDGE.top + ((highest - of) / (highest - lowest)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const parts: string[] = [];
  for (let of = lowest; of <= highest; of += 5)
    parts.push(
      `<line class="grid" x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${y(of).toFixed(1)}" y2="${y(of).toFixed(1)}"/>` +
        `<text x="${EDGE.left - 6}" y="${(y(of) + 4).toFixed(1)}" text-anchor="end">${of}</text>`,
    );
  for (let part = 0; part <= 4; part++)
    parts.push(
      `<text x="${x((part * last) / 4).toFixed(1)}" y="${HEIGHT - EDGE.bottom + 18}" text-anchor="${part === 4 ? "end" : "middle"}">${Math.round((part * last) / 4)}</text>`,
    );
  means.forEach(({ name, curve }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const line = curve
      .map((at) => `${x(at.samples).toFixed(1)},${y(100 * at.accuracy).toFixed(1)}`)
      .join(" ");
    const top = HEIGHT - EDGE.bottom - 18 * (means.length - i);
    parts.push(
      `<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="1.8"/>` +
        `<line x1="${WIDTH - 300}" x2="${WIDTH - 280}" y1="${top}" y2="${top}" stroke="${colour}" stroke-width="2.5"/>` +
        `<text x="${WIDTH - 274}" y="${top + 4}">${name}</text>`,
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Accuracy against training samples">
<style>text{font:11px sans-serif;fill:#222}.grid{stroke:#e5e5e5}rect{fill:#fff}</style>
<rect width="${WIDTH}" height="${HEIGHT}"/>
${parts.join("\n")}
<text x="${WIDTH / 2}" y="${HEIGHT - 8}" text-anchor="middle">training samples</text>
<text transform="translate(14 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">accuracy, %</text>
</svg>
`;
}
