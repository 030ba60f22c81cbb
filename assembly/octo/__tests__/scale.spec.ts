// Scales against double precision: 31 significant bits, that is a relative error below 2^−30 for each operation.
import { draw } from "../../int8/rng";
import { divide, exponent, mantissa, multiply, Scale, scaleOf, times2 } from "../scale";

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
});
