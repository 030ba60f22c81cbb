/** Joint training as a table, and its curves as SVG. */
import type { JointResult, JointRow } from "../sgq-joint.ts";
import { markdownTable, percent } from "../tables.ts";
import { EARLY, EARLY_16, LATE } from "./cuts.ts";
import type { CurvePoint } from "./split-learning.ts";

/** Cuts of one table. */
export const LATE_CUT = [LATE.name];
export const EARLY_CUTS = [EARLY.name, EARLY_16.name];

interface JointMean {
  readonly cut: string;
  readonly name: string;
  readonly seeds: number;
  readonly bytes: number;
  readonly p95: number;
  readonly ofEight: number | undefined;
  readonly up: number;
  readonly down: number;
  readonly test: number;
  readonly testInt8: number | undefined;
  readonly curve: readonly CurvePoint[];
}

/** What the others are held against. */
const FP32 = /^FP32 split/;
const INT8 = /^INT8/;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** One line for each mode at each of the cuts, over its seeds. */
export function jointMeans({ rows }: JointResult, cuts: readonly string[]): JointMean[] {
  const key = ({ cut, name }: JointRow): string => `${cut}: ${name}`;
  const wanted = rows.filter(({ cut }) => cuts.includes(cut));
  return [...new Set(wanted.map(key))].map((mode) => {
    const own = wanted.filter((row) => key(row) === mode);
    const { cut, name } = own[0] as JointRow;
    const of = (what: "bytes" | "p95" | "up" | "down" | "test"): number => mean(own.map((row) => row[what]));
    const ofAll = (what: (row: JointRow) => number | undefined): number | undefined => {
      const values = own.map(what).filter((value) => value !== undefined);
      return values.length === own.length ? mean(values) : undefined;
    };
    return {
      cut,
      name,
      seeds: own.length,
      bytes: of("bytes"),
      p95: of("p95"),
      ofEight: ofAll((row) => row.ofEight),
      up: of("up"),
      down: of("down"),
      test: of("test"),
      testInt8: ofAll((row) => row.testInt8),
      curve: (own[0]?.curve ?? []).map(({ samples }, i) => ({
        samples,
        accuracy: mean(own.map((row) => row.curve[i]?.accuracy ?? 0)),
      })),
    };
  });
}

/** Held against the best FP32 row and the best INT8 row of the cuts, where there is one. */
export function jointTable(result: JointResult, cuts: readonly string[]): string {
  const means = jointMeans(result, cuts);
  const bases = Object.entries({ "to FP32": FP32, "to INT8": INT8 }).flatMap(([title, base]) => {
    const others = means.filter(({ name }) => base.test(name)).map(({ test }) => test);
    return others.length > 0 ? [{ title, test: Math.max(...others) }] : [];
  });
  const points = (difference: number): string =>
    `${difference >= 0 ? "+" : "−"}${Math.abs(100 * difference).toFixed(2)}`;
  const asInt8 = means.some(({ testInt8 }) => testInt8 !== undefined);
  return markdownTable(
    [
      "cut",
      "joint training",
      "bytes",
      "95 % below",
      "of eight",
      "up",
      "down",
      "accuracy %",
      ...(asInt8 ? ["INT8 half %"] : []),
      ...bases.map(({ title }) => title),
      "seeds",
    ],
    means.map((one) => [
      one.cut,
      one.name,
      one.bytes.toFixed(1),
      one.p95.toFixed(0),
      one.ofEight?.toFixed(1) ?? "–",
      one.up.toFixed(0),
      one.down.toFixed(0),
      percent(one.test),
      ...(asInt8 ? [one.testInt8 === undefined ? "–" : percent(one.testInt8)] : []),
      ...bases.map(({ test }) => points(one.test - test)),
      one.seeds,
    ]),
    [0, 1],
  );
}

const WIDTH = 720;
const HEIGHT = 420;
const EDGE = { left: 52, right: 16, top: 16, bottom: 44 } as const;
const COLOURS = ["#555555", "#2563eb", "#c2410c", "#d97706", "#15803d"] as const;

/** Accuracy on validation images against training samples. */
export function jointPlot(result: JointResult): string {
  const means = jointMeans(result, LATE_CUT);
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
