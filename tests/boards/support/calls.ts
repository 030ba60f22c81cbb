// Random calls of intrinsics: memory with tensors, structs and arguments that fit each other, now and then with one thing
// that does not.
import fc from "fast-check";

export const INTRINSICS = [
  { name: "conv2d", args: 9, result: false },
  { name: "conv2dGradInput", args: 7, result: false },
  { name: "conv2dGradWeight", args: 11, result: false },
  { name: "absMaxS8", args: 2, result: true },
  { name: "absMaxS32", args: 2, result: true },
  { name: "requantize", args: 5, result: false },
  { name: "sgdUpdate", args: 6, result: true },
  { name: "maxPool2d", args: 5, result: false },
  { name: "maxPool2dGrad", args: 7, result: false },
  { name: "relu", args: 4, result: false },
  { name: "reluGrad", args: 4, result: false },
  { name: "requantize32", args: 5, result: false },
  { name: "sgdUpdate32", args: 5, result: false },
  { name: "conv2dLearn", args: 14, result: true },
  { name: "drawMasters", args: 5, result: false },
  { name: "weightsOf", args: 4, result: false },
  { name: "softmaxCrossEntropy", args: 5, result: true },
] as const;

export type IntrinsicName = (typeof INTRINSICS)[number]["name"];

export interface Call {
  name: IntrinsicName;
  args: number[];
  /** The first bytes of the memory before the call; the rest is zero. */
  memory: Uint8Array;
}

/** A small generator of numbers, so that a call follows from one seed and shrinks to a printable one. */
class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 0;
  }
  /** lo … hi. */
  in(lo: number, hi: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) | 0;
    return lo + Math.floor(((this.#state >>> 0) / 2 ** 32) * (hi - lo + 1));
  }
  chance(one: number): boolean {
    return this.in(1, one) === 1;
  }
  of<T>(...choices: T[]): T {
    return choices[this.in(0, choices.length - 1)] as T;
  }
}

/** Lays out memory; addresses are absolute. */
class Layout {
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  readonly #base: number;
  readonly #dice: Dice;
  #next = 0;

  constructor(base: number, bytes: number, dice: Dice) {
    this.#memory = new Uint8Array(bytes);
    this.#view = new DataView(this.#memory.buffer);
    this.#base = base;
    this.#dice = dice;
  }

  reserve(bytes: number, align = 4): number {
    this.#next = (this.#next + align - 1) & ~(align - 1);
    const at = this.#next;
    this.#next += bytes;
    if (this.#next > this.#memory.length) throw new Error("the call needs more memory than the test has");
    return this.#base + at;
  }

  struct(...fields: number[]): number {
    const at = this.reserve(4 + 4 * fields.length);
    [4 + 4 * fields.length, ...fields].forEach((value, i) => {
      this.#view.setInt32(at - this.#base + 4 * i, value, true);
    });
    return at;
  }

  int32(values: number[]): number {
    const at = this.reserve(4 * values.length);
    values.forEach((value, i) => {
      this.#view.setInt32(at - this.#base + 4 * i, value, true);
    });
    return at;
  }

  int16(values: number[]): number {
    const at = this.reserve(2 * values.length, 2);
    values.forEach((value, i) => {
      this.#view.setInt16(at - this.#base + 2 * i, value, true);
    });
    return at;
  }

  int8(count: number, lo = -128): number {
    const at = this.reserve(count, 1);
    const kind = this.#dice.in(0, 3);
    for (let i = 0; i < count; i++) {
      const value = kind === 0 ? this.#dice.of(lo, 127, 0) : this.#dice.in(lo, 127);
      this.#memory[at - this.#base + i] = kind === 1 && !this.#dice.chance(3) ? 0 : value;
    }
    return at;
  }

  /** What was laid out. */
  get used(): Uint8Array {
    return this.#memory.subarray(0, (this.#next + 3) & ~3);
  }

  /** Breaks one word of the structs and arrays that were laid out, or leaves everything as it is. */
  damage(): void {
    const at = this.#dice.in(0, (this.#next >> 2) - 1) << 2;
    this.#view.setInt32(at, this.#dice.of(-1, 1, 7, 0x7fffffff, -0x80000000, 40000, this.#base + 2), true);
  }
}

interface Shape {
  h: number;
  w: number;
  c: number;
  pitch: number;
}

const length = (input: number, pads: number, kernel: number, stride: number, dilation: number) => {
  const room = input + pads - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : Math.floor(room / stride) + 1;
};

/** A convolution or pooling that fits: two shapes and the fields of the conv struct. */
function window(
  dice: Dice,
  pool: boolean,
): { x: Shape; y: Shape; fields: number[]; groups: number; kernel: number } {
  for (;;) {
    const dense = !pool && dice.chance(5);
    const groups = dice.of(1, 1, 1, 2, 3);
    const x = {
      h: dense ? 1 : dice.in(1, 7),
      w: dense ? 1 : dice.in(1, 7),
      c: groups * (dense ? dice.in(1, 40) : dice.in(1, 4)),
      pitch: 0,
    };
    const [kh, kw] = dense ? [1, 1] : [dice.in(1, 4), dice.in(1, 4)];
    const [sh, sw] = [dice.in(1, 3), dice.in(1, 3)];
    const [dh, dw] = [dice.of(1, 1, 2), dice.of(1, 1, 3)];
    const pads = Array.from({ length: 4 }, () => (dense ? 0 : dice.of(0, 0, 1, 2, 4)));
    const [top, left, bottom, right] = pads as [number, number, number, number];
    const y = {
      h: length(x.h, top + bottom, kh, sh, dh),
      w: length(x.w, left + right, kw, sw, dw),
      c: pool ? x.c : groups * dice.of(dice.in(1, 4), dice.in(4, 9)), // kernels work on blocks of channels
      pitch: 0,
    };
    const kernel = (kh * kw * x.c) / groups;
    if (y.h === 0 || y.w === 0 || y.h * y.w * y.c > 200 || x.h * x.w * x.c > 200 || kernel * y.c > 160)
      continue;
    for (const shape of [x, y]) shape.pitch = shape.w * shape.c + dice.of(0, 0, 1, 5);
    const whole = !dice.chance(4);
    const y0 = whole ? 0 : dice.in(0, y.h);
    const x0 = whole ? 0 : dice.in(0, y.w);
    const y1 = whole ? y.h : dice.in(y0, y.h);
    const x1 = whole ? y.w : dice.in(x0, y.w);
    return {
      x,
      y,
      groups,
      kernel,
      fields: [kh, kw, sh, sw, dh, dw, top, left, bottom, right, groups, y0, y1, x0, x1],
    };
  }
}

const tensor = (m: Layout, { h, w, c, pitch }: Shape) => m.struct(h, w, c, pitch);
const elements = ({ h, w, c, pitch }: Shape) => (h - 1) * pitch + w * c;

/** A quant struct: multipliers and shifts for 1 or `channels` channels, range within `max`. */
function quant(m: Layout, dice: Dice, channels: number, max: number, min = -max): number {
  const n = dice.chance(2) ? 1 : channels;
  const multipliers = m.int32(
    Array.from({ length: n }, () => dice.of(2 ** 30, 2 ** 31 - 1, dice.in(2 ** 30, 2 ** 31 - 1))),
  );
  const shifts = m.int32(Array.from({ length: n }, () => dice.of(dice.in(1, 62), dice.in(30, 45))));
  const wide = dice.chance(2);
  const lo = wide ? min : dice.in(min, 0);
  const hi = wide ? max : dice.in(0, max);
  const zeros = [dice.of(0, 0, dice.in(-128, 127)), dice.of(0, dice.in(-128, 127))];
  return m.struct(...zeros, lo, hi, multipliers, shifts, n, dice.in(0, 1), dice.in(-(2 ** 31), 2 ** 31 - 1));
}

/** Scratch lies outside the memory that is compared: what is left in it is nobody's business. */
const SCRATCH = 32768;
const scratch = (m: Layout, dice: Dice, kernel: number) => m.struct(SCRATCH, 4 * kernel + dice.of(0, 0, 4));

const wide = (dice: Dice, n: number) =>
  Array.from({ length: n }, () =>
    dice.of(0, -(2 ** 31), 2 ** 31 - 1, dice.in(-3000, 3000), dice.in(-(2 ** 31), 2 ** 31 - 1)),
  );

const MASTER = 32512;
const BIAS = 2 ** 30;

/** Arguments of each intrinsic. */
const MAKERS: Record<IntrinsicName, (m: Layout, dice: Dice) => number[]> = {
  conv2d(m, dice) {
    const { x, y, fields, kernel } = window(dice, false);
    const accumulators = dice.chance(4);
    const q = accumulators
      ? m.struct(dice.of(0, 3, -128), 0, 0, 0, 0, 0, 1, 0, 0)
      : quant(m, dice, y.c, 127, -128);
    const bias = dice.chance(3) ? 0 : m.int32(Array.from({ length: y.c }, () => dice.in(-20000, 20000)));
    const structs = [scratch(m, dice, kernel), m.struct(...fields), q, tensor(m, x)];
    const data = [m.int8(elements(x)), m.int8(kernel * y.c, -127), bias];
    const out = accumulators ? m.reserve(4 * elements(y)) : m.reserve(elements(y), 1);
    return [...structs, ...data, tensor(m, y), out];
  },
  conv2dGradInput(m, dice) {
    const { x, y, fields, kernel } = window(dice, false);
    const structs = [scratch(m, dice, kernel), m.struct(...fields), tensor(m, y)];
    return [
      ...structs,
      m.int8(elements(y), -127),
      m.int8(kernel * y.c, -127),
      tensor(m, x),
      m.int32(wide(dice, elements(x))),
    ];
  },
  conv2dGradWeight(m, dice) {
    const { x, y, fields, kernel } = window(dice, false);
    const c0 = dice.in(0, y.c);
    const c1 = dice.in(c0, y.c);
    const structs = [
      scratch(m, dice, kernel),
      m.struct(...fields),
      m.struct(dice.of(0, 5, -128), 0, 0, 0, 0, 0, 1, 0, 0),
    ];
    const data = [tensor(m, x), m.int8(elements(x)), tensor(m, y), m.int8(elements(y), -127)];
    return [
      ...structs,
      ...data,
      c0,
      c1,
      m.reserve(4 * kernel * (c1 - c0)),
      dice.chance(3) ? 0 : m.reserve(4 * (c1 - c0)),
    ];
  },
  absMaxS8(m, dice) {
    const n = dice.in(0, 300);
    return [m.int8(n), n];
  },
  absMaxS32(m, dice) {
    const n = dice.in(0, 100);
    return [m.int32(dice.chance(2) ? wide(dice, n) : Array.from({ length: n }, () => dice.in(-900, 900))), n];
  },
  requantize(m, dice) {
    const n = dice.in(0, 100);
    const q = quant(m, dice, 1, 127, -128);
    return [q, m.int32(wide(dice, n)), n, dice.in(-(2 ** 31), 2 ** 31 - 1), m.reserve(n, 1)];
  },
  sgdUpdate(m, dice) {
    const n = dice.in(0, 100);
    const q = quant(m, dice, 1, MASTER);
    const masters = Array.from({ length: n }, () => dice.of(-MASTER, MASTER, dice.in(-MASTER, MASTER)));
    return [q, m.int32(wide(dice, n)), n, dice.in(0, 5000), m.int16(masters), m.reserve(n, 1)];
  },
  maxPool2d(m, dice) {
    const { x, y, fields } = window(dice, true);
    return [m.struct(...fields), tensor(m, x), m.int8(elements(x)), tensor(m, y), m.reserve(elements(y), 1)];
  },
  maxPool2dGrad(m, dice) {
    const { x, y, fields } = window(dice, true);
    const dx = { ...x, pitch: x.w * x.c + dice.of(0, 3) };
    const data = [tensor(m, x), m.int8(elements(x)), tensor(m, y), m.int8(elements(y), -127)];
    return [m.struct(...fields), ...data, tensor(m, dx), m.int8(elements(dx))];
  },
  relu(m, dice) {
    const n = dice.in(0, 200);
    const x = m.int8(n);
    return [x, n, dice.in(-128, 127), dice.chance(2) ? x : m.reserve(n, 1)];
  },
  reluGrad(m, dice) {
    const n = dice.in(0, 200);
    return [m.int8(n), n, dice.in(-128, 127), m.int8(n, -127)];
  },
  requantize32(m, dice) {
    const n = dice.in(0, 100);
    return [quant(m, dice, 1, BIAS), m.int32(wide(dice, n)), n, dice.in(0, 5000), m.reserve(4 * n)];
  },
  sgdUpdate32(m, dice) {
    const n = dice.in(0, 100);
    return [quant(m, dice, 1, BIAS), m.int32(wide(dice, n)), n, dice.in(0, 5000), m.int32(wide(dice, n))];
  },
  conv2dLearn(m, dice) {
    const { x, y, fields, kernel } = window(dice, false);
    const structs = [
      scratch(m, dice, kernel),
      m.struct(...fields),
      m.struct(dice.of(0, 5, -128), 0, 0, 0, 0, 0, 1, 0, 0),
    ];
    const data = [tensor(m, x), m.int8(elements(x)), tensor(m, y), m.int8(elements(y), -127)];
    const count = (kernel + 1) * dice.in(1, 2) + dice.in(0, 3);
    const weights = kernel * y.c;
    const masters = m.int16(Array.from({ length: weights }, () => dice.in(-MASTER, MASTER)));
    const weightQuant = dice.chance(4) ? 0 : quant(m, dice, 1, MASTER);
    const biasQuant = dice.chance(4) && weightQuant !== 0 ? 0 : quant(m, dice, 1, BIAS);
    const bias = m.int32(Array.from({ length: y.c }, () => dice.in(-BIAS, BIAS)));
    return [
      ...structs,
      ...data,
      m.reserve(4 * count),
      count,
      weightQuant,
      masters,
      m.int8(weights),
      biasQuant,
      bias,
    ];
  },
  drawMasters(m, dice) {
    const n = dice.in(0, 200);
    return [
      dice.in(-(2 ** 31), 2 ** 31 - 1),
      dice.of(0, 2 ** 18, dice.in(0, 2 ** 18)),
      dice.in(0, 31),
      n,
      m.reserve(2 * n, 2),
    ];
  },
  weightsOf(m, dice) {
    const n = dice.in(0, 200);
    const masters = Array.from({ length: n }, () => dice.of(-32768, 32767, dice.in(-MASTER, MASTER)));
    return [m.int16(masters), n, dice.in(0, 1), m.reserve(n, 1)];
  },
  softmaxCrossEntropy(m, dice) {
    const n = dice.in(1, 30);
    const logits = dice.chance(2) ? wide(dice, n) : Array.from({ length: n }, () => dice.in(-40000, 40000));
    return [
      quant(m, dice, 1, 2 ** 31 - 1, -(2 ** 31)),
      m.int32(logits),
      n,
      dice.in(0, n - 1),
      m.reserve(4 * n),
    ];
  },
};

/** Calls of an intrinsic over memory of `bytes` bytes at `base`; about half have something wrong. */
export function callsOf(name: IntrinsicName, base: number, bytes: number): fc.Arbitrary<Call> {
  return fc.integer().map((seed) => {
    const dice = new Dice(seed);
    const m = new Layout(base, bytes, dice);
    const args = MAKERS[name](m, dice);
    const wrong = dice.in(0, 5);
    if (wrong === 0) m.damage();
    if (wrong === 1 || wrong === 2) {
      const at = dice.in(0, args.length - 1);
      const near = args[dice.in(0, args.length - 1)] as number;
      const value = args[at] as number;
      // nothing below the test's memory: there a device has its own
      const far = [-1, near, 65536, 65535, 2 ** 31 - 1, base + bytes];
      args[at] = dice.of(
        value + 1,
        ...(value >= base ? far.filter((other) => other < 0 || other >= base) : [0, ...far]),
      );
    }
    return { name, args, memory: m.used };
  });
}
