// Average pooling, forward and backward, against its definition: padding that does not count, overlapping windows, dilation,
// parts of the output, gaps, global pooling, bounds.
import { ACCUMULATOR, BAD_QUANT, BAD_SHAPE, OVERLAP } from "../../device/errors";
import { averagePool2d, averagePool2dGrad } from "../average-pool2d";
import { draw } from "../rng";
import {
  bytes,
  conv,
  copyOf,
  errorOf,
  failure,
  index,
  quant,
  random,
  random32,
  randomBytes,
  randomWords,
  same,
  seed,
  span,
  tensor,
} from "./support";

let kh: i32 = 0;
let kw: i32 = 0;
let stride: i32 = 0;
let dilation: i32 = 0;
let top: i32 = 0;
let left: i32 = 0;
let c: i32 = 0;
let xT: usize = 0;
let yT: usize = 0;
let x: usize = 0;
let window: usize = 0;

function make(n: i32): void {
  seed(n);
  kh = random(1, 4);
  kw = random(1, 4);
  stride = random(1, 3);
  dilation = random(1, 2);
  top = random(0, 2);
  left = random(0, 2);
  const bottom = random(0, 2);
  const right = random(0, 2);
  c = random(1, 9);
  const h = dilation * (kh - 1) + 1 + random(0, 5);
  const w = dilation * (kw - 1) + 1 + random(0, 5);
  const oh = (h + top + bottom - dilation * (kh - 1) - 1) / stride + 1;
  const ow = (w + left + right - dilation * (kw - 1) - 1) / stride + 1;
  xT = tensor(h, w, c, random(0, 4));
  yT = tensor(oh, ow, c, random(0, 4));
  x = randomBytes(span(xT), -128, 127);
  const fields: StaticArray<i32> = [
    kh,
    kw,
    stride,
    stride,
    dilation,
    dilation,
    top,
    left,
    bottom,
    right,
    1,
    0,
    oh,
    0,
    ow,
  ];
  window = conv(fields);
}

/** Row or column of a tap; −1 in the padding. */
function place(o: i32, before: i32, k: i32, length: i32): i32 {
  const at = o * stride - before + k * dilation;
  return at < 0 || at >= length ? -1 : at;
}

/** Sum of what lies under output (oy, ox, channel), and how many those are. */
let counted: i32 = 0;
function sumUnder(oy: i32, ox: i32, channel: i32): i32 {
  let sum = 0;
  counted = 0;
  for (let ky = 0; ky < kh; ++ky) {
    for (let kx = 0; kx < kw; ++kx) {
      const row = place(oy, top, ky, load<i32>(xT, 4));
      const column = place(ox, left, kx, load<i32>(xT, 8));
      if (row < 0 || column < 0) continue;
      sum += load<i8>(x + index(xT, row, column, channel));
      ++counted;
    }
  }
  return sum;
}

/** ⌊numerator / denominator⌋ of whole numbers, by search from the truncated quotient. */
function floorOf(numerator: i64, denominator: i64): i64 {
  let q = numerator / denominator;
  while (q * denominator > numerator) --q;
  return q;
}

describe("averagePool2d (18)", () => {
  test("the mean of the inputs under the window, rounded once", () => {
    let clipped = 0;
    for (let n = 0; n < 120; ++n) {
      make(n);
      // small enough for the definition to be computed as one fraction
      const m = (1 << 30) | random(0, 65535);
      const s = random(27, 40);
      const rounding = random(0, 1);
      const key = random32();
      const q = quant(m, s, -127, 126, rounding, key);
      const inputZero = random(-3, 3);
      const zero = random(-9, 9);
      store<i32>(q, inputZero, 4);
      store<i32>(q, zero, 8);
      const y = bytes(span(yT));
      averagePool2d(window, q, xT, x, yT, y);
      for (let oy = 0; oy < load<i32>(yT, 4); ++oy) {
        for (let ox = 0; ox < load<i32>(yT, 8); ++ox) {
          for (let i = 0; i < c; ++i) {
            const sum = <i64>sumUnder(oy, ox, i) - inputZero * counted;
            const element = (oy * load<i32>(yT, 8) + ox) * c + i;
            const r = rounding ? (<i64>draw(key, element)) << (s - 16) : (<i64>1) << (s - 1);
            let want = <i64>zero;
            if (counted) want += floorOf(sum * m + r * counted, (<i64>counted) << s);
            if (counted != kh * kw) ++clipped;
            expect(<i64>load<i8>(y + index(yT, oy, ox, i))).toBe(max(min(want, 126), -127));
          }
        }
      }
    }
    expect(clipped).toBeGreaterThan(500);
  });

  test("scale 1 rounds halves up, and means that are whole stay what they are", () => {
    const input = tensor(1, 2, 1);
    const output = tensor(1, 1, 1);
    const two = conv([1, 2, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1]);
    const one = quant(1 << 30, 30, -128, 127);
    const at = bytes(2);
    const y = bytes(1);
    for (let a = -128; a < 128; ++a) {
      for (let b = -128; b < 128; ++b) {
        store<i8>(at, a);
        store<i8>(at, b, 1);
        averagePool2d(two, one, input, at, output, y);
        if (<i32>load<i8>(y) != (a + b + 1) >> 1) throw new Error(`${a} ${b}`);
      }
    }
  });

  test("int32 output holds sums", () => {
    for (let n = 0; n < 20; ++n) {
      make(n);
      const q = quant(0, 0, 0, 0);
      store<i32>(q, 0, 20);
      store<i32>(q, -7, 4);
      const y = bytes(span(yT) << 2);
      averagePool2d(window, q, xT, x, yT, y);
      for (let oy = 0; oy < load<i32>(yT, 4); ++oy) {
        for (let ox = 0; ox < load<i32>(yT, 8); ++ox) {
          const sum = sumUnder(oy, ox, c - 1);
          expect(load<i32>(y + (index(yT, oy, ox, c - 1) << 2))).toBe(sum + 7 * counted);
        }
      }
    }
  });

  test("global pooling over more inputs than two sums of 16 bits hold", () => {
    const input = tensor(40, 50, 6);
    const output = tensor(1, 1, 6);
    const all = conv([40, 50, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1]);
    const at = randomBytes(40 * 50 * 6, -128, -128);
    const y = bytes(6);
    averagePool2d(all, quant(1 << 30, 30, -128, 127), input, at, output, y);
    for (let i = 0; i < 6; ++i) expect(<i32>load<i8>(y + i)).toBe(-128);
  });

  test("a part of the output is computed alone", () => {
    make(11);
    const q = quant(0x55555555, 31, -128, 127, 1, 5);
    const whole = bytes(span(yT));
    const part = bytes(span(yT));
    averagePool2d(window, q, xT, x, yT, whole);
    const upper = copyOf(window, 64);
    store<i32>(upper, 1, 52);
    const lower = copyOf(window, 64);
    store<i32>(lower, 1, 48);
    averagePool2d(upper, q, xT, x, yT, part);
    averagePool2d(lower, q, xT, x, yT, part);
    expect(same(whole, part, span(yT))).toBeTruthy();
  });

  test("what does not fit is named", () => {
    make(3);
    expect(() => {
      const q = quant(1 << 30, 46, -128, 127);
      averagePool2d(window, q, xT, x, yT, bytes(999));
    }).toThrow("a shift of 46");
    expect(failure()).toBe(errorOf(BAD_QUANT, 18));
    expect(() => {
      const q = quant(1 << 30, 30, -128, 127);
      averagePool2d(window, q, xT, x, tensor(load<i32>(yT, 4), load<i32>(yT, 8), c + 1), bytes(999));
    }).toThrow("another number of channels");
    expect(failure()).toBe(errorOf(BAD_SHAPE, 18));
    expect(() => {
      const q = quant(1 << 30, 30, -128, 127);
      averagePool2d(window, q, xT, x, yT, q);
    }).toThrow("the output over its quantisation");
    expect(failure()).toBe(errorOf(OVERLAP, 18));
    expect(() => {
      const large = conv([364, 364, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1]);
      const one = tensor(1, 1, 1);
      averagePool2d(large, quant(1 << 30, 30, 0, 0), tensor(364, 364, 1), bytes(364 * 364), one, bytes(1));
    }).toThrow("364·364 > 132,104");
    expect(failure()).toBe(errorOf(ACCUMULATOR, 18));
  });
});

describe("averagePool2dGrad (19)", () => {
  test("every input gets its share of every window's error, in units of 2^−16", () => {
    for (let n = 0; n < 80; ++n) {
      make(n);
      const e = randomBytes(span(yT), -127, 127);
      const dxT = tensor(load<i32>(xT, 4), load<i32>(xT, 8), c, random(0, 4));
      const dx = randomWords(span(dxT), -999, 999);
      averagePool2dGrad(window, yT, e, dxT, dx);
      const want = bytes(span(dxT) << 3);
      for (let oy = 0; oy < load<i32>(yT, 4); ++oy) {
        for (let ox = 0; ox < load<i32>(yT, 8); ++ox) {
          for (let i = 0; i < c; ++i) {
            sumUnder(oy, ox, i);
            const count = counted;
            if (!count) continue;
            const error = <i64>load<i8>(e + index(yT, oy, ox, i));
            const share = floorOf(error * 65536 + count / 2, count);
            for (let ky = 0; ky < kh; ++ky) {
              for (let kx = 0; kx < kw; ++kx) {
                const row = place(oy, top, ky, load<i32>(xT, 4));
                const column = place(ox, left, kx, load<i32>(xT, 8));
                if (row < 0 || column < 0) continue;
                const at = want + (index(dxT, row, column, i) << 3);
                store<i64>(at, load<i64>(at) + share);
              }
            }
          }
        }
      }
      for (let row = 0; row < load<i32>(xT, 4); ++row) {
        for (let i = 0; i < load<i32>(xT, 8) * c; ++i) {
          const at = index(dxT, row, 0, i);
          expect(<i64>load<i32>(dx + (at << 2))).toBe(load<i64>(want + (at << 3)));
        }
      }
    }
  });

  test("255 windows over one input fit, 256 are refused", () => {
    // a single input in the padding of windows of 15×17: each sees it and nothing else
    const one = tensor(1, 1, 1);
    const many = tensor(15, 17, 1);
    const window = conv([15, 17, 1, 1, 1, 1, 14, 16, 14, 16, 1, 0, 15, 0, 17]);
    const dx = bytes(4);
    averagePool2dGrad(window, many, randomBytes(255, -127, -127), one, dx);
    expect(load<i32>(dx)).toBe(-127 * 65536 * 255);
    expect(() => {
      const more = tensor(16, 16, 1);
      const window = conv([16, 16, 1, 1, 1, 1, 15, 15, 15, 15, 1, 0, 16, 0, 16]);
      averagePool2dGrad(window, more, bytes(256), tensor(1, 1, 1), bytes(4));
    }).toThrow("256 windows");
    expect(failure()).toBe(errorOf(ACCUMULATOR, 19));
  });

  test("the gradient lies apart", () => {
    make(5);
    expect(() => {
      averagePool2dGrad(window, yT, bytes(999), xT, xT);
    }).toThrow("over its own shape");
    expect(failure()).toBe(errorOf(OVERLAP, 19));
  });
});
