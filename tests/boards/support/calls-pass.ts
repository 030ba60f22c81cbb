// Random calls of the intrinsics of PASS (calls.ts).
import { type Dice, elements, type Layout, type Maker, type Shape, tensor, window } from "./layout.ts";

export const PASS_INTRINSICS = [
  { name: "patchStats", args: 6, result: false },
  { name: "merge", args: 7, result: true },
] as const;

type Name = (typeof PASS_INTRINSICS)[number]["name"];

const mapBytes = ({ h, w }: Shape): number => h * 4 * Math.ceil(w / 32);

/** Two images that differ here and there. */
function pair(m: Layout, dice: Dice, bytes: number): [number, number] {
  return dice.chance(4) ? [m.int8(bytes), m.int8(bytes)] : m.twice(bytes, dice.of(0, 1, 3, 20));
}

/** Where changes go: a window that slides over the shape, and what it makes there. */
function spread(m: Layout, dice: Dice, fields: number[], y: Shape): number {
  const conv = m.struct(...fields);
  const next = tensor(m, y);
  const pending = m.int8(y.h * y.w);
  const todo = m.reserve(mapBytes(y));
  return m.struct(conv, next, pending, todo, dice.of(0, dice.in(0, 15)), dice.of(0, 254, dice.in(0, 254)));
}

export const passMakers: Record<Name, Maker> = {
  patchStats(m, dice) {
    const c = dice.of(1, 1, 3);
    const x = { h: dice.in(1, 20), w: dice.in(1, 36 / c), c, pitch: 0 };
    x.pitch = x.w * c + dice.of(0, 0, 3);
    const patch = dice.of(4, 8, 16);
    const [now, reference] = pair(m, dice, elements(x));
    const row = dice.in(0, Math.ceil(x.h / patch) - 1);
    return [tensor(m, x), now, reference, patch, row, m.reserve(12 * Math.ceil(x.w / patch))];
  },
  merge(m, dice) {
    const { x, y, fields } = window(dice, false);
    const y0 = dice.in(0, x.h);
    const y1 = dice.in(y0, x.h);
    const x0 = dice.in(0, x.w);
    const x1 = dice.in(x0, x.w);
    const [cache, fresh] = pair(m, dice, elements(x));
    const from = Math.max(0, (y1 - y0 - 1) * x.pitch + x.w * x.c);
    // the window's rows come first
    const rows = dice.chance(2) ? fresh : m.int8(from);
    const to = dice.chance(3) ? 0 : spread(m, dice, fields, y);
    const tau = dice.of(0, 0, dice.in(0, 255));
    return [m.struct(y0, y1, x0, x1), tau, tensor(m, x), rows, cache, m.reserve(mapBytes(x)), to];
  },
};
