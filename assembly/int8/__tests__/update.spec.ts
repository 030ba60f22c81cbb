// Masters, weights and biases: SGD with stochastic rounding and clamping, first values, halving; largest magnitudes.
import { BAD_QUANT, BAD_SHAPE, OUT_OF_RANGE, OVERLAP } from "../../device/errors";
import { setLimit } from "../../device/limit";
import { absMaxS32, absMaxS8 } from "../abs-max";
import { drawMasters, weightsOf } from "../masters";
import { sgdUpdate32 } from "../requantize32";
import { stochastic } from "../requantize-value";
import { draw } from "../rng";
import { sgdUpdate } from "../sgd-update";
import { bytes, copyOf, errorOf, failure, quant, random, random32, requantised, same, seed } from "./support";

const M: i32 = 1500000000;

describe("sgdUpdate (7)", () => {
  test("w16 − requantised gradient, clamped and counted; w8 is the rounded top byte", () => {
    seed(1);
    const n = 2000;
    const dw = bytes(n << 2);
    const w16 = bytes(n << 1);
    const w8 = bytes(n);
    for (let i = 0; i < n; ++i) {
      store<i32>(dw + (i << 2), i % 5 ? random32() >> random(0, 24) : 0);
      const master = random(-32512, 32512);
      store<i16>(w16 + (i << 1), master);
      store<i8>(w8 + i, (master + 128) >> 8);
    }
    const before = copyOf(w16, n << 1);
    const clamped = sgdUpdate(quant(M, 36, -32512, 32512, 1, 42), dw, n, 7, w16, w8);
    let count = 0;
    for (let i = 0; i < n; ++i) {
      const r = stochastic(36, 42, 7 + i);
      const step = requantised(load<i32>(dw + (i << 2)), M, 36, <u64>r, 0, -(1 << 30), 1 << 30);
      let want = <i32>load<i16>(before + (i << 1)) - step;
      if (want < -32512 || want > 32512) {
        ++count;
        want = max(min(want, 32512), -32512);
      }
      expect(<i32>load<i16>(w16 + (i << 1))).toBe(want);
      expect(<i32>load<i8>(w8 + i)).toBe((want + 128) >> 8);
    }
    expect(clamped).toBe(count);
    expect(count).toBeGreaterThan(100);
  });

  test("reaching an edge is no clamping, passing it is", () => {
    const q = quant(1 << 30, 30, -32512, 32512);
    const dw = bytes(8);
    store<i32>(dw, -1);
    store<i32>(dw, 1, 4);
    const w16 = bytes(4);
    store<i16>(w16, 32511);
    store<i16>(w16, -32511, 2);
    const w8 = bytes(2);
    expect(sgdUpdate(q, dw, 2, 0, w16, w8)).toBe(0);
    expect(load<i16>(w16)).toBe(32512);
    expect(load<i16>(w16, 2)).toBe(-32512);
    expect(sgdUpdate(q, dw, 2, 0, w16, w8)).toBe(2);
    expect(load<i16>(w16)).toBe(32512);
    expect(load<i16>(w16, 2)).toBe(-32512);
    expect(load<i8>(w8)).toBe(127);
    expect(load<i8>(w8, 1)).toBe(-127);
  });

  test("a gradient of 0 moves nothing, whatever the draw", () => {
    const w16 = bytes(200);
    const w8 = bytes(100);
    expect(sgdUpdate(quant(i32.MAX_VALUE, 1, -32512, 32512, 1, 3), bytes(400), 100, 0, w16, w8)).toBe(0);
    expect(same(w16, bytes(200), 200)).toBeTruthy();
  });

  test("a step of 0 leaves master and weight as they are, in range or not", () => {
    const w16 = bytes(4);
    store<i16>(w16, 500);
    store<i16>(w16, -500, 2);
    const dw = bytes(8);
    store<i32>(dw, 1);
    const w8 = bytes(2);
    // 2^30 >> 40 and the nearest whole number is 0
    expect(sgdUpdate(quant(1 << 30, 40, -100, 100), dw, 2, 0, w16, w8)).toBe(0);
    expect(load<i16>(w16)).toBe(500);
    expect(load<i16>(w16, 2)).toBe(-500);
    expect(load<i16>(w8)).toBe(0);
  });

  test("the largest steps cross the whole range, whatever the shift", () => {
    const dw = bytes(8);
    store<i32>(dw, i32.MIN_VALUE);
    store<i32>(dw, i32.MAX_VALUE, 4);
    for (let s = 1; s <= 62; ++s) {
      const w16 = bytes(4);
      store<i16>(w16, -32512);
      store<i16>(w16, 32512, 2);
      // 2^62 >> s is 2^15 at s = 47
      const far = s < 47;
      expect(sgdUpdate(quant(i32.MAX_VALUE, s, -32512, 32512), dw, 2, 0, w16, bytes(2))).toBe(
        far ? 2 : 0,
        `s ${s}`,
      );
      if (far) {
        expect(load<i16>(w16)).toBe(32512);
        expect(load<i16>(w16, 2)).toBe(-32512);
      }
    }
  });

  test("steps smaller than a unit move the mean (Octo: unbiased)", () => {
    const n = 8192;
    const dw = bytes(n << 2);
    for (let i = 0; i < n; ++i) store<i32>(dw + (i << 2), 1);
    const w16 = bytes(n << 1);
    // 2^30 >> 32: a quarter of a unit
    sgdUpdate(quant(1 << 30, 32, -32512, 32512, 1, 5), dw, n, 0, w16, bytes(n));
    let sum = 0;
    for (let i = 0; i < n; ++i) sum += load<i16>(w16 + (i << 1));
    expect(Math.abs(<f64>sum / n + 0.25)).toBeLessThan(0.02);
  });

  test("masters beyond ±32,512 and shared memory are refused", () => {
    expect(() => {
      sgdUpdate(quant(M, 36, -32513, 32512), bytes(4), 1, 0, bytes(2), bytes(1));
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_QUANT, 7));
    expect(() => {
      const w = bytes(8);
      sgdUpdate(quant(M, 36, -32512, 32512), bytes(8), 2, 0, w, w + 3);
    }).toThrow();
    expect(failure()).toBe(errorOf(OVERLAP, 7));
  });
});

describe("sgdUpdate32 (13)", () => {
  test("y − requantised x, clamped, from any y", () => {
    seed(2);
    const n = 500;
    const x = bytes(n << 2);
    const y = bytes(n << 2);
    for (let i = 0; i < n; ++i) {
      store<i32>(x + (i << 2), random32() >> random(0, 20));
      store<i32>(y + (i << 2), random32());
    }
    const before = copyOf(y, n << 2);
    const lo = -(1 << 30);
    const hi = 1 << 30;
    sgdUpdate32(quant(M, 31, lo, hi, 1, 9), x, n, 3, y);
    for (let i = 0; i < n; ++i) {
      const step = requantised(load<i32>(x + (i << 2)), M, 31, <u64>stochastic(31, 9, 3 + i), 0, lo, hi);
      const want = <i64>load<i32>(before + (i << 2)) - step;
      expect(<i64>load<i32>(y + (i << 2))).toBe(max(min(want, <i64>hi), <i64>lo));
    }
  });
});

describe("masters (15, 16)", () => {
  test("first values are (draw − 2^15)·bound >> shift, within int16", () => {
    const n = 3000;
    const w16 = bytes(n << 1);
    for (let shift = 0; shift <= 31; shift += 3) {
      for (let bound = 1; bound <= 1 << 18; bound <<= 3) {
        drawMasters(11, bound, shift, n, w16);
        for (let i = 0; i < n; i += 17) {
          const exact = (<i64>(<i32>draw(11, i) - 32768) * bound) >> shift;
          expect(<i64>load<i16>(w16 + (i << 1))).toBe(max(min(exact, <i64>32767), <i64>-32768));
        }
      }
    }
  });

  test("bound and shift out of range are refused", () => {
    expect(() => {
      drawMasters(1, (1 << 18) + 1, 5, 1, bytes(2));
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_SHAPE, 15));
    expect(() => {
      drawMasters(1, 1, 32, 1, bytes(2));
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_SHAPE, 15));
  });

  test("every master gives its weight; halving rounds upwards and keeps it within half a unit", () => {
    const n = 65025;
    const w16 = bytes(n << 1);
    const w8 = bytes(n);
    for (let i = 0; i < n; ++i) store<i16>(w16 + (i << 1), i - 32512);
    weightsOf(w16, n, 0, w8);
    let wrong = 0;
    for (let i = 0; i < n; ++i) {
      if (<i32>load<i16>(w16 + (i << 1)) != i - 32512) ++wrong;
      if (<i32>load<i8>(w8 + i) != <i32>Math.floor(<f64>(i - 32512) / 256 + 0.5)) ++wrong;
    }
    weightsOf(w16, n, 1, w8);
    for (let i = 0; i < n; ++i) {
      const half = <i32>Math.floor(<f64>(i - 32512) / 2 + 0.5);
      if (<i32>load<i16>(w16 + (i << 1)) != half || <i32>load<i8>(w8 + i) != (half + 128) >> 8) ++wrong;
    }
    expect(wrong).toBe(0);
  });
});

describe("absMax (4, 5)", () => {
  test("the largest magnitude, wherever it is", () => {
    const x = bytes(64);
    expect(absMaxS8(x, 0)).toBe(0);
    expect(absMaxS8(x, 64)).toBe(0);
    for (let i = 0; i < 64; ++i) {
      memory.fill(x, 3, 64);
      store<i8>(x + i, i & 1 ? -128 : 127);
      expect(absMaxS8(x, 64)).toBe(i & 1 ? 128 : 127);
    }
    const wide = bytes(64);
    store<i32>(wide, -5, 12);
    store<i32>(wide, 4, 60);
    expect(absMaxS32(wide, 16)).toBe(5);
    expect(absMaxS32(wide, 3)).toBe(0);
    store<i32>(wide, i32.MIN_VALUE, 8);
    // 2^31 has no positive twin
    expect(absMaxS32(wide, 16)).toBe(i32.MAX_VALUE);
  });

  test("data beyond the limit is refused", () => {
    expect(() => {
      const x = bytes(64);
      setLimit(<u32>x + 63);
      absMaxS8(x, 64);
    }).toThrow();
    expect(failure()).toBe(errorOf(OUT_OF_RANGE, 4));
  });
});
