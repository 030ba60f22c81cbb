// Extremes of pooling, of sums of two tensors, and of the loss.

import { clamp, type Quant, requantised, rounding } from "./exact.ts";
import { type Conv, fieldsOf, inputOf, outputOf } from "./exact-conv.ts";
import { type Extreme, layout, quantStruct } from "./extreme.ts";
import { tensor } from "./layout.ts";

const MOST = 2 ** 31 - 1;
const LEAST = -(2 ** 31);
const KEY = 0x7f4a7c15;

const NONE: [number, number, number, number] = [0, 0, 0, 0];
/** As many inputs under one window as an accumulator takes products. */
const ALL: Conv = { h: 363, w: 363, c: 2, kh: 363, kw: 363, pads: NONE, groups: 1, oc: 2 };
/** As many windows over one input as its gradient takes. */
const MET: Conv = { h: 1, w: 1, c: 2, kh: 15, kw: 17, pads: [14, 16, 14, 16], groups: 1, oc: 2 };

const quantOf = (multiplier: number, shift: number, more: Partial<Quant> = {}): Quant => ({
  ...{ inputZero: 0, outputZero: 0, lo: -128, hi: 127, multiplier, shift },
  ...more,
});

/** ⌊a / b⌋ for b > 0. */
const floorDivide = (a: bigint, b: bigint): bigint => (a >= 0n ? a / b : -((-a + b - 1n) / b));

function mean(x: number, zero: number, quant?: Quant): Extreme {
  const m = layout();
  const count = ALL.kh * ALL.kw;
  const sum = (x - zero) * count;
  const q = quant ? quantStruct(m, { ...quant, inputZero: zero }) : m.struct(zero, 0, 0, 0, 0, 0, 1, 0, 0);
  const args = [m.struct(...fieldsOf(ALL)), q, tensor(m, inputOf(ALL))];
  args.push(m.bytes(new Int8Array(ALL.h * ALL.w * ALL.c).fill(x)), tensor(m, outputOf(ALL)));
  const at = m.reserve(8);
  const meanOf = (of: Quant, i: number): number => {
    const whole = BigInt(sum) * BigInt(of.multiplier) + BigInt(count) * rounding(of, i);
    return clamp(floorDivide(whole >> BigInt(of.shift), BigInt(count)) + BigInt(of.outputZero), of.lo, of.hi);
  };
  const values = quant ? Int8Array.from([0, 1], (i) => meanOf(quant, i)) : Int32Array.of(sum, sum);
  const what = `the mean of ${count} inputs ${x}, zero point ${zero}, ${quant ? `s ${quant.shift}` : "sums"}`;
  return { what, name: "averagePool2d", args: [...args, at], memory: m.used, left: [{ at, values }] };
}

/** Errors that all come back to one input. */
function back(name: "averagePool2dGrad" | "maxPool2dGrad", e: number): Extreme {
  const m = layout();
  const [outer, inner] = [outputOf(MET), inputOf(MET)];
  const errors = m.bytes(new Int8Array(outer.h * outer.w * outer.c).fill(e));
  const args = [m.struct(...fieldsOf(MET))];
  const average = name === "averagePool2dGrad";
  if (!average) args.push(tensor(m, inner), m.bytes(Int8Array.of(-128, 127)));
  args.push(tensor(m, outer), errors, tensor(m, inner));
  const at = m.reserve(8);
  const sum = e * 65536 * outer.h * outer.w;
  const values = average ? Int32Array.of(sum, sum) : Int8Array.of(Math.sign(e) * 127, Math.sign(e) * 127);
  return {
    what: `255 errors of ${e}, ${name}`,
    name,
    args: [...args, at],
    memory: m.used,
    left: [{ at, values }],
  };
}

const EDGES = [-128, -127, -1, 0, 1, 127];
const pairs = EDGES.flatMap((a) => EDGES.map((b) => [a, b] as const));
const FIRST = LEAST;

function sum(a: Quant, b: Quant): Extreme {
  const m = layout();
  const s = BigInt(Math.max(a.shift, b.shift));
  const part = (x: number, { inputZero, multiplier, shift }: Quant): bigint =>
    (BigInt(x - inputZero) * BigInt(multiplier)) << (s - BigInt(shift));
  const values = Int8Array.from(pairs, ([x, y], i) => {
    const exact = part(x, a) + part(y, b) + rounding({ ...a, shift: Number(s) }, FIRST + i);
    return clamp((exact >> s) + BigInt(a.outputZero), a.lo, a.hi);
  });
  const args = [quantStruct(m, a), m.bytes(Int8Array.from(pairs, ([x]) => x))];
  args.push(quantStruct(m, b), m.bytes(Int8Array.from(pairs, ([, y]) => y)), pairs.length, FIRST);
  const at = m.reserve(pairs.length, 1);
  const what = `a sum, shifts ${a.shift} and ${b.shift}, zero points ${a.inputZero} and ${b.inputZero}`;
  return { what, name: "add", args: [...args, at], memory: m.used, left: [{ at, values }] };
}

const STARTS = [LEAST, -1, 0, 1, MOST];

function joined(quant: Quant): Extreme {
  const m = layout();
  const all = EDGES.flatMap((e) => STARTS.map((y) => [e, y] as const));
  const values = Int32Array.from(all, ([e, y], i) =>
    clamp(
      BigInt(y) +
        ((BigInt(e - quant.inputZero) * BigInt(quant.multiplier) + rounding(quant, FIRST + i)) >>
          BigInt(quant.shift)),
      quant.lo,
      quant.hi,
    ),
  );
  const args = [quantStruct(m, quant), m.bytes(Int8Array.from(all, ([e]) => e)), all.length, FIRST];
  const at = m.int32(all.map(([, y]) => y));
  const what = `an error that joins another, s ${quant.shift}`;
  return { what, name: "addGrad", args: [...args, at], memory: m.used, left: [{ at, values }] };
}

function rescaled(quant: Quant): Extreme {
  const m = layout();
  const shape = { h: 1, w: 1, c: EDGES.length, pitch: EDGES.length };
  const values = Int8Array.from(EDGES, (x, i) => requantised(x - quant.inputZero, quant, i));
  const t = tensor(m, shape);
  const args = [quantStruct(m, quant), t, m.bytes(Int8Array.from(EDGES)), t];
  const at = m.reserve(EDGES.length, 1);
  const what = `rescaled, s ${quant.shift}`;
  return { what, name: "rescale", args: [...args, at, 0], memory: m.used, left: [{ at, values }] };
}

/** The largest logits, and the most; what has to come of them is known without a table: all alike, or one alone. */
function losses(): Extreme[] {
  const n = 32767;
  const one = (what: string, logits: number[], label: number, errors: number[], result: number): Extreme => {
    const m = layout();
    const args = [quantStruct(m, quantOf(MOST, 31)), m.int32(logits), logits.length, label];
    const at = m.reserve(4 * logits.length);
    const left = [{ at, values: Int32Array.from(errors) }];
    return { what, name: "softmaxCrossEntropy", args: [...args, at], memory: m.used, left, result };
  };
  const alike = new Array<number>(n).fill(MOST);
  const share = alike.map((_, i) => (i === 5 ? 2 - 65536 : 2));
  // log2 in Q16, cut off, times ln 2 in Q16: docs/abi.md, 17
  const even = Math.floor((Math.floor(Math.log2(n) * 65536) * 45426) / 65536);
  const far = Math.floor(((1 << 24) * 45426) / 65536);
  return [
    one("32,767 logits alike", alike, 5, share, even),
    one("a label as far behind as it goes", [LEAST, MOST], 0, [-65536, 65536], far),
    one("a label as far ahead", [LEAST, MOST], 1, [0, 0], 0),
  ];
}

export function combineExtremes(): Extreme[] {
  const [low, high] = [{ inputZero: -128 }, { inputZero: 127, outputZero: -128 }];
  const random = { key: KEY, outputZero: 127 };
  return [
    mean(-128, 127),
    mean(127, -128),
    ...[1, 31, 45].flatMap((s) => [
      mean(-128, 127, quantOf(MOST, s)),
      mean(127, -128, quantOf(MOST, s, random)),
      mean(-128, 0, quantOf(2 ** 30, s, random)),
    ]),
    ...[-128, 127].map((e) => back("averagePool2dGrad", e)),
    ...[-127, 127].map((e) => back("maxPool2dGrad", e)),
    ...[1, 31, 62].flatMap((s) =>
      [1, 31, 62].flatMap((t) => [
        sum(quantOf(MOST, s, low), quantOf(MOST, t, low)),
        sum(quantOf(MOST, s, { ...high, ...random }), quantOf(MOST, t, high)),
      ]),
    ),
    ...[1, 31, 62].flatMap((s) => [
      joined(quantOf(MOST, s, { ...low, lo: LEAST, hi: MOST })),
      joined(quantOf(MOST, s, { ...high, ...random, lo: LEAST, hi: MOST })),
      rescaled(quantOf(MOST, s, low)),
      rescaled(quantOf(MOST, s, { ...high, ...random })),
    ]),
    ...losses(),
  ];
}
