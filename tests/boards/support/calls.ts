// Random calls of intrinsics: memory with tensors, structs and arguments that fit each other, now and then with one thing
// that does not.
import fc from "fast-check";
import { PASS_INTRINSICS, passMakers } from "./calls-pass.ts";
import { RESIDUAL_INTRINSICS, residualMakers } from "./calls-residual.ts";
import { SGQ_INTRINSICS, sgqMakers } from "./calls-sgq.ts";
import {
  Dice,
  elements,
  Layout,
  type Maker,
  quant,
  scratch,
  tensor,
  WORKSPACE,
  wide,
  window,
} from "./layout.ts";

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
  ...RESIDUAL_INTRINSICS,
  ...PASS_INTRINSICS,
  ...SGQ_INTRINSICS,
] as const;

export type IntrinsicName = (typeof INTRINSICS)[number]["name"];

export interface Call {
  name: IntrinsicName;
  args: number[];
  /** The first bytes of the memory before the call; the rest is zero. */
  memory: Uint8Array;
}

const MASTER = 32512;
const BIAS = 2 ** 30;

/** Arguments of each intrinsic. */
const MAKERS: Record<IntrinsicName, Maker> = {
  ...residualMakers,
  ...passMakers,
  ...sgqMakers,
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
    return [...structs, ...data, WORKSPACE, count, weightQuant, masters, m.int8(weights), biasQuant, bias];
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
