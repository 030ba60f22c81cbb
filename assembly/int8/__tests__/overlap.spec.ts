// What an intrinsic writes may not lie over the structs and tables that it reads: each such place, refused under the
// intrinsic's number and with nothing written.
import { OVERLAP } from "../../device/errors";
import { conv2d } from "../conv2d";
import { conv2dGradInput } from "../conv2d-grad-input";
import { conv2dGradWeight } from "../conv2d-grad-weight";
import { maxPool2d, maxPool2dGrad } from "../max-pool2d";
import { requantize } from "../requantize";
import { requantize32, sgdUpdate32 } from "../requantize32";
import { sgdUpdate } from "../sgd-update";
import { softmaxCrossEntropy } from "../softmax-cross-entropy";
import { scratchNeed } from "../structs";
import { bytes, conv, errorOf, failure, quant, scratch, tensor } from "./support";

const xT = tensor(2, 2, 1);
const yT = tensor(2, 2, 1);
const dxT = tensor(2, 2, 1);
const window = conv([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 2, 0, 2]);
const work = scratch(<i32>scratchNeed(1));
const q = quant(1 << 30, 30, -127, 127);
const x = bytes(4);
const w = bytes(4);
const data = bytes(32);

let fn: i32 = 0;
let output: i32 = 0;
let place: usize = 0;

// Plain memory instead of an array: a trap leaves the shadow stack where it was, and with it what a collector takes for used.
const list = bytes(64);
let count: i32 = 0;

function push(at: usize): void {
  store<usize>(list + ((<usize>count) << 2), at);
  count += 1;
}

/** Lists the last bytes of what may not be written over. */
function places(quantised: bool, shaped: bool, scratched: bool): void {
  count = 0;
  if (scratched) push(work + 8);
  if (shaped) {
    push(window + 60);
    push(xT + 16);
    push(yT + 16);
  }
  if (quantised) {
    push(q + 36);
    push(q + 40);
    push(q + 44);
  }
}

function only(at: usize): void {
  count = 0;
  push(at);
}

function call(): void {
  const at = place;
  if (fn == 1) conv2d(work, window, q, xT, x, w, 0, yT, at);
  else if (fn == 2) conv2dGradInput(work, window, yT, x, w, xT, at);
  else if (fn == 3) {
    if (output == 0) conv2dGradWeight(work, window, q, xT, x, yT, x + 4, 0, 1, at, 0);
    else conv2dGradWeight(work, window, q, xT, x, yT, x + 4, 0, 1, data, at);
  } else if (fn == 6) requantize(q, data, 4, 0, at);
  else if (fn == 7) {
    if (output == 0) sgdUpdate(q, data, 2, 0, at, x);
    else sgdUpdate(q, data, 2, 0, data + 16, at);
  } else if (fn == 8) maxPool2d(window, xT, x, yT, at);
  else if (fn == 9) maxPool2dGrad(window, xT, x, yT, w, dxT, at);
  else if (fn == 12) requantize32(q, data, 1, 0, at);
  else if (fn == 13) sgdUpdate32(q, data, 1, 0, at);
  else if (fn == 17) softmaxCrossEntropy(q, data, 1, 0, at);
}

/** Output `which` of an intrinsic, over each place of the list. */
function expectRefused(number: i32, which: i32): void {
  fn = number;
  output = which;
  for (let i = 0; i < count; ++i) {
    place = load<usize>(list + ((<usize>i) << 2));
    const before = load<i32>(place);
    expect(call).toThrow("an output over what is read");
    expect(failure()).toBe(errorOf(OVERLAP, number));
    expect(load<i32>(place)).toBe(before, "what was refused");
  }
}

describe("an output over what is read meanwhile is refused", () => {
  test("convolutions", () => {
    places(true, true, true);
    expectRefused(1, 0);
    places(false, true, true);
    expectRefused(2, 0);
    expectRefused(3, 0);
    expectRefused(3, 1);
    only(q + 36);
    expectRefused(3, 0);
    expectRefused(3, 1);
  });

  test("scratch of convolutions", () => {
    places(false, true, false);
    for (let i: usize = 0; i < 12; i += 4) {
      store<i32>(work, load<i32>(list + i), 4);
      expect(() => {
        conv2d(work, window, q, xT, x, w, 0, yT, data);
      }).toThrow("scratch of conv2d over a struct");
      expect(failure()).toBe(errorOf(OVERLAP, 1));
      expect(() => {
        conv2dGradInput(work, window, yT, x, w, xT, data);
      }).toThrow("scratch of conv2dGradInput over a struct");
      expect(failure()).toBe(errorOf(OVERLAP, 2));
      expect(() => {
        conv2dGradWeight(work, window, q, xT, x, yT, x, 0, 1, data, 0);
      }).toThrow("scratch of conv2dGradWeight over a struct");
      expect(failure()).toBe(errorOf(OVERLAP, 3));
    }
    store<i32>(work, <i32>bytes(<i32>scratchNeed(1)), 4);
  });

  test("pooling", () => {
    places(false, true, false);
    expectRefused(8, 0);
    expectRefused(9, 0);
    only(dxT + 16);
    expectRefused(9, 0);
  });

  test("requantisation, updates, loss", () => {
    places(true, false, false);
    expectRefused(6, 0);
    expectRefused(7, 0);
    expectRefused(7, 1);
    expectRefused(12, 0);
    expectRefused(13, 0);
    expectRefused(17, 0);
  });
});
