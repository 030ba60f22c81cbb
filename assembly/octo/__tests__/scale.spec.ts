// Scales against double precision: 31 significant bits, that is a relative error below 2^−30 for each operation.
import { draw } from "../../int8/rng";
import {
  add,
  apply,
  divide,
  exponent,
  isqrt,
  mantissa,
  multiply,
  Scale,
  scaleOf,
  sqrt,
  times2,
} from "../scale";

const EXACT: f64 = 1.0 / <f64>(1 << 30);

function valueOf(scale: Scale): f64 {
  return <f64>mantissa(scale) * 2.0 ** <f64>exponent(scale);
}

/** A random odd number of 1 to 63 bits. */
function value(i: i32): u64 {
  const bits =
    ((<u64>draw(1, i)) << 48) | ((<u64>draw(2, i)) << 32) | ((<u64>draw(3, i)) << 16) | <u64>draw(4, i) | 1;
  return (bits >> (1 + (draw(5, i) % 63))) | 1;
}

function expectClose(got: f64, want: f64, ulps: f64): void {
  if (Math.abs(got / want - 1) > ulps * EXACT) expect(got).toBe(want);
}

describe("scales", () => {
  test("are normalised: the mantissa has 31 bits", () => {
    for (let i = 0; i < 3000; ++i) {
      const m = mantissa(scaleOf(value(i), (i % 80) - 40));
      expect(m >= 1 << 30 && m < (<u64>1) << 31).toBeTruthy();
    }
  });

  test("keep 31 bits of a value", () => {
    for (let i = 0; i < 3000; ++i) {
      const e = (i % 80) - 40;
      expectClose(valueOf(scaleOf(value(i), e)), <f64>value(i) * 2.0 ** <f64>e, 1);
    }
    expect(valueOf(scaleOf(1, -7))).toBe(1.0 / 128);
    expect(valueOf(scaleOf(u64.MAX_VALUE, 0))).toBe(4294967294.0 * 4294967296.0);
  });

  test("0 becomes the smallest: no division by it", () => {
    expect(valueOf(scaleOf(0, 0))).toBe(1);
    expect(valueOf(divide(scaleOf(1, 0), scaleOf(0, -32)))).toBe(4294967296.0);
  });

  test("multiply, divide and shift as reals do", () => {
    for (let i = 0; i < 3000; ++i) {
      const a = scaleOf(value(i), -(i % 50));
      const b = scaleOf(value(i + 5000), i % 30);
      expectClose(valueOf(multiply(a, b)), valueOf(a) * valueOf(b), 2);
      expectClose(valueOf(divide(a, b)), valueOf(a) / valueOf(b), 2);
      expect(valueOf(times2(a, (i % 20) - 10))).toBe(valueOf(a) * 2.0 ** <f64>((i % 20) - 10));
    }
  });

  test("add and take roots as reals do", () => {
    for (let i = 0; i < 3000; ++i) {
      const a = scaleOf(value(i), -(i % 50));
      const b = scaleOf(value(i + 5000), i % 30);
      expectClose(valueOf(add(a, b)), valueOf(a) + valueOf(b), 4);
      expectClose(valueOf(sqrt(a)), Math.sqrt(valueOf(a)), 2);
      const r = isqrt(value(i));
      expect(r * r <= value(i) && (r + 1) * (r + 1) > value(i)).toBeTruthy();
    }
    expect(isqrt(u64.MAX_VALUE)).toBe(u32.MAX_VALUE);
    expectClose(valueOf(sqrt(scaleOf(9, 10))), 96, 1);
  });
});

describe("a value times a scale", () => {
  const MOST: i64 = 1 << 40;
  const NEAREST: u32 = 1 << 15;

  test("is the nearest whole number, or what the clamp leaves", () => {
    for (let i = 0; i < 3000; ++i) {
      const by = scaleOf(value(i + 9000), -(i % 90));
      const signed = i & 1 ? -(<i64>(value(i) >> 1)) : <i64>(value(i) >> 1);
      const want = Math.max(Math.min(<f64>signed * valueOf(by), <f64>MOST), -(<f64>MOST));
      const got = <f64>apply(signed, by, MOST, NEAREST);
      if (Math.abs(got - want) > 0.500001 + Math.abs(want) * 4 * EXACT) expect(got).toBe(want);
    }
  });

  test("saturates at the extremes, and never wraps", () => {
    for (let e = 40; e > -200; --e) {
      const far = apply(i64.MAX_VALUE, scaleOf(u64.MAX_VALUE, e), MOST, 65535);
      expect(far >= 0 && far <= MOST).toBeTruthy();
      const below = apply(i64.MIN_VALUE + 1, scaleOf(u64.MAX_VALUE, e), MOST, 65535);
      expect(below <= 0 && below >= -MOST).toBeTruthy();
      if (e < -190) expect(far).toBe(0);
    }
    expect(apply(i64.MAX_VALUE, scaleOf(1, 40), MOST, 0)).toBe(MOST);
    expect(apply(-1, scaleOf(1, 62), MOST, 0)).toBe(-MOST);
    expect(apply(0, scaleOf(1, 62), MOST, 65535)).toBe(0);
  });

  test("is unbiased over its draws: the mean of all of them is exact to a 16-bit step", () => {
    for (let i = 0; i < 20; ++i) {
      const by = scaleOf(value(i + 400) | (1 << 62), -78 - (i % 10));
      let sum: i64 = 0;
      for (let draw = 0; draw < 65536; draw += 16) sum += apply(1000 + i, by, MOST, draw + 8);
      const mean = <f64>sum / 4096;
      expect(Math.abs(mean - <f64>(1000 + i) * valueOf(by))).toBeLessThan(1.0 / 2048);
    }
  });
});
