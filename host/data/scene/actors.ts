// Who moves in a scene: people who walk, vehicles that roll. A shape is sampled at four points of each pixel, so that it
// can stand between pixels.

import type { Box } from "../clip.ts";
import type { Picture } from "./background.ts";

/** Positions and sizes are in 1/64 of a pixel. */
export const UNIT = 64;

export const KINDS = ["person", "vehicle"] as const;
export type Kind = (typeof KINDS)[number];

export interface Actor {
  kind: Kind;
  /** First frame, and the first one without it. */
  from: number;
  to: number;
  /** Where it stands at frame t: the middle of its feet or wheels, 1/64 pixel. */
  x(t: number): number;
  y(t: number): number;
  /** Height, 1/64 pixel. */
  size: number;
  /** Grey levels of coat, trousers and head; of body, wheels and window. */
  tones: readonly [number, number, number];
  /** How much of it has appeared at frame t, 0 … 255. */
  alpha(t: number): number;
}

/** Width of a kind in 1/64 of its height. */
const WIDTH: Record<Kind, number> = { person: 24, vehicle: 128 };

/** A vehicle is as high as this part of a person of its size, in 1/64. */
const HEIGHT: Record<Kind, number> = { person: 64, vehicle: 44 };

/** What the actor takes up at frame t, in pixels of the place. */
export function boxOf(actor: Actor, t: number): Box {
  const h = (actor.size * HEIGHT[actor.kind]) >> 6;
  const w = (h * WIDTH[actor.kind]) >> 6;
  const x = actor.x(t) - (w >> 1);
  return { x: x / UNIT, y: (actor.y(t) - h) / UNIT, w: w / UNIT, h: h / UNIT };
}

/** Draws the actor of frame t as a camera sees it that looks (dx, dy) pixels off its place. */
export function drawActor(canvas: Picture, actor: Actor, t: number, dx: number, dy: number): void {
  const { width, height, pixels } = canvas;
  const h = (actor.size * HEIGHT[actor.kind]) >> 6;
  const w = (h * WIDTH[actor.kind]) >> 6;
  const left = actor.x(t) - (w >> 1) - dx * UNIT;
  const top = actor.y(t) - h - dy * UNIT;
  const alpha = actor.alpha(t);
  // Half a step is as long as the legs spread.
  const stride = actor.x(t) >> 3;
  const x1 = Math.min(width, (left + w + UNIT) >> 6);
  const y1 = Math.min(height, (top + h + UNIT) >> 6);
  for (let py = Math.max(0, top >> 6); py < y1; py++) {
    for (let px = Math.max(0, left >> 6); px < x1; px++) {
      let covered = 0;
      let tones = 0;
      for (let k = 0; k < 4; k++) {
        // Place within the shape, in 1/64 of its width and height.
        const u = Math.floor(((px * UNIT + 16 + 32 * (k & 1) - left) * 64) / w);
        const v = Math.floor(((py * UNIT + 16 + 16 * (k & 2) - top) * 64) / h);
        const part = actor.kind === "person" ? partOfPerson(u, v, stride) : partOfVehicle(u, v);
        if (part < 0) continue;
        covered++;
        tones += actor.tones[part] as number;
      }
      if (covered === 0) continue;
      const at = py * width + px;
      const mixed = tones + (4 - covered) * (pixels[at] as number);
      pixels[at] = (pixels[at] as number) + ((((mixed >> 2) - (pixels[at] as number)) * alpha) >> 8);
    }
  }
}

/** 0 coat, 1 trousers, 2 head, −1 nothing; u and v in 0 … 63. */
function partOfPerson(u: number, v: number, stride: number): number {
  const across = Math.abs(u - 32);
  if (u < 0 || u > 63 || v < 0 || v > 63) return -1;
  // A head is round: as wide as high, and 64/24 as much in u.
  if (v < 11) return across * across * 9 + (v - 5) * (v - 5) * 64 < 64 * 36 ? 2 : -1;
  if (v < 37) return across < (v < 14 ? 20 : 26) - ((v - 14) >> 2) ? 0 : -1;
  // Legs swing against each other.
  const phase = stride & 63;
  const swing = phase < 32 ? phase - 16 : 48 - phase;
  const spread = (swing * (v - 37)) >> 5;
  return Math.abs(u - 26 - spread) < 8 || Math.abs(u - 38 + spread) < 8 ? 1 : -1;
}

/** 0 body, 1 wheels, 2 window, −1 nothing; u and v in 0 … 63. */
function partOfVehicle(u: number, v: number): number {
  if (u < 0 || u > 63 || v < 0 || v > 63) return -1;
  if (v >= 50) {
    const wheel = Math.min(Math.abs(u - 13), Math.abs(u - 50));
    return wheel < 7 - ((v - 56) * (v - 56)) / 16 ? 1 : -1;
  }
  const roof = v < 22 ? 10 + ((22 - v) >> 2) : v < 30 ? 2 : 0;
  if (u < roof || u > 63 - roof) return -1;
  return v >= 6 && v < 20 && Math.abs(u - 32) > 2 && u > roof + 3 && u < 60 - roof ? 2 : 0;
}
