// Random calls of the intrinsics that residual nets need: average pooling, sums, rescaling.
import { type Dice, elements, type Layout, type Maker, quant, tensor, wide, window } from "./layout.ts";

export const RESIDUAL_INTRINSICS = [
  { name: "averagePool2d", args: 6, result: false },
  { name: "averagePool2dGrad", args: 5, result: false },
  { name: "add", args: 7, result: false },
  { name: "addGrad", args: 5, result: false },
  { name: "rescale", args: 6, result: false },
] as const;

type Name = (typeof RESIDUAL_INTRINSICS)[number]["name"];

const first = (dice: Dice): number => dice.in(-(2 ** 31), 2 ** 31 - 1);

/** A window of a pooling, now and then one as large as the input. */
function poolWindow(dice: Dice) {
  const pool = window(dice, true);
  if (!dice.chance(4)) return pool;
  const { x, y } = pool;
  const fields = [x.h, x.w, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1];
  return { ...pool, y: { h: 1, w: 1, c: y.c, pitch: y.c }, fields };
}

/** A quant struct whose shift is small enough for a mean, most of the time. */
function meanQuant(m: Layout, dice: Dice): number {
  const most = dice.chance(8) ? 62 : 45;
  return quant(m, dice, 1, 127, -128, () => dice.of(dice.in(1, most), dice.in(27, 33), 30));
}

export const residualMakers: Record<Name, Maker> = {
  averagePool2d(m, dice) {
    const { x, y, fields } = poolWindow(dice);
    const sums = dice.chance(4);
    const conv = m.struct(...fields);
    const q = sums ? m.struct(dice.of(0, 3, -128), 0, 0, 0, 0, 0, 1, 0, 0) : meanQuant(m, dice);
    const input = [tensor(m, x), m.int8(elements(x))];
    return [conv, q, ...input, tensor(m, y), sums ? m.reserve(4 * elements(y)) : m.reserve(elements(y), 1)];
  },
  averagePool2dGrad(m, dice) {
    const { x, y, fields } = poolWindow(dice);
    const structs = [m.struct(...fields), tensor(m, y), m.int8(elements(y), -127)];
    return [...structs, tensor(m, x), m.int32(wide(dice, elements(x)))];
  },
  add(m, dice) {
    const n = dice.in(0, 200);
    const a = [quant(m, dice, 1, 127, -128), m.int8(n)] as const;
    const b = [quant(m, dice, 1, 127, -128), m.int8(n)] as const;
    return [...a, ...b, n, first(dice), dice.of(a[1], b[1], m.reserve(n, 1))];
  },
  addGrad(m, dice) {
    const n = dice.in(0, 100);
    const q = quant(m, dice, 1, 2 ** 31 - 1, -(2 ** 31));
    return [q, m.int8(n), n, first(dice), m.int32(wide(dice, n))];
  },
  rescale(m, dice) {
    const x = { h: dice.in(1, 5), w: dice.in(1, 5), c: dice.in(1, 8), pitch: 0 };
    x.pitch = x.w * x.c + dice.of(0, 0, 3);
    const q = quant(m, dice, 1, 127, -128);
    const xT = tensor(m, x);
    const from = m.int8(elements(x));
    if (dice.chance(4)) return [q, xT, from, xT, from, 0];
    const before = dice.of(0, 0, dice.in(0, 3));
    const all = before + x.c + dice.of(0, dice.in(0, 3));
    const y = { ...x, c: all, pitch: x.w * all + dice.of(0, 0, 5) };
    return [q, xT, from, tensor(m, y), m.int8(elements(y)), before];
  },
};
