// Requantisation (DESIGN §2): edges one by one, then random values against a reference that splits its product in two.
import { BAD_QUANT, MISALIGNED } from "../../device/errors";
import { requantize } from "../requantize";
import { nearest, requantizeValue, stochastic } from "../requantize-value";
import { requantize32 } from "../requantize32";
import { draw, drawKey } from "../rng";
import { bytes, errorOf, failure, quant, random, random32, requantised, seed } from "./support";

const HALF: i32 = 1 << 30;
const EDGES: StaticArray<i32> = [
  i32.MIN_VALUE,
  i32.MIN_VALUE + 1,
  -(1 << 30),
  -65537,
  -65536,
  -257,
  -256,
  -255,
  -129,
  -128,
  -127,
  -3,
  -2,
  -1,
  0,
  1,
  2,
  3,
  126,
  127,
  128,
  129,
  255,
  256,
  257,
  65535,
  65536,
  (1 << 30) - 1,
  1 << 30,
  i32.MAX_VALUE - 1,
  i32.MAX_VALUE,
];
const MULTIPLIERS: StaticArray<i32> = [
  HALF,
  HALF + 1,
  1431655765,
  1518500250,
  i32.MAX_VALUE - 1,
  i32.MAX_VALUE,
];

describe("rounding to nearest", () => {
  test("halves go upwards", () => {
    // m/2^31 = 1/2: 1 → 0.5 → 1, −1 → −0.5 → 0, 3 → 1.5 → 2, −3 → −1.5 → −1
    expect(requantizeValue(1, HALF, 31, nearest(31), 0, -128, 127)).toBe(1);
    expect(requantizeValue(-1, HALF, 31, nearest(31), 0, -128, 127)).toBe(0);
    expect(requantizeValue(3, HALF, 31, nearest(31), 0, -128, 127)).toBe(2);
    expect(requantizeValue(-3, HALF, 31, nearest(31), 0, -128, 127)).toBe(-1);
  });

  test("the zero point is added before the clamp", () => {
    expect(requantizeValue(2, HALF, 30, nearest(30), 5, -128, 127)).toBe(7);
    expect(requantizeValue(2, HALF, 30, nearest(30), 126, -128, 127)).toBe(127);
    expect(requantizeValue(-2, HALF, 30, nearest(30), -127, -128, 127)).toBe(-128);
    expect(requantizeValue(-2, HALF, 30, nearest(30), -127, -129, 127)).toBe(-129);
  });

  test("every edge, multiplier and shift agrees with the definition", () => {
    let wrong = 0;
    for (let e = 0; e < EDGES.length; ++e) {
      for (let k = 0; k < MULTIPLIERS.length; ++k) {
        for (let s = 1; s <= 62; ++s) {
          for (let zero = -128; zero <= 127; zero += 85) {
            const acc = EDGES[e];
            const m = MULTIPLIERS[k];
            const r = nearest(s);
            const got = requantizeValue(acc, m, s, r, zero, -128, 127);
            if (got != requantised(acc, m, s, <u64>r, zero, -128, 127)) ++wrong;
          }
        }
      }
    }
    expect(wrong).toBe(0);
  });

  test("a whole scale is exact: every int8 value times 2^−k, as a float says it", () => {
    for (let k = 1; k <= 16; ++k) {
      for (let v = -32768; v <= 32767; v += 7) {
        const exact = <i32>Math.floor(<f64>v / <f64>(1 << k) + 0.5);
        const clamped = exact < -127 ? -127 : exact > 127 ? 127 : exact;
        const got = requantizeValue(v, HALF, 30 + k, nearest(30 + k), 0, -127, 127);
        if (got != clamped) expect(got).toBe(clamped, `${v} / 2^${k}`);
      }
    }
    expect(requantizeValue(0, HALF, 31, nearest(31), 0, -127, 127)).toBe(0);
  });
});

describe("stochastic rounding", () => {
  test("r is the draw scaled to [0, 2^s)", () => {
    const key = drawKey(1, 2, 3);
    for (let s = 1; s <= 62; ++s) {
      for (let i = 0; i < 50; ++i) {
        const r = stochastic(s, key, i);
        const d = <i64>draw(key, i);
        expect(r).toBe(s < 16 ? d >> (16 - s) : d << (s - 16));
        expect(<u64>r < (<u64>1) << s).toBeTruthy();
      }
    }
  });

  test("random values and shifts agree with the definition", () => {
    seed(1);
    let wrong = 0;
    for (let i = 0; i < 20000; ++i) {
      const acc = random32();
      const m = HALF | (random32() & (HALF - 1));
      const s = random(1, 62);
      const r = stochastic(s, <u32>i, i);
      const got = requantizeValue(acc, m, s, r, 3, -100, 90);
      if (got != requantised(acc, m, s, <u64>r, 3, -100, 90)) ++wrong;
    }
    expect(wrong).toBe(0);
  });

  test("it is unbiased: the mean of 2^16 draws of 0.3 is 0.3", () => {
    // 0.3 = m·2^−32 with m = 0.3·2^32
    let sum = 0;
    const m = 1288490189;
    for (let i = 0; i < 65536; ++i) sum += requantizeValue(1, m, 32, stochastic(32, 77, i), 0, -128, 127);
    const mean = <f64>sum / 65536;
    expect(Math.abs(mean - 0.3)).toBeLessThan(0.01);
  });
});

describe("requantize (6) and requantize32 (12)", () => {
  test("element i uses draw first + i, and parts equal the whole", () => {
    seed(2);
    const n = 300;
    const x = bytes(n << 2);
    for (let i = 0; i < n; ++i) store<i32>(x + (i << 2), random32() >> random(0, 16));
    const q = quant(1600000000, 45, -127, 127, 1, 12345);
    const whole = bytes(n);
    const parts = bytes(n);
    requantize(q, x, n, 40, whole);
    requantize(q, x, 100, 40, parts);
    requantize(q, x + 400, n - 100, 140, parts + 100);
    const wide = bytes(n << 2);
    requantize32(q, x, n, 40, wide);
    for (let i = 0; i < n; ++i) {
      const r = stochastic(45, 12345, 40 + i);
      const want = requantised(load<i32>(x + (i << 2)), 1600000000, 45, <u64>r, 0, -127, 127);
      expect(<i32>load<i8>(whole + i)).toBe(want);
      expect(<i32>load<i8>(parts + i)).toBe(want);
      expect(load<i32>(wide + (i << 2))).toBe(want);
    }
  });

  test("both ends saturate", () => {
    const x = bytes(8);
    store<i32>(x, i32.MAX_VALUE);
    store<i32>(x, i32.MIN_VALUE, 4);
    const y = bytes(8);
    requantize(quant(i32.MAX_VALUE, 1, -128, 127), x, 2, 0, y);
    expect(load<i8>(y)).toBe(127);
    expect(load<i8>(y, 1)).toBe(-128);
    requantize32(quant(i32.MAX_VALUE, 1, -HALF, HALF), x, 2, 0, y);
    expect(load<i32>(y)).toBe(HALF);
    expect(load<i32>(y, 4)).toBe(-HALF);
  });

  test("what is out of range is named", () => {
    expect(() => {
      requantize(quant(HALF - 1, 30, -128, 127), bytes(4), 1, 0, bytes(1));
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_QUANT, 6));
    expect(() => {
      requantize(quant(HALF, 0, -128, 127), bytes(4), 1, 0, bytes(1));
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_QUANT, 6));
    expect(() => {
      requantize(quant(HALF, 63, -128, 127), bytes(4), 1, 0, bytes(1));
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_QUANT, 6));
    expect(() => {
      requantize(quant(HALF, 30, 5, 4), bytes(4), 1, 0, bytes(1));
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_QUANT, 6));
    expect(() => {
      requantize32(quant(HALF, 30, 0, HALF + 1), bytes(4), 1, 0, bytes(4));
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_QUANT, 12));
    expect(() => {
      requantize32(quant(HALF, 30, 0, 1), bytes(8) + 2, 1, 0, bytes(4));
    }).toThrow();
    expect(failure()).toBe(errorOf(MISALIGNED, 12));
  });
});
