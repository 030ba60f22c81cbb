// Calls of intrinsics at the largest shapes that their limits allow, with the values that make the largest sums; and what has to
// come of them, in whole numbers without a bound.
import { type Quant, requantised } from "./exact.ts";
import { type Conv, fieldsOf, forward, gradInput, gradWeight, inputOf, outputOf } from "./exact-conv.ts";
import { type Extreme, layout, quantStruct, SCRATCH } from "./extreme.ts";
import { combineExtremes } from "./extremes-combine.ts";
import { updateExtremes } from "./extremes-update.ts";
import { type Layout, tensor } from "./layout.ts";

/** Asks for accumulators. */
const sums = (m: Layout, zero: number): number => m.struct(zero, 0, 0, 0, 0, 0, 1, 0, 0);

const filled = (n: number, value: (i: number) => number): Int8Array =>
  Int8Array.from({ length: n }, (_, i) => value(i));

/** Products at most: the kernel's 8 × 49 × 337 are 132,104; with a zero point at the edge, half of them. */
const WIDE: Conv = { h: 8, w: 52, c: 337, kh: 8, kw: 49, pads: [0, 0, 0, 0], groups: 1, oc: 3 };
const HALF: Conv = { ...WIDE, h: 4, kh: 4 };
const DENSE: Conv = { h: 1, w: 1, c: 32767, kh: 1, kw: 1, pads: [0, 0, 0, 0], groups: 1, oc: 6 };
const POINTWISE: Conv = { h: 1, w: 3, c: 32767, kh: 1, kw: 1, pads: [0, 0, 0, 0], groups: 1, oc: 3 };
const DEPTHWISE: Conv = { h: 363, w: 363, c: 4, kh: 363, kw: 363, pads: [0, 0, 0, 0], groups: 4, oc: 4 };
/** One input under every tap of every channel. */
const NARROW: Conv = { h: 1, w: 1, c: 1, kh: 8, kw: 49, pads: [7, 48, 7, 48], groups: 1, oc: 337 };
const NARROW_DEPTHWISE: Conv = {
  h: 1,
  w: 1,
  c: 2,
  kh: 363,
  kw: 363,
  pads: [362, 362, 362, 362],
  groups: 2,
  oc: 2,
};
/** As many positions as products. */
const LONG: Conv = { h: 8, w: 16513, c: 1, kh: 1, kw: 1, pads: [0, 0, 0, 0], groups: 1, oc: 3 };
const LONG_HALF: Conv = { ...LONG, h: 4 };
const LONG_DEPTHWISE: Conv = { ...LONG, c: 2, groups: 2, oc: 2 };

const MOST = 2 ** 31 - 1;
const QUANTS: Quant[] = [
  { inputZero: 0, outputZero: 0, lo: -128, hi: 127, multiplier: MOST, shift: 62 },
  { inputZero: 0, outputZero: -128, lo: -128, hi: 127, multiplier: MOST, shift: 1 },
  { inputZero: 0, outputZero: 127, lo: -127, hi: 127, multiplier: MOST, shift: 55, key: 0x80000001 | 0 },
];

function scratchOf(m: Layout, conv: Conv): number {
  return m.struct(SCRATCH, 11 * conv.kh * conv.kw * (conv.c / conv.groups) + 48);
}

/** One sign for all that meets in a sum, another one for each output channel. */
function conv2d(what: string, conv: Conv, zero: number, x: number, quant?: Quant, past = 0): Extreme {
  const m = layout();
  const k = (conv.kh * conv.kw * conv.c) / conv.groups;
  const input = filled(conv.h * conv.w * conv.c, () => x);
  const w = filled(k * conv.oc, (i) => (Math.floor(i / k) % 2 ? -127 : 127));
  // what the products leave of int32 is for the bias
  const room = 2 ** 31 - k * 127 * (128 + Math.abs(zero));
  const sign = (x - zero < 0 ? -1 : 1) as number;
  const bias = Array.from({ length: conv.oc }, (_, o) => (o % 2 ? -sign : sign) * (room - 1 + past));
  const q = quant ? quantStruct(m, { ...quant, inputZero: zero }) : sums(m, zero);
  const structs = [scratchOf(m, conv), m.struct(...fieldsOf(conv)), q, tensor(m, inputOf(conv))];
  const data = [m.bytes(input), m.bytes(w), m.int32(bias), tensor(m, outputOf(conv))];
  const exact = forward(conv, input, w, bias, zero);
  const at = quant ? m.reserve(exact.length, 1) : m.reserve(4 * exact.length);
  const values = quant
    ? Int8Array.from(exact, (sum, i) => requantised(sum, quant, i))
    : Int32Array.from(exact);
  return { what, name: "conv2d", args: [...structs, ...data, at], memory: m.used, left: [{ at, values }] };
}

/** A bias of one more than the products leave. */
export const spilled = (): Extreme => conv2d("one too many", WIDE, 0, -128, undefined, 1);

/** More products than an accumulator takes. */
function refused(): Extreme {
  const call = conv2d("a zero point that leaves too little room", WIDE, 1, 127);
  return { ...call, left: [], trap: [4, 1, 132104, 131080] };
}

function gradientOfInput(what: string, conv: Conv, e: number): Extreme {
  const m = layout();
  const k = (conv.kh * conv.kw * conv.c) / conv.groups;
  const shape = outputOf(conv);
  const errors = filled(shape.h * shape.w * shape.c, () => e);
  const w = filled(k * conv.oc, () => 127);
  const values = Int32Array.from(gradInput(conv, errors, w));
  const structs = [scratchOf(m, conv), m.struct(...fieldsOf(conv)), tensor(m, shape)];
  const data = [m.bytes(errors), m.bytes(w), tensor(m, inputOf(conv))];
  const at = m.reserve(4 * values.length);
  return {
    what,
    name: "conv2dGradInput",
    args: [...structs, ...data, at],
    memory: m.used,
    left: [{ at, values }],
  };
}

function gradientOfWeights(what: string, conv: Conv, zero: number, x: number): Extreme {
  const m = layout();
  const shape = outputOf(conv);
  const input = filled(conv.h * conv.w * conv.c, () => x);
  const errors = filled(shape.h * shape.w * shape.c, (i) => (i % conv.oc === 1 ? -127 : 127));
  const { dw, db } = gradWeight(conv, input, errors, zero);
  const structs = [scratchOf(m, conv), m.struct(...fieldsOf(conv)), sums(m, zero)];
  const data = [tensor(m, inputOf(conv)), m.bytes(input), tensor(m, shape), m.bytes(errors), 0, conv.oc];
  const left = [dw, db].map((values) => ({
    at: m.reserve(4 * values.length),
    values: Int32Array.from(values),
  }));
  const args = [...structs, ...data, ...left.map(({ at }) => at)];
  return { what, name: "conv2dGradWeight", args, memory: m.used, left };
}

/** All extremes, by the intrinsic that they are of. */
export const EXTREMES: Extreme[] = [
  conv2d("132,104 products", WIDE, 0, -128),
  conv2d("132,104 products, the other sign", WIDE, 0, 127),
  conv2d("a zero point of −128", HALF, -128, 127),
  conv2d("a zero point of 127", HALF, 127, -128),
  refused(),
  conv2d("a dense layer", DENSE, 0, -128),
  conv2d("pointwise, a zero point of −128", POINTWISE, -128, 127),
  conv2d("pointwise", POINTWISE, 0, -128),
  conv2d("depthwise", DEPTHWISE, 0, -128),
  ...QUANTS.map((quant, i) => conv2d(`requantised, form ${i}`, WIDE, 0, -128, quant)),
  ...QUANTS.map((quant, i) => conv2d(`pointwise, requantised, form ${i}`, POINTWISE, 0, 127, quant)),
  gradientOfInput("132,104 products", NARROW, 127),
  gradientOfInput("the other sign", NARROW, -127),
  gradientOfInput("depthwise", NARROW_DEPTHWISE, -127),
  gradientOfWeights("132,104 positions", LONG, 0, -128),
  gradientOfWeights("the other sign", LONG, 0, 127),
  gradientOfWeights("a zero point of −128", LONG_HALF, -128, 127),
  gradientOfWeights("depthwise", LONG_DEPTHWISE, 0, -128),
  ...updateExtremes(),
  ...combineExtremes(),
];
