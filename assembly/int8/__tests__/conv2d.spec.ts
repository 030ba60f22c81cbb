// Convolution and both its gradients against their definitions, over random shapes, strides, padding, dilation, groups, output
// windows, row pitches and zero points, and the identities that tie the three together.
import { conv2d } from "../conv2d";
import { conv2dGradInput } from "../conv2d-grad-input";
import { conv2dGradWeight } from "../conv2d-grad-weight";
import { stochastic } from "../requantize-value";
import {
  kw,
  cIn,
  cOut,
  fanIn,
  groups,
  y0,
  y1,
  x0,
  x1,
  xT,
  yT,
  x,
  w,
  e,
  window,
  work,
  make,
  inside,
  input,
  accumulated,
} from "./convolution";
import { bytes, copyOf, index, quant, random, randomBytes, randomWords, requantised, span } from "./support";

const CASES: i32 = 80;

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
