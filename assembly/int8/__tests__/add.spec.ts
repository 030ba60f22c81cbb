// Sums of tensors and of errors, against exact arithmetic: every pair of shifts, extremes, draws, in place.
import { BAD_QUANT, OVERLAP } from "../../device/errors";
import { add, addGrad } from "../add";
import { draw } from "../rng";
import { bytes, copyOf, errorOf, failure, quant, random, random32, randomBytes, same, seed } from "./support";

const N: i32 = 64;

function mantissa(): i32 {
  const kind = random(0, 3);
  return kind == 0 ? 1 << 30 : kind == 1 ? i32.MAX_VALUE : (1 << 30) | (random32() & 0x3fffffff);
}

/**
 * ⌊(a·mA·2^(S − sA) + b·mB·2^(S − sB) + r) / 2^S⌋ by halving: while a shift is left, the parity of what it shifts out goes into
 * one running sum. Nothing is longer than 64 bits, and nothing is as the implementation has it.
 */
function exact(a: i64, sA: i32, b: i64, sB: i32, r: i64, s: i32): i64 {
  // bit by bit: the sum's bits below 2^0 only matter through their carry
  let carry: i64 = 0;
  for (let bit = s; bit > 0; --bit) {
    // weight 2^−bit: of a, b and r the bit at that place; what is above is taken at the end
    if (bit <= sA) carry += (a >> (sA - bit)) & 1;
    if (bit <= sB) carry += (b >> (sB - bit)) & 1;
    carry += (r >> (s - bit)) & 1;
    carry >>= 1;
  }
  return (a >> sA) + (b >> sB) + (r >> s) + carry;
}

function rounded(rounding: i32, key: u32, i: i32, s: i32): i64 {
  if (!rounding) return (<i64>1) << (s - 1);
  const d = <i64>draw(key, i);
  return s >= 16 ? d << (s - 16) : d >> (16 - s);
}

describe("add (20)", () => {
  test("the exact sum of both, rounded once, for every pair of shifts", () => {
    seed(1);
    let inside = 0;
    for (let sA = 1; sA <= 62; ++sA) {
      for (let sB = 1; sB <= 62; ++sB) {
        const rounding = random(0, 1);
        const key = random32();
        const mA = mantissa();
        const mB = mantissa();
        const qA = quant(mA, sA, random(-128, -100), random(0, 127), rounding, key);
        const qB = quant(mB, sB, 5, 6);
        const zeroA = random(-128, 127);
        const zeroB = random(-128, 127);
        const zero = random(-128, 127);
        store<i32>(qA, zeroA, 4);
        store<i32>(qA, zero, 8);
        store<i32>(qB, zeroB, 4);
        const a = randomBytes(4, -128, 127);
        const b = randomBytes(4, -128, 127);
        const y = bytes(4);
        add(qA, a, qB, b, 4, -2, y);
        const s = max(sA, sB);
        for (let i = 0; i < 4; ++i) {
          const pA = <i64>(load<i8>(a + i) - zeroA) * mA;
          const pB = <i64>(load<i8>(b + i) - zeroB) * mB;
          const q = exact(pA, sA, pB, sB, rounded(rounding, key, i - 2, s), s) + zero;
          const lo = <i64>load<i32>(qA, 12);
          const hi = <i64>load<i32>(qA, 16);
          if (q > lo && q < hi) ++inside;
          expect(<i64>load<i8>(y + i)).toBe(max(min(q, hi), lo));
        }
      }
    }
    expect(inside).toBeGreaterThan(2000);
  });

  test("scale 1 is a saturating sum", () => {
    const a = bytes(256 * 256);
    const b = bytes(256 * 256);
    for (let i = 0; i < 256 * 256; ++i) {
      store<i8>(a + i, i);
      store<i8>(b + i, i >> 8);
    }
    const y = bytes(256 * 256);
    const one = quant(1 << 30, 30, -128, 127);
    add(one, a, one, b, 256 * 256, 0, y);
    let wrong = 0;
    for (let i = 0; i < 256 * 256; ++i) {
      const sum = <i32>load<i8>(a + i) + <i32>load<i8>(b + i);
      if (<i32>load<i8>(y + i) != max(min(sum, 127), -128)) ++wrong;
    }
    expect(wrong).toBe(0);
  });

  test("in place over either, and the order of the two does not matter", () => {
    seed(2);
    const a = randomBytes(N, -128, 127);
    const b = randomBytes(N, -128, 127);
    const qA = quant(0x60000001, 31, -128, 127);
    const qB = quant(0x41234567, 33, -128, 127);
    const y = bytes(N);
    add(qA, a, qB, b, N, 0, y);
    const other = bytes(N);
    add(qB, b, qA, a, N, 0, other);
    expect(same(y, other, N)).toBeTruthy();
    const inA = copyOf(a, N);
    add(qA, inA, qB, b, N, 0, inA);
    const inB = copyOf(b, N);
    add(qA, a, qB, inB, N, 0, inB);
    expect(same(y, inA, N) && same(y, inB, N)).toBeTruthy();
  });

  test("partial overlap and bad quantisation of either are refused", () => {
    expect(() => {
      const one = quant(1 << 30, 30, -128, 127);
      const a = bytes(20);
      add(one, a, one, bytes(20), 10, 0, a + 1);
    }).toThrow("y over a");
    expect(failure()).toBe(errorOf(OVERLAP, 20));
    expect(() => {
      const one = quant(1 << 30, 30, -128, 127);
      add(one, bytes(8), one, bytes(8), 8, 0, one + 40);
    }).toThrow("y over a multiplier");
    expect(failure()).toBe(errorOf(OVERLAP, 20));
    expect(() => {
      const one = quant(1 << 30, 30, -128, 127);
      add(one, bytes(8), quant(1 << 29, 30, -128, 127), bytes(8), 8, 0, bytes(8));
    }).toThrow("a multiplier below 2^30");
    expect(failure()).toBe(errorOf(BAD_QUANT, 20));
  });
});

describe("addGrad (21)", () => {
  test("adds requantised int8 to int32 and saturates", () => {
    seed(3);
    let saturated = 0;
    for (let s = 1; s <= 62; ++s) {
      for (let rounding = 0; rounding < 2; ++rounding) {
        const key = random32();
        const m = mantissa();
        const lo = rounding ? i32.MIN_VALUE : -random(1, 65535);
        const hi = rounding ? i32.MAX_VALUE : random(1, 65535);
        const q = quant(m, s, lo, hi, rounding, key);
        const zero = random(-128, 127);
        store<i32>(q, zero, 4);
        const e = randomBytes(8, -128, 127);
        const y = bytes(32);
        for (let i = 0; i < 8; ++i) store<i32>(y + (i << 2), i & 1 ? random32() : random(-30000, 30000));
        const before = copyOf(y, 32);
        addGrad(q, e, 8, 7, y);
        for (let i = 0; i < 8; ++i) {
          const r = rounded(rounding, key, 7 + i, s);
          const p = <i64>(load<i8>(e + i) - zero) * m;
          const sum = <i64>load<i32>(before + (i << 2)) + ((p + r) >> s);
          if (sum < lo || sum > hi) ++saturated;
          expect(<i64>load<i32>(y + (i << 2))).toBe(max(min(sum, <i64>hi), <i64>lo));
        }
      }
    }
    expect(saturated).toBeGreaterThan(100);
  });

  test("the sum lies apart from the error and its quantisation", () => {
    expect(() => {
      const y = bytes(40);
      addGrad(quant(1 << 30, 30, -9, 9), y + 4, 4, 0, y);
    }).toThrow("y over e");
    expect(failure()).toBe(errorOf(OVERLAP, 21));
    expect(() => {
      const q = quant(1 << 30, 30, -9, 9);
      addGrad(q, bytes(4), 4, 0, q + 4);
    }).toThrow("y over its quantisation");
    expect(failure()).toBe(errorOf(OVERLAP, 21));
  });
});
