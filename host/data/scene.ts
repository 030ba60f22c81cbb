// Scenes of a fixed camera, drawn from a seed: people and vehicles cross a textured place, the sensor adds noise, and
// every frame has its boxes. Named scenarios are the cases that break methods which skip what did not change. Integer
// arithmetic only, so that every machine draws the same pixels.

import type { Box, Clip } from "./clip.ts";
import { Random } from "./random.ts";
import { type Actor, boxOf, drawActor, KINDS, type Kind, UNIT } from "./scene/actors.ts";
import { drawBackground, MARGIN, type Picture, sway } from "./scene/background.ts";

/** What happens in a scene, and what it asks of a method that skips. */
export const SCENARIOS = {
  street: "people and a vehicle come and go",
  crowd: "twice as many",
  static: "500 frames in which nothing moves but the noise",
  "slow-ramp": "the light grows by 60 grey levels, too slowly to see from frame to frame",
  "fade-in": "somebody appears so slowly that no frame differs from the one before",
  "light-step": "a cloud leaves and comes back: all pixels change at once",
  shake: "the camera moves by a pixel in either direction, at every frame",
  foliage: "trees sway, and people cross below",
  "stop-and-stay": "somebody walks in, stops, and stays to the end",
  leave: "what stood there from the first frame leaves",
} as const;

export type Scenario = keyof typeof SCENARIOS;

export interface SceneOptions {
  /** What happens: `street`. */
  scenario?: Scenario;
  /** 160 × 120. */
  width?: number;
  height?: number;
  /** 300; 500 of `static`. */
  frames?: number;
  seed?: number;
  /** Standard deviation of the sensor's noise in grey levels: 1. */
  noise?: number;
  /** Which kinds of actors there may be: all. */
  kinds?: readonly Kind[];
}

/** What a scenario asks the drawing for. */
interface Script {
  actors: Actor[];
  /** Light of frame t: a pixel becomes (p · gain >> 8) + offset. */
  light(t: number): { gain: number; offset: number };
  /** Where the camera looks, in pixels from its place. */
  look(t: number): { dx: number; dy: number };
  /** How far trees have moved, in 1/16 pixel. */
  wind(t: number): number;
}

const STEADY: Omit<Script, "actors"> = {
  light: () => ({ gain: 256, offset: 0 }),
  look: () => ({ dx: 0, dy: 0 }),
  wind: () => 0,
};

/** A scene; the same options give the same clip. Boxes are of all that is visible by at least a half. */
export function drawScene(options: SceneOptions = {}): Clip {
  const { scenario = "street", width = 160, height = 120, seed = 1, noise = 1 } = options;
  const frames = options.frames ?? (scenario === "static" ? 500 : 300);
  const background = drawBackground(width, height, seed, scenario === "foliage");
  const script = write(scenario, { width, height, frames, seed, kinds: options.kinds ?? KINDS }, background);
  const bytes = width * height;
  const pixels = new Uint8Array(frames * bytes);
  const boxes: Box[][] = [];
  const canvas: Picture = { width, height, pixels: new Int16Array(bytes) };
  for (let t = 0; t < frames; t++) {
    const { dx, dy } = script.look(t);
    sway(background, canvas, dx, dy, script.wind(t));
    // Further away first: whoever stands lower hides them.
    const present = script.actors.filter(({ from, to }) => t >= from && t < to);
    const ordered = present.map((actor) => ({ actor, box: boxOf(actor, t) }));
    ordered.sort((a, b) => a.box.y + a.box.h - b.box.y - b.box.h);
    for (const { actor } of ordered) drawActor(canvas, actor, t, dx, dy);
    boxes.push(ordered.flatMap(({ actor, box }) => visible(actor, box, t, dx, dy, canvas)));
    expose(
      canvas,
      pixels.subarray(t * bytes, (t + 1) * bytes),
      script.light(t),
      noise,
      new Random(seed, t + 1000),
    );
  }
  const source = `drawn: ${scenario} from seed ${seed}, noise ${noise}`;
  return { name: scenario, source, width, height, count: frames, pixels, boxes };
}

/** The box as the camera sees it, if at least half of the actor is in the frame and at least half of it has appeared. */
function visible(
  actor: Actor,
  box: Box,
  t: number,
  dx: number,
  dy: number,
  { width, height }: Picture,
): Box[] {
  const x0 = Math.max(0, box.x - dx);
  const y0 = Math.max(0, box.y - dy);
  const x1 = Math.min(width, box.x - dx + box.w);
  const y1 = Math.min(height, box.y - dy + box.h);
  if (x1 <= x0 || y1 <= y0 || actor.alpha(t) < 128) return [];
  return (x1 - x0) * (y1 - y0) * 2 >= box.w * box.h
    ? [{ x: x0, y: y0, w: x1 - x0, h: y1 - y0, kind: actor.kind }]
    : [];
}

/** Light, noise and the sensor's range. */
function expose(
  { pixels }: Picture,
  target: Uint8Array,
  { gain, offset }: { gain: number; offset: number },
  noise: number,
  random: Random,
): void {
  // Four bytes of a draw add up to 510 ± 147.8: σ · 2^16 / 147.8 makes grey levels in Q16 of it.
  const scale = Math.round((noise * 65536) / 147.8);
  for (let i = 0; i < pixels.length; i++) {
    let value = (((pixels[i] as number) * gain) >> 8) + offset;
    if (scale > 0) {
      const r = random.next();
      const sum = (r & 255) + ((r >>> 8) & 255) + ((r >>> 16) & 255) + (r >>> 24) - 510;
      value += (sum * scale + 32768) >> 16;
    }
    target[i] = Math.max(0, Math.min(255, value));
  }
}

interface Stage {
  width: number;
  height: number;
  frames: number;
  seed: number;
  kinds: readonly Kind[];
}

function write(scenario: Scenario, stage: Stage, background: Picture): Script {
  const { width, height, frames, seed } = stage;
  const cast = new Casting(stage, background);
  const third = Math.floor(frames / 3);
  switch (scenario) {
    case "street":
      return { ...STEADY, actors: cast.passersBy(area(width, height, 3)) };
    case "crowd":
      return { ...STEADY, actors: cast.passersBy(area(width, height, 6)) };
    case "static":
      return { ...STEADY, actors: [] };
    case "slow-ramp":
      return {
        ...STEADY,
        actors: cast.passersBy(1),
        light: (t) => ({ gain: 256, offset: Math.floor((60 * t) / frames) - 30 }),
      };
    case "fade-in": {
      const still = cast.standing(0, frames);
      const long = Math.max(1, Math.floor((frames * 3) / 5));
      return {
        ...STEADY,
        actors: [{ ...still, alpha: (t) => Math.max(0, Math.min(255, Math.floor((255 * (t - 20)) / long))) }],
      };
    }
    case "light-step":
      return {
        ...STEADY,
        actors: cast.passersBy(1),
        light: (t) => (t < third || t >= 2 * third ? { gain: 256, offset: 0 } : { gain: 300, offset: 12 }),
      };
    case "shake":
      return {
        ...STEADY,
        actors: cast.passersBy(1),
        look: (t) => {
          const random = new Random(seed, 7_000_000 + t);
          return { dx: random.between(-1, 1), dy: random.between(-1, 1) };
        },
      };
    case "foliage":
      return { ...STEADY, actors: cast.passersBy(2), wind: (t) => WAVE[(t * 3) % 32] as number };
    case "stop-and-stay":
      return { ...STEADY, actors: [cast.stopping(Math.floor(frames / 4))] };
    case "leave":
      return { ...STEADY, actors: [cast.leaving(Math.floor(frames / 2))] };
  }
}

/** One round of a sine, ±24: 1.5 pixels in 1/16. */
const WAVE = [
  0, 5, 9, 13, 17, 20, 22, 24, 24, 24, 22, 20, 17, 13, 9, 5, 0, -5, -9, -13, -17, -20, -22, -24, -24, -24,
  -22, -20, -17, -13, -9, -5,
] as const;

/** As many actors on a frame of this size as `count` on one of 160×120; at least one. */
const area = (width: number, height: number, count: number): number =>
  Math.max(1, Math.round((count * width * height) / 19_200));

/** Draws who takes part. */
class Casting {
  readonly #stage: Stage;
  readonly #background: Picture;
  #drawn = 0;

  constructor(stage: Stage, background: Picture) {
    this.#stage = stage;
    this.#background = background;
  }

  /** Crossings, about `atOnce` of them at a time, from before the first frame to after the last. */
  passersBy(atOnce: number): Actor[] {
    const actors: Actor[] = [];
    for (let slot = 0; slot < atOnce; slot++) {
      const random = this.#random();
      for (let from = -random.below(120); from < this.#stage.frames; ) {
        const actor = this.#crossing(random, from);
        actors.push(actor);
        from = actor.to + random.between(0, 60);
      }
    }
    return actors;
  }

  /** Somebody who stands in the middle of the frame. */
  standing(from: number, to: number): Actor {
    const random = this.#random();
    const { width, height } = this.#stage;
    const x = random.between(width >> 2, (width * 3) >> 2) * UNIT;
    const y = random.between((height * 3) >> 2, height - 4) * UNIT;
    return this.#person(random, { from, to, x: () => x, y: () => y });
  }

  /** Walks in from the left within `frames` frames, and stays. */
  stopping(frames: number): Actor {
    const random = this.#random();
    const { width, height } = this.#stage;
    const goal = random.between(width * 0.4, width * 0.6) * UNIT;
    const y = random.between(height * 0.75, height - 4) * UNIT;
    const x = (t: number) => (t >= frames ? goal : Math.floor((goal * t) / frames));
    return this.#person(random, { from: 0, to: this.#stage.frames, x, y: () => y });
  }

  /** Stands until frame `at`, and then walks out to the right. */
  leaving(at: number): Actor {
    const random = this.#random();
    const { width, height } = this.#stage;
    const start = random.between(width * 0.4, width * 0.6) * UNIT;
    const y = random.between(height * 0.75, height - 4) * UNIT;
    const x = (t: number) => start + Math.max(0, t - at) * UNIT;
    const gone = at + Math.ceil(width - start / UNIT) + 16;
    return this.#person(random, { from: 0, to: gone, x, y: () => y });
  }

  #random(): Random {
    return new Random(this.#stage.seed, 100 + this.#drawn++);
  }

  #person(random: Random, path: Pick<Actor, "from" | "to" | "x" | "y">): Actor {
    return this.#dress(random, "person", path);
  }

  #crossing(random: Random, from: number): Actor {
    const { width, height, kinds } = this.#stage;
    // Mostly people.
    const kind = kinds[Math.max(0, random.below(4) - 2) % kinds.length] as Kind;
    const speed = kind === "person" ? random.between(24, 88) : random.between(90, 200);
    const left = random.below(2) === 0;
    const room = 24 * UNIT;
    const long = Math.ceil((width * UNIT + 2 * room) / speed);
    const start = random.between(height * 0.4, height - 2) * UNIT;
    const rise = kind === "person" ? random.between(-12, 12) : 0;
    const x = (t: number) => (left ? -room + (t - from) * speed : width * UNIT + room - (t - from) * speed);
    const y = (t: number) => start + (t - from) * rise;
    return this.#dress(random, kind, { from, to: from + long, x, y });
  }

  /** Clothes differ from what is behind by 28 grey levels or more, upwards or downwards. */
  #dress(random: Random, kind: Kind, path: Pick<Actor, "from" | "to" | "x" | "y">): Actor {
    const { height } = this.#stage;
    const middle = (path.from + path.to) >> 1;
    const near = Math.max(0, Math.min(height - 1, path.y(middle) / UNIT));
    // Nearer, that is lower, is larger.
    const size = (random.between(13, 17) + Math.floor((9 * near) / height)) * UNIT;
    const behind = meanOfRow(this.#background, Math.floor(near));
    const tone = (least: number) => {
      const by = random.between(least, 100);
      const up = behind + by <= 245 && (behind - by < 10 || random.below(2) === 0);
      return Math.max(8, Math.min(247, up ? behind + by : behind - by));
    };
    return { ...path, kind, size, tones: [tone(28), tone(20), random.between(110, 200)], alpha: () => 255 };
  }
}

function meanOfRow({ width, pixels }: Picture, y: number): number {
  const row = pixels.subarray((y + MARGIN) * width, (y + MARGIN + 1) * width);
  return Math.round(row.reduce((sum, value) => sum + value, 0) / width);
}
