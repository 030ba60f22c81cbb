// The depthwise forms of intrinsics 1–3 against the general ones: the same bits for random shapes, windows, multipliers, zero
// points and roundings, and the same as a convolution of one group whose other weights are zero.
import { BAD_STRUCT, SCRATCH_SMALL } from "../../device/errors";
import { conv2d } from "../conv2d";
import { depthwiseConv2d, depthwiseConv2dGradInput, depthwiseConv2dGradWeight } from "../conv2d-depthwise";
import * as dispatch from "../conv2d-dispatch";
import { conv2dGradInput } from "../conv2d-grad-input";
import { conv2dGradWeight } from "../conv2d-grad-weight";
import { scratchNeed } from "../structs";
import * as g from "./convolution";
import {
  bytes,
  copyOf,
  errorOf,
  failure,
  quant,
  random,
  random32,
  randomBytes,
  randomWords,
  same,
  scratch,
  span,
} from "./support";

const CASES: i32 = 120;

/** One multiplier for each channel, or for all. */
function quantisation(channels: i32): usize {
  const q = quant(1 << 30, random(31, 40), random(-128, -1), random(0, 127), random(0, 1), random32());
  store<i32>(q, random(-128, 127), 4);
  store<i32>(q, random(-128, 127), 8);
  if (random(0, 1)) return q;
  const m = bytes(channels << 2);
  const s = bytes(channels << 2);
  for (let i = 0; i < channels; ++i) {
    store<i32>(m + (i << 2), (1 << 30) | (random32() & 0x3fffffff));
    store<i32>(s + (i << 2), random(30, 42));
  }
  store<i32>(q, <i32>m, 20);
  store<i32>(q, <i32>s, 24);
  store<i32>(q, channels, 28);
  return q;
}

describe("depthwise conv2d (1)", () => {
  test("gives the general form's bits, int8 and int32", () => {
    for (let n = 0; n < CASES; ++n) {
      g.make(n, true);
      const q = quantisation(g.cOut);
      const bias = random(0, 2) ? randomWords(g.cOut, -30000, 30000) : 0;
      const wide = random(0, 3) == 0;
      if (wide) store<i32>(q, 0, 20);
      const length = span(g.yT) << 2;
      const want = randomBytes(length, 1, 1);
      const got = copyOf(want, length);
      conv2d(g.work, g.window, q, g.xT, g.x, g.w, bias, g.yT, want);
      depthwiseConv2d(g.work, g.window, q, g.xT, g.x, g.w, bias, g.yT, got);
      if (!same(want, got, length)) throw new Error(`case ${n}`);
    }
  });

  test("is a convolution of one group whose weights between channels are zero", () => {
    for (let n = 0; n < CASES; ++n) {
      g.make(n, true);
      const q = quantisation(g.cOut);
      const got = bytes(span(g.yT));
      depthwiseConv2d(g.work, g.window, q, g.xT, g.x, g.w, 0, g.yT, got);
      const area = g.kh * g.kw;
      const multiplier = g.cOut / g.cIn;
      const dense = bytes(area * g.cIn * g.cOut);
      for (let o = 0; o < g.cOut; ++o) {
        for (let tap = 0; tap < area; ++tap) {
          store<i8>(dense + (o * area + tap) * g.cIn + o / multiplier, load<i8>(g.w + o * area + tap));
        }
      }
      const one = copyOf(g.window, 64);
      store<i32>(one, 1, 44);
      const want = bytes(span(g.yT));
      conv2d(scratch(<i32>scratchNeed(area * g.cIn)), one, q, g.xT, g.x, dense, 0, g.yT, want);
      if (!same(want, got, span(g.yT))) throw new Error(`case ${n}`);
    }
  });
});

describe("depthwise conv2dGradInput (2) and conv2dGradWeight (3)", () => {
  test("give the general forms' bits", () => {
    for (let n = 0; n < CASES; ++n) {
      g.make(n, true);
      const length = span(g.xT) << 2;
      const want = bytes(length);
      const got = bytes(length);
      conv2dGradInput(g.work, g.window, g.yT, g.e, g.w, g.xT, want);
      depthwiseConv2dGradInput(g.work, g.window, g.yT, g.e, g.w, g.xT, got);
      if (!same(want, got, length)) throw new Error(`input, case ${n}`);
      const q = quantisation(g.cOut);
      const c0 = random(0, g.cOut);
      const c1 = random(c0, g.cOut);
      const weights = (c1 - c0) * g.fanIn * 4;
      const dw = [randomBytes(weights, 1, 1), randomBytes(weights, 2, 2)];
      const db = [randomBytes((c1 - c0) << 2, 1, 1), randomBytes((c1 - c0) << 2, 2, 2)];
      conv2dGradWeight(g.work, g.window, q, g.xT, g.x, g.yT, g.e, c0, c1, dw[0], db[0]);
      depthwiseConv2dGradWeight(g.work, g.window, q, g.xT, g.x, g.yT, g.e, c0, c1, dw[1], db[1]);
      if (!same(dw[0], dw[1], weights)) throw new Error(`weights, case ${n}`);
      if (!same(db[0], db[1], (c1 - c0) << 2)) throw new Error(`biases, case ${n}`);
    }
  });
});

describe("a call of intrinsics.wasm", () => {
  test("gets either form's bits and the errors of both", () => {
    g.make(4, true);
    const q = quantisation(g.cOut);
    const want = bytes(span(g.yT));
    const got = bytes(span(g.yT));
    conv2d(g.work, g.window, q, g.xT, g.x, g.w, 0, g.yT, want);
    dispatch.conv2d(g.work, g.window, q, g.xT, g.x, g.w, 0, g.yT, got);
    expect(same(want, got, span(g.yT))).toBeTruthy();
    expect(() => {
      const q = quantisation(g.cOut);
      dispatch.conv2d(scratch(4), g.window, q, g.xT, g.x, g.w, 0, g.yT, bytes(span(g.yT)));
    }).toThrow("too little scratch");
    expect(failure()).toBe(errorOf(SCRATCH_SMALL, 1));
    expect(() => {
      dispatch.conv2dGradInput(g.work, -8, g.yT, g.e, g.w, g.xT, bytes(span(g.xT) << 2));
    }).toThrow("a struct outside memory");
    expect(failure()).toBe(errorOf(BAD_STRUCT, 2));
  });
});
