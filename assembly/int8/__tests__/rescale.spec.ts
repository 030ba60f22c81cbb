// INT8 to INT8: every value, concatenation, in place, gaps.
import { BAD_SHAPE, OVERLAP } from "../../device/errors";
import { rescale } from "../rescale";
import { draw } from "../rng";
import {
  bytes,
  copyOf,
  errorOf,
  failure,
  index,
  quant,
  random,
  random32,
  randomBytes,
  requantised,
  same,
  seed,
  span,
  tensor,
} from "./support";

describe("rescale (22)", () => {
  test("requantises every element, into channels of a larger tensor too", () => {
    for (let n = 0; n < 60; ++n) {
      seed(n);
      const h = random(1, 4);
      const w = random(1, 4);
      const c = random(1, 6);
      const c0 = random(0, 1) * random(0, 3);
      const all = c0 + c + random(0, 1) * random(0, 3);
      const xT = tensor(h, w, c, random(0, 3));
      const yT = tensor(h, w, all, random(0, 3));
      const x = randomBytes(span(xT), -128, 127);
      const y = randomBytes(span(yT), -128, 127);
      const before = copyOf(y, span(yT));
      const m = (1 << 30) | (random32() & 0x3fffffff);
      const s = random(0, 1) ? random(28, 36) : random(1, 62);
      const rounding = random(0, 1);
      const key = random32();
      const q = quant(m, s, -100, 127, rounding, key);
      const inputZero = random(-128, 127);
      const zero = random(-128, 127);
      store<i32>(q, inputZero, 4);
      store<i32>(q, zero, 8);
      rescale(q, xT, x, yT, y, c0);
      for (let row = 0; row < h; ++row) {
        for (let column = 0; column < w; ++column) {
          for (let i = 0; i < all; ++i) {
            const at = index(yT, row, column, i);
            let want = <i32>load<i8>(before + at);
            if (i >= c0 && i < c0 + c) {
              const d = <u64>draw(key, (row * w + column) * all + i);
              const r = rounding ? (s >= 16 ? d << (s - 16) : d >> (16 - s)) : (<u64>1) << (s - 1);
              const value = <i32>load<i8>(x + index(xT, row, column, i - c0)) - inputZero;
              want = requantised(value, m, s, r, zero, -100, 127);
            }
            expect(<i32>load<i8>(y + at)).toBe(want);
          }
        }
      }
    }
  });

  test("m = 2^30 is a shift: s = 30 + n divides by 2^n, as NITI requantises", () => {
    const all = bytes(256);
    for (let i = 0; i < 256; ++i) store<i8>(all + i, i - 128);
    const t = tensor(1, 256, 1);
    const y = bytes(256);
    for (let n = 0; n < 8; ++n) {
      rescale(quant(1 << 30, 30 + n, -128, 127), t, all, t, y, 0);
      for (let i = 0; i < 256; ++i) expect(<i32>load<i8>(y + i)).toBe((i - 128 + ((1 << n) >> 1)) >> n);
    }
  });

  test("in place where shapes agree", () => {
    seed(9);
    const t = tensor(3, 4, 5, 2);
    const x = randomBytes(span(t), -128, 127);
    const y = copyOf(x, span(t));
    const q = quant(0x7654321f, 32, -128, 127);
    rescale(q, t, x, t, y, 0);
    rescale(q, t, x, t, x, 0);
    expect(same(x, y, span(t))).toBeTruthy();
  });

  test("what does not fit is named", () => {
    expect(() => {
      rescale(quant(1 << 30, 30, 0, 0), tensor(2, 2, 3), bytes(12), tensor(2, 2, 4), bytes(16), 2);
    }).toThrow("channels 2 … 4 of 4");
    expect(failure()).toBe(errorOf(BAD_SHAPE, 22));
    expect(() => {
      rescale(quant(1 << 30, 30, 0, 0), tensor(2, 2, 3), bytes(12), tensor(2, 1, 3), bytes(16), 0);
    }).toThrow("another width");
    expect(failure()).toBe(errorOf(BAD_SHAPE, 22));
    expect(() => {
      const x = bytes(16);
      rescale(quant(1 << 30, 30, 0, 0), tensor(2, 2, 3), x, tensor(2, 2, 4), x, 0);
    }).toThrow("in place into another shape");
    expect(failure()).toBe(errorOf(OVERLAP, 22));
    expect(() => {
      const t = tensor(2, 2, 3);
      rescale(quant(1 << 30, 30, 0, 0), t, bytes(12), t, t + 8, 0);
    }).toThrow("over its own shape");
    expect(failure()).toBe(errorOf(OVERLAP, 22));
  });
});
