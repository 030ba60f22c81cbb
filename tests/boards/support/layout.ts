// What calls of intrinsics are made of: random numbers from one seed, memory with structs and arrays, shapes that fit each
// other.

/** A small generator of numbers, so that a call follows from one seed and shrinks to a printable one. */
export class Dice {
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
export class Layout {
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

  /** Bytes as they are. */
  bytes(values: Int8Array): number {
    const at = this.reserve(values.length, 1);
    this.#memory.set(new Uint8Array(values.buffer, values.byteOffset, values.length), at - this.#base);
    return at;
  }

  /** The same int8 values twice, the second time with about one in eight moved by at most `most`. */
  twice(count: number, most: number): [number, number] {
    const first = this.int8(count);
    const second = this.reserve(count, 1);
    for (let i = 0; i < count; i++) {
      const value = ((this.#memory[first - this.#base + i] as number) << 24) >> 24;
      const moved = this.#dice.chance(8) ? value + this.#dice.in(-most, most) : value;
      this.#memory[second - this.#base + i] = Math.max(-128, Math.min(127, moved));
    }
    return [first, second];
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

export interface Shape {
  h: number;
  w: number;
  c: number;
  pitch: number;
}

const length = (input: number, pads: number, kernel: number, stride: number, dilation: number) => {
  const room = input + pads - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : Math.floor(room / stride) + 1;
};

/**
 * A convolution or pooling that fits: two shapes and the fields of the conv struct. Convolutions are now and then dense,
 * 1×1, or depthwise.
 */
export function window(
  dice: Dice,
  pool: boolean,
): { x: Shape; y: Shape; fields: number[]; groups: number; kernel: number } {
  for (;;) {
    const dense = !pool && dice.chance(5);
    const pointwise = !pool && !dense && dice.chance(5);
    const depthwise = !pool && !dense && !pointwise && dice.chance(4);
    const groups = depthwise ? dice.in(1, 9) : dice.of(1, 1, 1, 2, 3);
    const x = {
      h: dense ? 1 : dice.in(1, 7),
      w: dense ? 1 : dice.in(1, 7),
      c: groups * (depthwise ? 1 : dense ? dice.in(1, 40) : dice.in(1, pointwise ? 9 : 4)),
      pitch: 0,
    };
    const [kh, kw] = dense || pointwise ? [1, 1] : [dice.in(1, 4), dice.in(1, 4)];
    const [sh, sw] = [dice.in(1, 3), dice.in(1, 3)];
    const [dh, dw] = [dice.of(1, 1, 2), dice.of(1, 1, 3)];
    const pads = Array.from({ length: 4 }, () => (dense || pointwise ? 0 : dice.of(0, 0, 1, 2, 4)));
    const [top, left, bottom, right] = pads as [number, number, number, number];
    const y = {
      h: length(x.h, top + bottom, kh, sh, dh),
      w: length(x.w, left + right, kw, sw, dw),
      // kernels work on blocks of channels
      c: pool ? x.c : groups * (depthwise ? dice.of(1, 1, 2, 3) : dice.of(dice.in(1, 4), dice.in(4, 9))),
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

export const tensor = (m: Layout, { h, w, c, pitch }: Shape) => m.struct(h, w, c, pitch);
export const elements = ({ h, w, c, pitch }: Shape) => (h - 1) * pitch + w * c;

/** A quant struct: multipliers and shifts for 1 or `channels` channels, range within `max`. */
export function quant(
  m: Layout,
  dice: Dice,
  channels: number,
  max: number,
  min = -max,
  shift = () => dice.of(dice.in(1, 62), dice.in(30, 45)),
): number {
  const n = dice.chance(2) ? 1 : channels;
  const multipliers = m.int32(
    Array.from({ length: n }, () => dice.of(2 ** 30, 2 ** 31 - 1, dice.in(2 ** 30, 2 ** 31 - 1))),
  );
  const shifts = m.int32(Array.from({ length: n }, shift));
  const wide = dice.chance(2);
  const lo = wide ? min : dice.in(min, 0);
  const hi = wide ? max : dice.in(0, max);
  const zeros = [dice.of(0, 0, dice.in(-128, 127)), dice.of(0, dice.in(-128, 127))];
  return m.struct(...zeros, lo, hi, multipliers, shifts, n, dice.in(0, 1), dice.in(-(2 ** 31), 2 ** 31 - 1));
}

/** Scratch and workspace lie outside the memory that is compared: what is left in them is nobody's business. */
export const SCRATCH = 32768;
export const WORKSPACE = 49152;
export const scratch = (m: Layout, dice: Dice, kernel: number) =>
  m.struct(SCRATCH, 11 * kernel + 48 + dice.of(0, 0, 4));

export const wide = (dice: Dice, n: number) =>
  Array.from({ length: n }, () =>
    dice.of(0, -(2 ** 31), 2 ** 31 - 1, dice.in(-3000, 3000), dice.in(-(2 ** 31), 2 ** 31 - 1)),
  );

/** Lays out one call; returns its arguments. */
export type Maker = (m: Layout, dice: Dice) => number[];
