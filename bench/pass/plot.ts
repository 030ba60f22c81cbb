/** Multiplications against average precision: every policy and every baseline of one case, as an SVG for the docs. */
import type { PassCase } from "../pass.ts";
import type { Outcome } from "./measure.ts";

const WIDTH = 640;
const HEIGHT = 360;
const MARGIN = { left: 56, right: 24, top: 20, bottom: 48 } as const;
/** Shares of a dense frame's multiplications at which the logarithmic axis is marked, in percent. */
const MARKS = [10, 20, 30, 50, 100] as const;
/** Points of average precision between two lines. */
const STEP = 5;
/** Kinds of methods, by what their names begin with; the first that fits counts. */
const KINDS = [
  { pattern: /^(exact|guarded|careful|fast)$/, colour: "#0b6e99", above: true },
  { pattern: /^dense$/, colour: "#222222", above: true },
  { pattern: /^frame-hold/, colour: "#b45f06", above: false },
  { pattern: /^/, colour: "#6b6b6b", above: false },
] as const;

const escaped = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

/** @throws RangeError where frames have no boxes: there is no average precision to draw */
export function macsPlot({ clip, net, outcomes }: PassCase): string {
  const points = outcomes.map((one) => ({ ...one, ap: 100 * precisionOf(one) }));
  const low = STEP * Math.floor(Math.min(...points.map(({ ap }) => ap)) / STEP);
  const high = STEP * Math.ceil(Math.max(...points.map(({ ap }) => ap)) / STEP);
  const x = (share: number): number =>
    MARGIN.left +
    ((WIDTH - MARGIN.left - MARGIN.right) * Math.log(share / MARKS[0])) / Math.log(100 / MARKS[0]);
  const y = (ap: number): number =>
    HEIGHT - MARGIN.bottom - ((HEIGHT - MARGIN.top - MARGIN.bottom) * (ap - low)) / (high - low);
  const text = (at: [number, number], anchor: string, words: string, colour = "#222222"): string =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" text-anchor="${anchor}" fill="${colour}">${escaped(words)}</text>`;
  const line = (x0: number, y0: number, x1: number, y1: number): string =>
    `<path d="M${x0.toFixed(1)} ${y0.toFixed(1)}L${x1.toFixed(1)} ${y1.toFixed(1)}" stroke="#d5d5d5"/>`;

  const rows = Array.from({ length: (high - low) / STEP + 1 }, (_, i) => low + i * STEP);
  const parts = [
    ...rows.map((ap) => line(MARGIN.left, y(ap), WIDTH - MARGIN.right, y(ap))),
    ...rows.map((ap) => text([MARGIN.left - 8, y(ap) + 4], "end", String(ap))),
    ...MARKS.map((share) => line(x(share), MARGIN.top, x(share), HEIGHT - MARGIN.bottom)),
    ...MARKS.map((share) => text([x(share), HEIGHT - MARGIN.bottom + 18], "middle", String(share))),
    text([WIDTH / 2, HEIGHT - 8], "middle", "multiplications, % of a dense frame's"),
    text([MARGIN.left, MARGIN.top - 6], "start", `average precision, %: ${net} on ${clip}`),
    ...points.map(({ method, macs, ap }) => {
      const kind = KINDS.find(({ pattern }) => pattern.test(method)) ?? KINDS[3];
      const at: [number, number] = [x(100 * macs), y(ap)];
      const anchor = at[0] > WIDTH - 120 ? "end" : at[0] < 120 ? "start" : "middle";
      const dot = `<circle cx="${at[0].toFixed(1)}" cy="${at[1].toFixed(1)}" r="4" fill="${kind.colour}"/>`;
      return `${dot}\n${text([at[0], at[1] + (kind.above ? -9 : 18)], anchor, method, kind.colour)}`;
    }),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function precisionOf({ method, averagePrecision }: Outcome): number {
  if (averagePrecision === null) throw new RangeError(`${method} has no average precision`);
  return averagePrecision;
}
