// Extremes of what comes of sums: requantisation, updates of weights and biases, first weights, the loss.

import { clamp, draw, type Quant, requantised, scaled } from "./exact.ts";
import { type Conv, fieldsOf, gradWeight, inputOf, outputOf } from "./exact-conv.ts";
import { type Extreme, layout, quantStruct, SCRATCH } from "./extreme.ts";
import { type Layout, tensor } from "./layout.ts";

const MOST = 2 ** 31 - 1;
const LEAST = -(2 ** 31);
const MASTER = 32512;
const BIAS = 2 ** 30;
const KEY = 0x9e3779b9 | 0;

/** The largest values, those next to them, and what lies about 0. */
const VALUES = [LEAST, LEAST + 1, -(2 ** 30), -1, 0, 1, 2 ** 30, MOST - 1, MOST];

/** Every multiplier at its edge with every kind of shift, to nearest and by draws. */
const forms = (most: number, least = -most): Quant[] =>
  [2 ** 30, MOST].flatMap((multiplier) =>
    [1, 2, 15, 16, 31, 32, 47, 62].flatMap((shift) =>
      [undefined, KEY].map((key) => ({
        ...{ inputZero: 0, outputZero: 0, lo: least, hi: most, multiplier, shift },
        ...(key === undefined ? {} : { key }),
      })),
    ),
  );

const named = ({ multiplier, shift, key }: Quant): string =>
  `m ${multiplier === MOST ? "largest" : "least"}, s ${shift}, ${key === undefined ? "nearest" : "draws"}`;

const FIRST = MOST;

function flat(quant: Quant, name: "requantize" | "requantize32"): Extreme {
  const m = layout();
  const q = quantStruct(m, quant);
  const x = m.int32(VALUES);
  const exact = VALUES.map((value, i) => requantised(value, quant, FIRST + i));
  const wide = name === "requantize32";
  const at = wide ? m.reserve(4 * VALUES.length) : m.reserve(VALUES.length, 1);
  const values = wide ? Int32Array.from(exact) : Int8Array.from(exact);
  const args = [q, x, VALUES.length, FIRST, at];
  return { what: `${name}, ${named(quant)}`, name, args, memory: m.used, left: [{ at, values }] };
}

/** Every gradient against every start. */
function against(starts: readonly number[]): { gradients: number[]; from: number[] } {
  const pairs = VALUES.flatMap((gradient) => starts.map((start) => ({ gradient, start })));
  return { gradients: pairs.map(({ gradient }) => gradient), from: pairs.map(({ start }) => start) };
}

/** Masters after a step; one that the step does not move stays, wherever it is. */
function stepped(masters: readonly number[], gradients: readonly number[], quant: Quant, first: number) {
  let clamped = 0;
  const moved = masters.map((master, i) => {
    const step = scaled(gradients[i]!, quant, first + i);
    if (step === 0n) return master;
    const next = BigInt(master) - step;
    const kept = clamp(next, quant.lo, quant.hi);
    if (BigInt(kept) !== next) clamped++;
    return kept;
  });
  return { moved, clamped };
}

function weights(quant: Quant): Extreme {
  const m = layout();
  const { gradients, from } = against([-MASTER, -1, 0, 1, MASTER]);
  const { moved, clamped } = stepped(from, gradients, quant, FIRST);
  const before = Int8Array.from(from, (master) => (master + 128) >> 8);
  const args = [quantStruct(m, quant), m.int32(gradients), from.length, FIRST];
  const left = [
    { at: m.int16(from), values: Int16Array.from(moved) },
    { at: m.bytes(before), values: Int8Array.from(moved, (master) => (master + 128) >> 8) },
  ];
  args.push(...left.map(({ at }) => at));
  return {
    what: `sgdUpdate, ${named(quant)}`,
    name: "sgdUpdate",
    args,
    memory: m.used,
    left,
    result: clamped,
  };
}

function biases(quant: Quant): Extreme {
  const m = layout();
  const { gradients, from } = against([LEAST, -BIAS, 0, BIAS, MOST]);
  const moved = from.map((bias, i) =>
    clamp(BigInt(bias) - BigInt(requantised(gradients[i]!, quant, FIRST + i)), quant.lo, quant.hi),
  );
  const q = quantStruct(m, quant);
  const x = m.int32(gradients);
  const at = m.int32(from);
  const args = [q, x, from.length, FIRST, at];
  const left = [{ at, values: Int32Array.from(moved) }];
  return { what: `sgdUpdate32, ${named(quant)}`, name: "sgdUpdate32", args, memory: m.used, left };
}

/** The fused step on the largest gradients: all positions that an accumulator takes, or the widest dense layer. */
function learn(what: string, conv: Conv, weightShift: number, biasShift: number): Extreme {
  const m = layout();
  const fanIn = (conv.kh * conv.kw * conv.c) / conv.groups;
  const shape = outputOf(conv);
  const input = new Int8Array(conv.h * conv.w * conv.c).fill(-128);
  const errors = Int8Array.from({ length: shape.h * shape.w * shape.c }, (_, i) =>
    i % conv.oc === 1 ? -127 : 127,
  );
  const { dw, db } = gradWeight(conv, input, errors, 0);
  const weightQuant = { ...forms(MASTER)[0]!, multiplier: MOST, shift: weightShift, key: KEY };
  const biasQuant = { ...forms(BIAS)[0]!, multiplier: MOST, shift: biasShift, key: KEY + 1 };
  const masters = Array.from(dw, (_, i) => (i % 2 ? -MASTER : MASTER));
  const started = Array.from(db, (_, i) => (i % 2 ? -BIAS : BIAS));
  const { moved, clamped } = stepped(masters, [...dw], weightQuant, 0);
  const movedBiases = started.map((bias, i) =>
    clamp(BigInt(bias - requantised(db[i]!, biasQuant, i)), -BIAS, BIAS),
  );
  const zero = m.struct(0, 0, 0, 0, 0, 0, 1, 0, 0);
  const scratch = m.struct(SCRATCH, 11 * fanIn + 48);
  const data = [tensor(m, inputOf(conv)), m.bytes(input), tensor(m, shape), m.bytes(errors)];
  // the workspace lies behind scratch
  const workspace = [SCRATCH + (1 << 20), 2 * (fanIn + 1)];
  const args = [
    scratch,
    m.struct(...fieldsOf(conv)),
    zero,
    ...data,
    ...workspace,
    quantStruct(m, weightQuant),
  ];
  const left = [
    { at: m.int16(masters), values: Int16Array.from(moved) },
    {
      at: m.bytes(Int8Array.from(masters, (w) => (w + 128) >> 8)),
      values: Int8Array.from(moved, (w) => (w + 128) >> 8),
    },
  ];
  args.push(...left.map(({ at }) => at), quantStruct(m, biasQuant));
  left.push({ at: m.int32(started), values: Int32Array.from(movedBiases) } as never);
  args.push(left[2]!.at);
  return { what, name: "conv2dLearn", args, memory: m.used, left, result: clamped };
}

function magnitudes(): Extreme[] {
  const wide: Layout = layout();
  const narrow: Layout = layout();
  const n = 300_000;
  const all = new Array<number>(n).fill(LEAST);
  const at = narrow.bytes(new Int8Array(n).fill(-128));
  return [
    {
      what: "absMaxS32 of −2^31",
      name: "absMaxS32",
      args: [wide.int32(all), n],
      memory: wide.used,
      left: [],
      result: MOST,
    },
    { what: "absMaxS8 of −128", name: "absMaxS8", args: [at, n], memory: narrow.used, left: [], result: 128 },
  ];
}

function masters(): Extreme[] {
  return [0, 31].flatMap((shift) => {
    const m = layout();
    const n = 4096;
    const bound = 1 << 18;
    const values = Int16Array.from({ length: n }, (_, i) =>
      clamp((BigInt(draw(KEY, i) - 32768) * BigInt(bound)) >> BigInt(shift), -32768, 32767),
    );
    const at = m.reserve(2 * n, 2);
    const args = [KEY, bound, shift, n, at];
    return [
      {
        what: `drawMasters, shift ${shift}`,
        name: "drawMasters",
        args,
        memory: m.used,
        left: [{ at, values }],
      },
    ];
  });
}

const GRADIENT: Conv = { h: 8, w: 16513, c: 1, kh: 1, kw: 1, pads: [0, 0, 0, 0], groups: 1, oc: 3 };
const OUTER: Conv = { h: 1, w: 1, c: 32767, kh: 1, kw: 1, pads: [0, 0, 0, 0], groups: 1, oc: 3 };

export function updateExtremes(): Extreme[] {
  return [
    ...forms(127, -128).map((quant) =>
      flat({ ...quant, outputZero: quant.shift % 2 ? -128 : 127 }, "requantize"),
    ),
    ...forms(BIAS).map((quant) => flat(quant, "requantize32")),
    ...forms(MASTER).map(weights),
    ...forms(BIAS).map(biases),
    learn("a step on 132,104 positions", GRADIENT, 1, 1),
    learn("a step on 132,104 positions, small", GRADIENT, 47, 30),
    learn("a step of a dense layer", OUTER, 1, 1),
    learn("a step of a dense layer, small", OUTER, 40, 30),
    ...magnitudes(),
    ...masters(),
  ];
}
