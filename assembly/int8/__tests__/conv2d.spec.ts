// Convolution and both its gradients against their definitions, over random shapes, strides, padding, dilation, groups, output
// windows, row pitches and zero points; the identities that tie the three together; the fused learning step and its parts.
import { ACCUMULATOR, BAD_SHAPE, BAD_WINDOW, MISALIGNED, OVERLAP, SCRATCH_SMALL } from "../../device/errors";
import { conv2d } from "../conv2d";
import { conv2dGradInput } from "../conv2d-grad-input";
import { conv2dGradWeight } from "../conv2d-grad-weight";
import { conv2dLearn } from "../conv2d-learn";
import { stochastic } from "../requantize-value";
import { sgdUpdate } from "../sgd-update";
import { sgdUpdate32 } from "../requantize32";
import {
  bytes,
  conv,
  copyOf,
  errorOf,
  failure,
  index,
  quant,
  random,
  randomBytes,
  randomWords,
  requantised,
  same,
  scratch,
  seed,
  span,
  tensor,
} from "./support";

const CASES: i32 = 80;

/** A random convolution; one at a time. */
let kh: i32 = 0;
let kw: i32 = 0;
let sh: i32 = 0;
let sw: i32 = 0;
let dh: i32 = 0;
let dw: i32 = 0;
let top: i32 = 0;
let left: i32 = 0;
let groups: i32 = 0;
let y0: i32 = 0;
let y1: i32 = 0;
let x0: i32 = 0;
let x1: i32 = 0;
let cIn: i32 = 0;
let cOut: i32 = 0;
/** Weights of one output channel. */
let fanIn: i32 = 0;
let xT: usize = 0;
let yT: usize = 0;
let x: usize = 0;
let w: usize = 0;
let e: usize = 0;
let window: usize = 0;
let work: usize = 0;

function make(n: i32): void {
  seed(n);
  kh = random(1, 3);
  kw = random(1, 4);
  sh = random(1, 3);
  sw = random(1, 2);
  dh = random(1, 2);
  dw = random(1, 2);
  top = random(0, 2);
  left = random(0, 2);
  const bottom = random(0, 2);
  const right = random(0, 2);
  const h = dh * (kh - 1) + 1 + random(0, 4);
  const wide = dw * (kw - 1) + 1 + random(0, 5);
  const oh = (h + top + bottom - dh * (kh - 1) - 1) / sh + 1;
  const ow = (wide + left + right - dw * (kw - 1) - 1) / sw + 1;
  groups = random(1, 3);
  cIn = groups * random(1, 5);
  cOut = groups * random(1, 3);
  fanIn = (kh * kw * cIn) / groups;
  // all of the output, or a part of it (as PASS computes)
  const whole = random(0, 1);
  y0 = whole ? 0 : random(0, oh);
  y1 = whole ? oh : random(y0, oh);
  x0 = whole ? 0 : random(0, ow);
  x1 = whole ? ow : random(x0, ow);
  xT = tensor(h, wide, cIn, random(0, 3));
  yT = tensor(oh, ow, cOut, random(0, 3));
  x = randomBytes(span(xT), -128, 127);
  w = randomBytes(fanIn * cOut, -127, 127);
  e = randomBytes(span(yT), -127, 127);
  window = conv([kh, kw, sh, sw, dh, dw, top, left, bottom, right, groups, y0, y1, x0, x1]);
  work = scratch(fanIn << 2);
}

/** Whether tap (ky, kx) of output (oy, ox) lies inside the input. */
function inside(oy: i32, ox: i32, ky: i32, kx: i32): bool {
  const iy = oy * sh - top + ky * dh;
  const ix = ox * sw - left + kx * dw;
  return iy >= 0 && iy < load<i32>(xT, 4) && ix >= 0 && ix < load<i32>(xT, 8);
}

function input(oy: i32, ox: i32, ky: i32, kx: i32, c: i32): i32 {
  return index(xT, oy * sh - top + ky * dh, ox * sw - left + kx * dw, c);
}

/** Σ w·(x − zero) of one output, by the definition: padding is the zero point. */
function accumulated(oy: i32, ox: i32, o: i32, zero: i32): i32 {
  const perGroup = cIn / groups;
  const first = (o / (cOut / groups)) * perGroup;
  let sum: i64 = 0;
  for (let ky = 0; ky < kh; ++ky) {
    for (let kx = 0; kx < kw; ++kx) {
      for (let c = 0; c < perGroup; ++c) {
        const value = inside(oy, ox, ky, kx) ? <i32>load<i8>(x + input(oy, ox, ky, kx, first + c)) : zero;
        sum += (value - zero) * <i32>load<i8>(w + o * fanIn + (ky * kw + kx) * perGroup + c);
      }
    }
  }
  return <i32>sum;
}

describe("conv2d (1)", () => {
  test("int32 accumulators and their requantisation equal the definition", () => {
    let outputs = 0;
    for (let n = 0; n < CASES; ++n) {
      make(n);
      const zero = random(0, 1) ? 0 : random(-128, 127);
      const outZero = random(-20, 20);
      const rounding = random(0, 1);
      const bias = random(0, 1) ? randomWords(cOut, -3000, 3000) : 0;
      const q = quant((1 << 30) + random(0, 65535) * 16000, random(33, 40), -128, 120, rounding, n);
      store<i32>(q, zero, 4);
      store<i32>(q, outZero, 8);
      const y = randomBytes(span(yT), 11, 11);
      conv2d(work, window, q, xT, x, w, bias, yT, y);
      const wide = bytes(span(yT) << 2);
      const accumulators = copyOf(q, 48);
      store<i32>(accumulators, 0, 20);
      conv2d(work, window, accumulators, xT, x, w, bias, yT, wide);
      for (let oy = 0; oy < load<i32>(yT, 4); ++oy) {
        for (let ox = 0; ox < load<i32>(yT, 8); ++ox) {
          for (let o = 0; o < cOut; ++o) {
            const at = index(yT, oy, ox, o);
            if (oy < y0 || oy >= y1 || ox < x0 || ox >= x1) {
              // outside the window nothing is written
              if (load<i8>(y + at) != 11 || load<i32>(wide + (at << 2)))
                expect(n).toBe(-1, "written outside");
              continue;
            }
            ++outputs;
            const acc = accumulated(oy, ox, o, zero) + (bias ? load<i32>(bias + (o << 2)) : 0);
            if (load<i32>(wide + (at << 2)) != acc)
              expect(load<i32>(wide + (at << 2))).toBe(acc, `case ${n}`);
            const s = load<i32>(q, 44);
            // draws count the output's elements without gaps
            const element = (oy * load<i32>(yT, 8) + ox) * cOut + o;
            const r = rounding ? stochastic(s, n, element) : (<i64>1) << (s - 1);
            const want = requantised(acc, load<i32>(q, 40), s, <u64>r, outZero, -128, 120);
            if (<i32>load<i8>(y + at) != want) expect(<i32>load<i8>(y + at)).toBe(want, `case ${n}`);
          }
        }
      }
    }
    expect(outputs).toBeGreaterThan(1000);
  });

  test("a multiplier for each channel", () => {
    make(3);
    const m = bytes(cOut << 2);
    const s = bytes(cOut << 2);
    const q = quant(1 << 30, 31, -127, 127);
    for (let o = 0; o < cOut; ++o) {
      store<i32>(m + (o << 2), (1 << 30) + o * 100000000);
      store<i32>(s + (o << 2), 34 + o);
    }
    store<i32>(q, <i32>m, 20);
    store<i32>(q, <i32>s, 24);
    store<i32>(q, cOut, 28);
    const y = bytes(span(yT));
    conv2d(work, window, q, xT, x, w, 0, yT, y);
    for (let oy = y0; oy < y1; ++oy) {
      for (let ox = x0; ox < x1; ++ox) {
        for (let o = 0; o < cOut; ++o) {
          const shift = 34 + o;
          const want = requantised(
            accumulated(oy, ox, o, 0),
            (1 << 30) + o * 100000000,
            shift,
            (<u64>1) << (shift - 1),
            0,
            -127,
            127,
          );
          expect(<i32>load<i8>(y + index(yT, oy, ox, o))).toBe(want);
        }
      }
    }
  });
});

describe("gradients (2, 3)", () => {
  test("of the input: e·w of every output that saw it", () => {
    for (let n = 0; n < CASES; ++n) {
      make(n);
      const dx = bytes(span(xT) << 2);
      memory.fill(dx, 77, span(xT) << 2);
      conv2dGradInput(work, window, yT, e, w, xT, dx);
      const want = bytes(span(xT) << 2);
      const perGroup = cIn / groups;
      for (let oy = y0; oy < y1; ++oy) {
        for (let ox = x0; ox < x1; ++ox) {
          for (let o = 0; o < cOut; ++o) {
            for (let k = 0; k < fanIn; ++k) {
              const ky = k / perGroup / kw;
              const kx = (k / perGroup) % kw;
              if (!inside(oy, ox, ky, kx)) continue;
              const at =
                want + (input(oy, ox, ky, kx, (o / (cOut / groups)) * perGroup + (k % perGroup)) << 2);
              const add = <i32>load<i8>(e + index(yT, oy, ox, o)) * <i32>load<i8>(w + o * fanIn + k);
              store<i32>(at, load<i32>(at) + add);
            }
          }
        }
      }
      for (let y = 0; y < load<i32>(xT, 4); ++y) {
        for (let i = 0; i < load<i32>(xT, 8) * cIn; ++i) {
          const at = index(xT, y, 0, i) << 2;
          if (load<i32>(dx + at) != load<i32>(want + at))
            expect(load<i32>(dx + at)).toBe(load<i32>(want + at), `case ${n}`);
        }
      }
    }
    expect(CASES).toBeGreaterThan(0);
  });

  test("of weights and biases: e·(x − zero), any part of the channels at a time", () => {
    for (let n = 0; n < CASES; ++n) {
      make(n);
      const zero = random(0, 1) ? 0 : random(-128, 127);
      const q = quant(1 << 30, 31, -127, 127);
      store<i32>(q, zero, 4);
      const dweight = bytes((fanIn * cOut) << 2);
      const dbias = bytes(cOut << 2);
      const cut = random(0, cOut);
      conv2dGradWeight(work, window, q, xT, x, yT, e, 0, cut, dweight, dbias);
      conv2dGradWeight(
        work,
        window,
        q,
        xT,
        x,
        yT,
        e,
        cut,
        cOut,
        dweight + ((cut * fanIn) << 2),
        dbias + (cut << 2),
      );
      const perGroup = cIn / groups;
      for (let o = 0; o < cOut; ++o) {
        let sum = 0;
        for (let k = 0; k < fanIn; ++k) {
          let want = 0;
          sum = 0;
          for (let oy = y0; oy < y1; ++oy) {
            for (let ox = x0; ox < x1; ++ox) {
              const error = <i32>load<i8>(e + index(yT, oy, ox, o));
              sum += error;
              const ky = k / perGroup / kw;
              const kx = (k / perGroup) % kw;
              if (!inside(oy, ox, ky, kx)) continue;
              const c = (o / (cOut / groups)) * perGroup + (k % perGroup);
              want += error * (<i32>load<i8>(x + input(oy, ox, ky, kx, c)) - zero);
            }
          }
          const got = load<i32>(dweight + ((o * fanIn + k) << 2));
          if (got != want) expect(got).toBe(want, `case ${n}`);
        }
        expect(load<i32>(dbias + (o << 2))).toBe(sum);
      }
    }
  });

  test("⟨e, conv(x)⟩ = ⟨gradInput(e), x⟩ = ⟨gradWeight(e, x), w⟩", () => {
    for (let n = 0; n < CASES; ++n) {
      make(n + 1000);
      const q = quant(1 << 30, 31, -127, 127);
      const dx = bytes(span(xT) << 2);
      const dweight = bytes((fanIn * cOut) << 2);
      const y = bytes(span(yT) << 2);
      conv2dGradInput(work, window, yT, e, w, xT, dx);
      conv2dGradWeight(work, window, q, xT, x, yT, e, 0, cOut, dweight, 0);
      store<i32>(q, 0, 20);
      conv2d(work, window, q, xT, x, w, 0, yT, y);
      let forward: i64 = 0;
      for (let oy = y0; oy < y1; ++oy) {
        for (let ox = x0; ox < x1; ++ox) {
          for (let o = 0; o < cOut; ++o) {
            const at = index(yT, oy, ox, o);
            forward += <i64>load<i8>(e + at) * <i64>load<i32>(y + (at << 2));
          }
        }
      }
      let byInput: i64 = 0;
      for (let row = 0; row < load<i32>(xT, 4); ++row) {
        for (let i = 0; i < load<i32>(xT, 8) * cIn; ++i) {
          const at = index(xT, row, 0, i);
          byInput += <i64>load<i8>(x + at) * <i64>load<i32>(dx + (at << 2));
        }
      }
      let byWeight: i64 = 0;
      for (let k = 0; k < fanIn * cOut; ++k)
        byWeight += <i64>load<i8>(w + k) * <i64>load<i32>(dweight + (k << 2));
      expect(byInput).toBe(forward);
      expect(byWeight).toBe(forward);
    }
  });
});

describe("conv2dLearn (14)", () => {
  test("equals gradient, bias update and weight update, whatever the workspace holds", () => {
    let moved = 0;
    for (let n = 0; n < 40; ++n) {
      make(n + 2000);
      const total = fanIn * cOut;
      const q = quant(1 << 30, 31, -127, 127);
      const weightQuant = quant((1 << 30) + n, 30 + random(0, 6), -32512, 32512, 1, 99 + n);
      const biasQuant = random(0, 3) ? quant((1 << 30) + 7 * n, 28, -(1 << 30), 1 << 30, 1, 5 + n) : 0;
      const masters = bytes(total << 1);
      for (let i = 0; i < total; ++i) store<i16>(masters + (i << 1), random(-32512, 32512));
      const bias = randomWords(cOut, -30000, 30000);
      const masters2 = copyOf(masters, total << 1);
      const bias2 = copyOf(bias, cOut << 2);
      const weights = copyOf(w, total);
      const weights2 = copyOf(w, total);

      const dweight = bytes(total << 2);
      const dbias = bytes(cOut << 2);
      conv2dGradWeight(work, window, q, xT, x, yT, e, 0, cOut, dweight, dbias);
      if (biasQuant) sgdUpdate32(biasQuant, dbias, cOut, 0, bias);
      const clamped = sgdUpdate(weightQuant, dweight, total, 0, masters, weights);

      const elements = (fanIn + 1) * random(1, cOut + 1) + random(0, 3);
      const workspace = bytes(elements << 2);
      const got = conv2dLearn(
        work,
        window,
        q,
        xT,
        x,
        yT,
        e,
        workspace,
        elements,
        weightQuant,
        masters2,
        weights2,
        biasQuant,
        bias2,
      );
      expect(got).toBe(clamped);
      expect(same(masters, masters2, total << 1)).toBeTruthy("masters");
      expect(same(weights, weights2, total)).toBeTruthy("weights");
      expect(same(bias, bias2, cOut << 2)).toBeTruthy("biases");
      if (!same(weights, w, total)) ++moved;
    }
    expect(moved).toBeGreaterThan(20);
  });

  test("a workspace below one channel is refused", () => {
    make(1);
    const q = quant(1 << 30, 31, -127, 127);
    expect(() => {
      const q = quant(1 << 30, 31, -127, 127);
      conv2dLearn(
        work,
        window,
        q,
        xT,
        x,
        yT,
        e,
        bytes(fanIn << 2),
        fanIn,
        q,
        bytes(2 * fanIn * cOut),
        w,
        0,
        0,
      );
    }).toThrow();
    expect(failure()).toBe(errorOf(SCRATCH_SMALL, 14));
    expect(q).not.toBe(0);
  });
});

describe("what does not fit is named", () => {
  test("shape, window, accumulator, scratch, alignment, overlap", () => {
    make(5);
    expect(() => {
      conv2d(
        work,
        window,
        quant(1 << 30, 31, -127, 127),
        xT,
        x,
        w,
        0,
        tensor(load<i32>(yT, 4) + 1, load<i32>(yT, 8), cOut),
        bytes(9999),
      );
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_SHAPE, 1));
    expect(() => {
      const wrong = copyOf(window, 64);
      store<i32>(wrong, load<i32>(yT, 4) + 1, 52);
      conv2d(work, wrong, quant(1 << 30, 31, -127, 127), xT, x, w, 0, yT, bytes(span(yT)));
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_WINDOW, 1));
    expect(() => {
      const flat = tensor(5, 1, 32000);
      const big = conv([5, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1]);
      conv2d(work, big, quant(1 << 30, 31, -127, 127), flat, x, w, 0, tensor(1, 1, 1), bytes(1));
    }).toThrow();
    expect(failure()).toBe(errorOf(ACCUMULATOR, 1));
    expect(() => {
      conv2d(
        scratch((fanIn << 2) - 4),
        window,
        quant(1 << 30, 31, -127, 127),
        xT,
        x,
        w,
        0,
        yT,
        bytes(span(yT)),
      );
    }).toThrow();
    expect(failure()).toBe(errorOf(SCRATCH_SMALL, 1));
    expect(() => {
      conv2d(work, window, quant(1 << 30, 31, -127, 127), xT, x, w, bytes(99) + 1, yT, bytes(span(yT)));
    }).toThrow();
    expect(failure()).toBe(errorOf(MISALIGNED, 1));
    expect(() => {
      conv2d(work, window, quant(1 << 30, 31, -127, 127), xT, x, w, 0, yT, x);
    }).toThrow();
    expect(failure()).toBe(errorOf(OVERLAP, 1));
  });
});
