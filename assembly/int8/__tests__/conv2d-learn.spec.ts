// The fused learning step equals its parts; what does not fit a convolution is named.
import { ACCUMULATOR, BAD_SHAPE, BAD_WINDOW, MISALIGNED, OVERLAP, SCRATCH_SMALL } from "../../device/errors";
import { conv2d } from "../conv2d";
import { conv2dGradWeight } from "../conv2d-grad-weight";
import { conv2dLearn } from "../conv2d-learn";
import { sgdUpdate32 } from "../requantize32";
import { sgdUpdate } from "../sgd-update";
import { scratchNeed } from "../structs";
import { cOut, fanIn, xT, yT, x, w, e, window, work, make } from "./convolution";
import {
  bytes,
  conv,
  copyOf,
  errorOf,
  failure,
  quant,
  random,
  randomWords,
  same,
  scratch,
  span,
  tensor,
} from "./support";

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
        scratch(<i32>scratchNeed(fanIn) - 1),
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
