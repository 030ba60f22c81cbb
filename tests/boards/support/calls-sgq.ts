// Random calls of the intrinsics of SGQ (calls.ts).
import { type Dice, elements, type Layout, type Maker, SCRATCH, tensor } from "./layout.ts";

export const SGQ_INTRINSICS = [
  { name: "sgqQuantize", args: 3, result: false },
  { name: "sgqEncode", args: 1, result: true },
  { name: "sgqMix", args: 5, result: false },
  { name: "sgqCrc16", args: 3, result: true },
] as const;

type Name = (typeof SGQ_INTRINSICS)[number]["name"];

const MARGIN = 3;
const wordsOf = (bits: number): number => (bits + 31) >> 5;
const mapWords = (h: number, w: number): number => wordsOf(h * (w + MARGIN));
const stringWords = (h: number, w: number): number =>
  wordsOf(2 * (w + MARGIN) + MARGIN) + mapWords(h, w) + wordsOf(w + 2 * MARGIN) + 1;

/** Words of bits: all of them, none, or some. */
function bits(dice: Dice, words: number): number[] {
  const kind = dice.in(0, 3);
  return Array.from({ length: words }, () =>
    kind === 0
      ? -1
      : kind === 1
        ? 0
        : dice.in(-(2 ** 31), 2 ** 31 - 1) & (kind === 2 ? -1 : dice.of(-1, 0, 5)),
  );
}

/** Two bytes of a tap: planes back, and a place that is known when the element is coded. */
function tap(dice: Dice): number {
  const back = dice.of(0, 0, 1, 2, dice.in(1, 255));
  const dy = dice.in(0, back === 0 ? 2 : 3);
  const dx = back === 0 && dy === 2 ? dice.in(0, 2) : dice.in(0, 6);
  return back | (dy << 11) | (dx << 8);
}

interface Sides {
  h: number;
  w: number;
}

/** Records of planes; taps and tables are shared by all, or each plane has its own. */
function records(m: Layout, dice: Dice, planes: number, channels: number): number {
  const own = dice.chance(2);
  const listsOf = (most: number): [taps: number, list: number, table: number] => {
    const taps = dice.of(dice.in(1, most), dice.in(1, Math.min(most, 9)));
    const list = m.int16(Array.from({ length: taps }, () => (tap(dice) << 16) >> 16));
    return [taps, list, m.int8(2 ** taps)];
  };
  const shared = listsOf(10);
  const words = Array.from({ length: planes }, (_, i) => {
    const [taps, list, table] = own ? listsOf(7) : shared;
    const threshold = dice.of(-128, 127, dice.in(-128, 127));
    const previous = dice.chance(3) ? dice.in(-1, i - 1) : -1;
    return [
      dice.in(0, channels - 1) | (threshold << 16),
      (previous & 0xffff) | (taps << 16) | (dice.in(0, 15) << 24),
      list,
      table,
    ];
  });
  return m.int32(words.flat());
}

/** A job that fits; its coder is at its beginning, or has written something. */
function job(m: Layout, dice: Dice, { h, w }: Sides, planes: number, channels: number): number {
  const capacity = dice.of(300, 300, dice.in(0, 20));
  const fresh = dice.chance(2);
  const [low, range] = fresh
    ? [0, -1]
    : [dice.of(-1, dice.in(-(2 ** 31), 2 ** 31 - 1)), dice.of(2 ** 24, -1, dice.in(2 ** 24, 2 ** 31 - 1))];
  const at = records(m, dice, planes, channels);
  const valid = m.int32(bits(dice, mapWords(h, w)));
  const strings = m.int32(bits(dice, planes * stringWords(h, w)));
  const out = dice.chance(2)
    ? m.int8(capacity)
    : m.int32(Array.from({ length: (capacity + 3) >> 2 }, () => -1));
  const written = fresh ? 0 : dice.in(0, capacity);
  return m.struct(h, w, planes, at, valid, strings, SCRATCH, low, range, written, out, capacity);
}

const sidesOf = (dice: Dice): Sides => ({
  h: dice.in(1, 9),
  w: dice.of(dice.in(1, 9), dice.in(1, 40), 29),
});

export const sgqMakers: Record<Name, Maker> = {
  sgqQuantize(m, dice) {
    const sides = sidesOf(dice);
    const c = dice.in(1, Math.max(1, Math.min(9, Math.floor(700 / (sides.h * sides.w)))));
    const x = { ...sides, c, pitch: sides.w * c + dice.of(0, 0, 1, 5) };
    return [job(m, dice, sides, dice.in(0, 9), c), tensor(m, x), m.int8(elements(x))];
  },
  sgqEncode(m, dice) {
    return [job(m, dice, sidesOf(dice), dice.of(1, dice.in(0, 9)), 4)];
  },
  sgqMix(m, dice) {
    const group = dice.in(1, 5);
    const x = { h: dice.in(1, 6), w: dice.in(1, 6), c: group * dice.in(1, 4), pitch: 0 };
    x.pitch = x.w * x.c + dice.of(0, 0, 1, 5);
    const [xT, from, weights] = [tensor(m, x), m.int8(elements(x)), m.int8(x.c)];
    return [xT, from, weights, group, m.reserve((x.h * x.w * x.c) / group, 1)];
  },
  sgqCrc16(m, dice) {
    const n = dice.in(0, 300);
    return [m.int8(n), n, dice.of(0xffff, dice.in(-(2 ** 31), 2 ** 31 - 1))];
  },
};
