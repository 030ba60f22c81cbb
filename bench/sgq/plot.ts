/** Bytes against accuracy as SVG: a dot for each point, its name beside it. */
import type { SgqResult, SgqRow } from "../sgq.ts";
import { type Mean, meansOf } from "./report.ts";

const WIDTH = 900;
const HEIGHT = 560;
const EDGE = { left: 60, right: 20, top: 24, bottom: 48 } as const;
const COLOURS: Record<SgqRow["group"], string> = {
  INT8: "#555555",
  SGQ: "#c2410c",
  uniform: "#2563eb",
  rivals: "#7c3aed",
  image: "#15803d",
};
const LEGEND: Record<SgqRow["group"], string> = {
  INT8: "INT8 features",
  SGQ: "SGQ as reconstructed",
  uniform: "uniform steps",
  rivals: "product quantisation, largest values, JPEG of tiles",
  image: "the image instead",
};
const BYTES = [20, 50, 100, 200, 500, 1000, 2000, 5000] as const;

const escaped = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

export function ratesPlot(result: SgqResult): string {
  const means = meansOf(result).filter(({ name }) => !name.includes("lost"));
  const lowest = Math.floor(Math.min(...means.map(({ test }) => 100 * test)));
  const highest = Math.ceil(Math.max(...means.map(({ test }) => 100 * test)));
  const [first, last] = [Math.log(BYTES[0]), Math.log(BYTES.at(-1) as number)];
  const x = (bytes: number): number =>
    EDGE.left + ((Math.log(bytes) - first) / (last - first)) * (WIDTH - EDGE.left - EDGE.right);
  const y = (percent: number): number =>
    EDGE.top + ((highest - percent) / (highest - lowest)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const parts = BYTES.map(
    (bytes) =>
      `<line class="grid" x1="${x(bytes).toFixed(1)}" x2="${x(bytes).toFixed(1)}" y1="${EDGE.top}" y2="${HEIGHT - EDGE.bottom}"/>` +
      `<text x="${x(bytes).toFixed(1)}" y="${HEIGHT - EDGE.bottom + 18}" text-anchor="middle">${bytes}</text>`,
  );
  for (let percent = lowest; percent <= highest; percent += highest - lowest > 12 ? 2 : 1) {
    parts.push(
      `<line class="grid" x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${y(percent).toFixed(1)}" y2="${y(percent).toFixed(1)}"/>` +
        `<text x="${EDGE.left - 8}" y="${(y(percent) + 4).toFixed(1)}" text-anchor="end">${percent}</text>`,
    );
  }
  parts.push(
    `<text x="${WIDTH / 2}" y="${HEIGHT - 8}" text-anchor="middle">bytes per sample, frame included</text>`,
    `<text transform="translate(16 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">accuracy, %</text>`,
    ...dots(means.map((one) => ({ ...one, x: x(one.bytes), y: y(100 * one.test) }))),
    ...Object.entries(LEGEND).map(
      ([group, name], i) =>
        `<circle cx="${WIDTH - 330}" cy="${HEIGHT - 150 + 18 * i}" r="4" fill="${COLOURS[group as SgqRow["group"]]}"/>` +
        `<text x="${WIDTH - 320}" y="${HEIGHT - 146 + 18 * i}">${escaped(name)}</text>`,
    ),
  );
  const style =
    "text{font:11px sans-serif;fill:#222}.grid{stroke:#e5e5e5}.name{font-size:9.5px;fill:#444}rect{fill:#fff}";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Bytes per sample against accuracy">
<style>${style}</style>
<rect width="${WIDTH}" height="${HEIGHT}"/>
${parts.join("\n")}
</svg>
`;
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Of a name: its height, and a letter's mean width. */
const LETTER = { height: 10, width: 4.9 } as const;
const RADIUS = 4;

/** Names go where they hide neither dots nor one another: beside their dot, then ever further above and below. */
function dots(all: readonly (Mean & { x: number; y: number })[]): string[] {
  const taken: Box[] = all.map(({ x, y }) => ({
    left: x - RADIUS,
    top: y - RADIUS,
    right: x + RADIUS,
    bottom: y + RADIUS,
  }));
  return all.map(({ group, name, x, y }) => {
    const width = LETTER.width * name.length;
    const places = [0, -1, 1, -2, 2, -3, 3, -4, 4].flatMap((lines) =>
      [x + RADIUS + 3, x - RADIUS - 3 - width].map((left): Box => {
        const top = y - LETTER.height / 2 + lines * LETTER.height;
        return { left, top, right: left + width, bottom: top + LETTER.height };
      }),
    );
    const free = places.find(
      (place) =>
        place.left > EDGE.left &&
        place.right < WIDTH - EDGE.right &&
        taken.every((other) => !overlap(place, other)),
    );
    const box = free ?? (places[0] as Box);
    taken.push(box);
    return (
      `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${RADIUS}" fill="${COLOURS[group]}"/>` +
      `<text class="name" x="${box.left.toFixed(1)}" y="${(box.bottom - 2).toFixed(1)}">${escaped(name)}</text>`
    );
  });
}

const overlap = (a: Box, b: Box): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
