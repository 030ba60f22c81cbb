// The place of a scene: a wall with windows, a path, grass, trees. Texture is value noise, drawn from the seed.

import { Random } from "../random.ts";

export interface Picture {
  width: number;
  height: number;
  /** Grey levels; may lie outside 0 … 255 until the sensor clips them. */
  pixels: Int16Array;
}

/** A place, larger than the frame by a margin on all sides, so that camera and trees can move. */
export interface Place extends Picture {
  /** Which pixels belong to trees, empty if there are none. */
  trees: Uint8Array;
}

/** Pixels around the frame. */
export const MARGIN = 4;

/** A place for frames of width × height. */
export function drawBackground(width: number, height: number, seed: number, foliage: boolean): Place {
  const random = new Random(seed, 1);
  const w = width + 2 * MARGIN;
  const h = height + 2 * MARGIN;
  const pixels = new Int16Array(w * h);
  const horizon = Math.floor((h * random.between(28, 38)) / 100);
  const wall = random.between(90, 170);
  const ground = random.between(80, 150);
  const path = ground + random.between(-40, 40);
  const lattice = random.next();
  const pathTop = horizon + Math.floor(((h - horizon) * random.between(10, 40)) / 100);
  const pathBottom = pathTop + Math.floor(((h - horizon) * random.between(20, 45)) / 100);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const coarse = valueNoise(x, y, 16, lattice) - 128;
      const fine = valueNoise(x, y, 3, lattice ^ 0x55) - 128;
      const isPath = y >= pathTop + (coarse >> 5) && y < pathBottom + (coarse >> 5);
      const base = y < horizon ? wall : isPath ? path : ground;
      pixels[y * w + x] = base + ((coarse * 40) >> 8) + ((fine * (isPath ? 10 : 26)) >> 8);
    }
  }
  // Windows in the wall, and things that stand about.
  for (let i = random.between(4, 8); i > 0; i--) {
    const tone = wall + random.between(-70, 50);
    block(
      pixels,
      w,
      random.below(w),
      random.below(horizon),
      random.between(5, 12),
      random.between(6, 14),
      tone,
    );
  }
  for (let i = random.between(1, 3); i > 0; i--) {
    const y = random.between(horizon, h - 16);
    block(
      pixels,
      w,
      random.below(w),
      y,
      random.between(3, 14),
      random.between(4, 9),
      ground - random.between(25, 60),
    );
  }
  const trees = foliage ? new Uint8Array(w * h) : new Uint8Array(0);
  if (foliage) {
    const lowest = Math.floor((h * 45) / 100);
    for (let y = 0; y < lowest; y++) {
      for (let x = 0; x < w; x++) {
        if (valueNoise(x, y, 24, lattice ^ 0xaa) < 140) continue;
        trees[y * w + x] = 1;
        pixels[y * w + x] = 45 + ((valueNoise(x, y, 2, lattice ^ 0x77) * 110) >> 8);
      }
    }
  }
  return { width: w, height: h, pixels, trees };
}

/** Darkens or lightens a block to a tone, with what texture was there. */
function block(
  pixels: Int16Array,
  pitch: number,
  x0: number,
  y0: number,
  w: number,
  h: number,
  tone: number,
): void {
  const x1 = Math.min(pitch, x0 + w);
  const y1 = Math.min(pixels.length / pitch, y0 + h);
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++)
      pixels[y * pitch + x] = tone + (((pixels[y * pitch + x] as number) - tone) >> 3);
  }
}

/** Copies what the camera sees: from (dx, dy) off its place, with trees `wind` sixteenths of a pixel off theirs. */
export function sway(place: Place, canvas: Picture, dx: number, dy: number, wind: number): void {
  const { width, height, pixels } = canvas;
  for (let y = 0; y < height; y++) {
    const row = (y + MARGIN + dy) * place.width + MARGIN + dx;
    const target = pixels.subarray(y * width, (y + 1) * width);
    target.set(place.pixels.subarray(row, row + width));
    if (place.trees.length === 0 || wind === 0) continue;
    // Leaves of different heights move differently.
    const off = (wind * (3 + (y & 3))) >> 2;
    const whole = off >> 4;
    const part = off & 15;
    for (let x = 0; x < width; x++) {
      if (place.trees[row + x] !== 1) continue;
      const at = row + x + whole;
      target[x] = ((place.pixels[at] as number) * (16 - part) + (place.pixels[at + 1] as number) * part) >> 4;
    }
  }
}

/** 0 … 255: random values on a lattice of `cell` pixels, interpolated. */
function valueNoise(x: number, y: number, cell: number, key: number): number {
  const cx = Math.floor(x / cell);
  const cy = Math.floor(y / cell);
  const fx = Math.floor(((x - cx * cell) * 256) / cell);
  const fy = Math.floor(((y - cy * cell) * 256) / cell);
  const top = corner(cx, cy, key) * (256 - fx) + corner(cx + 1, cy, key) * fx;
  const bottom = corner(cx, cy + 1, key) * (256 - fx) + corner(cx + 1, cy + 1, key) * fx;
  // 255 · 2^16 < 2^31
  return (top * (256 - fy) + bottom * fy) >> 16;
}

function corner(x: number, y: number, key: number): number {
  let z = Math.imul(x, 0x9e3779b1) ^ Math.imul(y, 0x85ebca6b) ^ key;
  z = Math.imul(z ^ (z >>> 15), 0x2c1b3c6d);
  z = Math.imul(z ^ (z >>> 12), 0x297a2d39);
  return (z ^ (z >>> 15)) & 255;
}
