// Labelled glyphs of 28×28 pixels, drawn from a seed: ten signs in strokes, each moved, turned, sheared, scaled,
// thickened and disturbed. Integer arithmetic only, so that every machine draws the same pixels. The variation is wide
// enough that the nearest class mean fails often, while a small CNN learns them.

import type { Images } from "./dataset.ts";
import { Random } from "./random.ts";

export const GLYPH_SIZE = 28;
const PIXELS = GLYPH_SIZE * GLYPH_SIZE;

/** The classes by label. */
export const GLYPH_CLASSES = [
  "triangle",
  "square",
  "diamond",
  "cross",
  "plus",
  "arrow",
  "hourglass",
  "zigzag",
  "hook",
  "fork",
] as const;

/** x0, y0, x1, y1, in sixteenths of half the glyph's size: −16 … 16. */
type Stroke = readonly [number, number, number, number];

const path = (...points: number[]): Stroke[] =>
  Array.from(
    { length: points.length / 2 - 1 },
    (_, i) => points.slice(2 * i, 2 * i + 4) as unknown as Stroke,
  );

const STROKES: readonly Stroke[][] = [
  path(0, -14, 13, 12, -13, 12, 0, -14),
  path(-12, -12, 12, -12, 12, 12, -12, 12, -12, -12),
  path(0, -15, 13, 0, 0, 15, -13, 0, 0, -15),
  [...path(-12, -12, 12, 12), ...path(12, -12, -12, 12)],
  [...path(0, -14, 0, 14), ...path(-14, 0, 14, 0)],
  [...path(0, 14, 0, -14), ...path(-11, -3, 0, -14, 11, -3)],
  path(-12, -13, 12, -13, -12, 13, 12, 13, -12, -13),
  path(-13, -12, 9, -7, -9, 0, 9, 7, -13, 12),
  path(-10, -14, -10, 6, -2, 13, 6, 11, 10, 4),
  [...path(0, 14, 0, 0), ...path(-10, -14, -10, -4, 0, 0, 10, -4, 10, -14)],
];

/** Sine of 0 … 30 degrees in steps of 3, in 1/1024; cosine likewise. */
const SIN = [0, 54, 107, 160, 213, 265, 316, 367, 416, 465, 512] as const;
const COS = [1024, 1023, 1018, 1012, 1002, 989, 974, 956, 935, 912, 887] as const;

/** Positions are in 1/64 of a pixel; a pixel is sampled at 4 points. */
const UNIT = 64;
const SAMPLES = [16, 48] as const;

/** Draws `count` glyphs; image i depends on seed and i alone, its label is any of ten. */
export function drawGlyphs(count: number, seed: number): Images {
  const pixels = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const random = new Random(seed, i);
    const label = random.below(STROKES.length);
    labels[i] = label;
    drawGlyph(pixels.subarray(i * PIXELS, (i + 1) * PIXELS), label, random);
  }
  return { count, pixels, labels };
}

function drawGlyph(target: Uint8Array, label: number, random: Random): void {
  const place = placement(random);
  const coverage = new Uint8Array(PIXELS * 4);
  const width = random.between(72, 136);
  for (const stroke of STROKES[label] as Stroke[]) {
    const [x0, y0] = place(stroke[0], stroke[1]);
    const [x1, y1] = place(stroke[2], stroke[3]);
    drawStroke(coverage, x0, y0, x1, y1, width);
  }
  // A stray line that belongs to no class.
  const edge = () => random.between(0, GLYPH_SIZE * UNIT);
  const [x, y] = [edge(), edge()];
  const reach = () => random.between(-8 * UNIT, 8 * UNIT);
  drawStroke(coverage, x, y, x + reach(), y + reach(), 64);

  const ink = random.between(150, 255);
  const paper = random.between(0, 60);
  const noise = random.between(8, 40);
  for (let i = 0; i < PIXELS; i++) {
    const at = i * 4;
    const samples = [0, 1, 2, 3].reduce((sum, k) => sum + (coverage[at + k] as number), 0);
    const value = paper + (((ink - paper) * samples) >> 2) + random.between(-noise, noise);
    target[i] = Math.max(0, Math.min(255, value));
  }
}

/** A random affine map from stroke coordinates to 1/64 pixels. */
function placement(random: Random): (x: number, y: number) => [number, number] {
  const step = random.between(-8, 8);
  const sin = Math.sign(step) * (SIN[Math.abs(step)] as number);
  const cos = COS[Math.abs(step)] as number;
  const shear = random.between(-300, 300);
  const scaleX = random.between(28, 44);
  const scaleY = random.between(28, 44);
  const centreX = GLYPH_SIZE * 32 + random.between(-4 * UNIT, 4 * UNIT);
  const centreY = GLYPH_SIZE * 32 + random.between(-4 * UNIT, 4 * UNIT);
  return (x, y) => {
    const u = x * scaleX + ((y * scaleY * shear) >> 10);
    const v = y * scaleY;
    return [centreX + ((u * cos - v * sin) >> 10), centreY + ((u * sin + v * cos) >> 10)];
  };
}

/** Marks the samples within width / 2 of the line; lengths in 1/64 pixels. */
function drawStroke(
  coverage: Uint8Array,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  width: number,
): void {
  const dx = x1 - x0;
  const dy = y1 - y0;
  const length2 = dx * dx + dy * dy;
  const reach = (width + 1) >> 1;
  const clip = (value: number) => Math.max(0, Math.min(GLYPH_SIZE - 1, value >> 6));
  const left = clip(Math.min(x0, x1) - reach);
  const right = clip(Math.max(x0, x1) + reach);
  const top = clip(Math.min(y0, y1) - reach);
  const bottom = clip(Math.max(y0, y1) + reach);
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      for (let k = 0; k < 4; k++) {
        const px = column * UNIT + (SAMPLES[k & 1] as number) - x0;
        const py = row * UNIT + (SAMPLES[k >> 1] as number) - y0;
        if (isNear(px, py, dx, dy, length2, reach)) coverage[(row * GLYPH_SIZE + column) * 4 + k] = 1;
      }
    }
  }
}

/** Whether (px, py) is within reach of the segment from 0 to (dx, dy). Products stay below 2^53: |values| < 2^13. */
function isNear(px: number, py: number, dx: number, dy: number, length2: number, reach: number): boolean {
  const along = px * dx + py * dy;
  if (along <= 0) return px * px + py * py <= reach * reach;
  if (along >= length2) return (px - dx) ** 2 + (py - dy) ** 2 <= reach * reach;
  const across = px * dy - py * dx;
  return across * across <= reach * reach * length2;
}
