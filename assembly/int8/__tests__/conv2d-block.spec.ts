// Blocks of outputs, whose sums share 64-bit words, against the definition: patches shorter and longer than what a lane
// takes, rows and channels that blocks don't divide, and the bytes that fill a lane fastest.
import { conv2d } from "../conv2d";
import { scratchNeed } from "../structs";
import {
  bytes,
  conv,
  copyOf,
  quant,
  random,
  randomBytes,
  randomWords,
  requantised,
  scratch,
  seed,
  tensor,
} from "./support";

const OUTPUTS: i32 = 8;
const CHANNELS: i32 = 9;
const LONGEST: i32 = 190;

let x: usize = 0;
let w: usize = 0;

/** A pointwise convolution over one row against its definition; returns how many outputs were wrong. */
function wrong(outputs: i32, n: i32, channels: i32, zero: i32): i32 {
  const bias = randomWords(channels, -3000, 3000);
  const m = (1 << 30) + random(0, 65535) * 16000;
  const shift = random(30, 45);
  const q = quant(m, shift, -128, 127);
  store<i32>(q, zero, 4);
  const accumulators = copyOf(q, 48);
  store<i32>(accumulators, 0, 20);
  const window = conv([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 1, 0, outputs]);
  const xT = tensor(1, outputs, n, 0);
  const yT = tensor(1, outputs, channels, 0);
  const work = scratch(<i32>scratchNeed(n));
  const y = bytes(outputs * channels);
  const wide = bytes((outputs * channels) << 2);
  conv2d(work, window, q, xT, x, w, bias, yT, y);
  conv2d(work, window, accumulators, xT, x, w, bias, yT, wide);
  let count = 0;
  for (let at = 0; at < outputs * channels; ++at) {
    const o = at % channels;
    let sum = load<i32>(bias + (o << 2));
    for (let k = 0; k < n; ++k) {
      sum += (<i32>load<i8>(x + (at / channels) * n + k) - zero) * <i32>load<i8>(w + o * n + k);
    }
    if (load<i32>(wide + (at << 2)) != sum) ++count;
    if (<i32>load<i8>(y + at) != requantised(sum, m, shift, (<u64>1) << (shift - 1), 0, -128, 127)) ++count;
  }
  return count;
}

describe("blocks of conv2d (1)", () => {
  test("random bytes: every length of patch, rest of outputs and rest of channels", () => {
    for (let n = 1; n <= LONGEST; n += n < 70 ? 1 : 13) {
      seed(n);
      x = randomBytes(OUTPUTS * n, -128, 127);
      w = randomBytes(CHANNELS * n, -128, 127);
      expect(wrong(random(1, OUTPUTS), n, random(1, CHANNELS), random(0, 1) ? 0 : random(-128, 127))).toBe(
        0,
        `n ${n}`,
      );
    }
  });

  test("the largest products of either sign: no lane spills into the next", () => {
    // neighbouring outputs get opposite extremes: what one lane lost, another would show
    const extremes: StaticArray<i32> = [-128, 127, -127, -128, 0, 127];
    for (let n = 56; n <= 124; ++n) {
      for (let weight = 0; weight < 3; ++weight) {
        x = bytes(OUTPUTS * n);
        w = bytes(CHANNELS * n);
        for (let i = 0; i < OUTPUTS * n; ++i) store<i8>(x + i, extremes[(i / n + weight) % extremes.length]);
        for (let i = 0; i < CHANNELS * n; ++i) store<i8>(w + i, (i / n) & 1 ? 127 : weight ? -128 : -127);
        expect(wrong(OUTPUTS, n, CHANNELS, 0)).toBe(0, `n ${n}, weights ${weight}`);
      }
    }
  });
});
