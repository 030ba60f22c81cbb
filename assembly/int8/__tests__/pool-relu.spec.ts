// Max pooling and the rectifier, forward and backward, against their definitions: overlapping windows, padding, ties, gaps.
import { BAD_SHAPE, OVERLAP } from "../../device/errors";
import { maxPool2d, maxPool2dGrad } from "../max-pool2d";
import { relu, reluGrad } from "../relu";
import {
  bytes,
  conv,
  copyOf,
  errorOf,
  failure,
  index,
  random,
  randomBytes,
  same,
  seed,
  span,
  tensor,
} from "./support";

let k: i32 = 0;
let stride: i32 = 0;
let pad: i32 = 0;
let c: i32 = 0;
let xT: usize = 0;
let yT: usize = 0;
let x: usize = 0;
let window: usize = 0;

function make(n: i32): void {
  seed(n);
  k = random(1, 4);
  stride = random(1, 3);
  pad = random(0, 2);
  c = random(1, 5);
  const h = k + random(0, 6);
  const w = k + random(0, 6);
  const oh = (h + 2 * pad - k) / stride + 1;
  const ow = (w + 2 * pad - k) / stride + 1;
  xT = tensor(h, w, c, random(0, 4));
  yT = tensor(oh, ow, c, random(0, 4));
  // few values, so that ties are common
  x = randomBytes(span(xT), -3, 3);
  window = conv([k, k, stride, stride, 1, 1, pad, pad, pad, pad, 1, 0, oh, 0, ow]);
}

/** Offset of the first largest input under output (oy, ox, channel), or −1 for padding alone. */
function winner(oy: i32, ox: i32, channel: i32): i32 {
  let best = -1;
  for (let ky = 0; ky < k; ++ky) {
    for (let kx = 0; kx < k; ++kx) {
      const y = oy * stride - pad + ky;
      const at = ox * stride - pad + kx;
      if (y < 0 || at < 0 || y >= load<i32>(xT, 4) || at >= load<i32>(xT, 8)) continue;
      const i = index(xT, y, at, channel);
      if (best < 0 || load<i8>(x + i) > load<i8>(x + best)) best = i;
    }
  }
  return best;
}

describe("maxPool2d (8) and maxPool2dGrad (9)", () => {
  test("the largest wins, padding never; its error goes back to the first of equals", () => {
    let clamps = 0;
    for (let n = 0; n < 80; ++n) {
      make(n);
      const y = bytes(span(yT));
      const e = randomBytes(span(yT), -127, 127);
      const dxT = tensor(load<i32>(xT, 4), load<i32>(xT, 8), c, random(0, 4));
      const dx = randomBytes(span(dxT), 9, 9);
      maxPool2d(window, xT, x, yT, y);
      maxPool2dGrad(window, xT, x, yT, e, dxT, dx);
      const want = bytes(span(dxT) << 2);
      for (let oy = 0; oy < load<i32>(yT, 4); ++oy) {
        for (let ox = 0; ox < load<i32>(yT, 8); ++ox) {
          for (let i = 0; i < c; ++i) {
            const at = winner(oy, ox, i);
            const o = index(yT, oy, ox, i);
            expect(load<i8>(y + o)).toBe(at < 0 ? -128 : load<i8>(x + at));
            if (at < 0) continue;
            const to = want + (index(dxT, at / load<i32>(xT, 16), 0, at % load<i32>(xT, 16)) << 2);
            // sums clamp as they grow, in the order of the outputs
            const sum = load<i32>(to) + <i32>load<i8>(e + o);
            if (sum > 127 || sum < -127) ++clamps;
            store<i32>(to, max(min(sum, 127), -127));
          }
        }
      }
      for (let row = 0; row < load<i32>(xT, 4); ++row) {
        for (let i = 0; i < load<i32>(xT, 8) * c; ++i) {
          const at = index(dxT, row, 0, i);
          expect(<i32>load<i8>(dx + at)).toBe(load<i32>(want + (at << 2)));
        }
      }
    }
    expect(clamps).toBeGreaterThan(10);
  });

  test("a part of the output is computed alone", () => {
    make(7);
    const whole = bytes(span(yT));
    const part = bytes(span(yT));
    maxPool2d(window, xT, x, yT, whole);
    const upper = copyOf(window, 64);
    store<i32>(upper, 1, 52);
    const lower = copyOf(window, 64);
    store<i32>(lower, 1, 48);
    maxPool2d(upper, xT, x, yT, part);
    maxPool2d(lower, xT, x, yT, part);
    expect(same(whole, part, span(yT))).toBeTruthy();
  });

  test("channels must agree, the output lies apart", () => {
    make(3);
    expect(() => {
      maxPool2d(window, xT, x, tensor(load<i32>(yT, 4), load<i32>(yT, 8), c + 1), bytes(999));
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_SHAPE, 8));
    expect(() => {
      maxPool2d(window, xT, x, yT, x + 1);
    }).toThrow();
    expect(failure()).toBe(errorOf(OVERLAP, 8));
  });
});

describe("relu (10) and reluGrad (11)", () => {
  test("every value with every zero point, in place and apart", () => {
    const all = bytes(256);
    for (let i = 0; i < 256; ++i) store<i8>(all + i, i - 128);
    for (let zero = -128; zero <= 127; ++zero) {
      const y = bytes(256);
      relu(all, 256, zero, y);
      const inPlace = copyOf(all, 256);
      relu(inPlace, 256, zero, inPlace);
      const e = randomBytes(256, 5, 5);
      reluGrad(y, 256, zero, e);
      let wrong = 0;
      for (let i = 0; i < 256; ++i) {
        if (<i32>load<i8>(y + i) != max(i - 128, zero)) ++wrong;
        if (load<i8>(inPlace + i) != load<i8>(y + i)) ++wrong;
        if (<i32>load<i8>(e + i) != (i - 128 > zero ? 5 : 0)) ++wrong;
      }
      expect(wrong).toBe(0);
    }
  });

  test("partial overlap is refused", () => {
    expect(() => {
      const x = bytes(20);
      relu(x, 10, 0, x + 1);
    }).toThrow();
    expect(failure()).toBe(errorOf(OVERLAP, 10));
  });
});
