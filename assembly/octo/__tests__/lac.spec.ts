// Loss-aware compensation and range clipping against double precision.
import { draw } from "../../int8/rng";
import * as grid from "../grid";
import * as lac from "../lac";
import * as prc from "../prc";
import { scaleOf } from "../scale";
import { sumsOf } from "../backward";

const OUTPUTS: i32 = 5;
const CHANNELS: i32 = 6;
const TAPS: i32 = 9;
const FAN_IN: i32 = CHANNELS * TAPS;
const POSITIONS: i32 = 40;
const masters = memory.data(FAN_IN * OUTPUTS * 2, 2);
const weights = memory.data(FAN_IN * OUTPUTS);
const means = memory.data(CHANNELS * 2, 2);
const mu = memory.data(OUTPUTS * 4, 4);
const alphas = memory.data(OUTPUTS * 4, 4);
const gains = memory.data(OUTPUTS * 4, 4);
const biases = memory.data(OUTPUTS * 4, 4);
const sums = memory.data(OUTPUTS * 4, 4);
const x = memory.data(POSITIONS * CHANNELS);

for (let i = 0; i < POSITIONS * CHANNELS; ++i) store<i8>(x + i, (draw(7, i) >> 9) - (i % CHANNELS) * 10);
for (let i = 0; i < FAN_IN * OUTPUTS; ++i) store<i16>(masters + (i << 1), (<i32>draw(8, i) - 32768) >> 2);

describe("the expected loss", () => {
  test("E[x] is the mean of each channel at first, and a running one later", () => {
    memory.fill(means, 0, CHANNELS * 2);
    for (let step = 0; step < 300; ++step) lac.observe(x, POSITIONS, CHANNELS, means, step);
    for (let c = 0; c < CHANNELS; ++c) {
      let sum: f64 = 0;
      for (let i = 0; i < POSITIONS; ++i) sum += <f64>load<i8>(x + i * CHANNELS + c);
      // Q8, and a mean that stands within 128 units no longer moves
      expect(Math.abs(<f64>load<i16>(means + (c << 1)) / 256 - sum / <f64>POSITIONS)).toBeLessThan(0.51);
    }
  });

  test("μ is what quantising the weights loses on the mean input", () => {
    for (let bits = 2; bits <= 8; bits += 2) {
      const k = grid.levels(bits);
      const step = bits == 8 ? 1 << 16 : grid.fit(8192, k);
      if (bits == 8)
        for (let i = 0; i < FAN_IN * OUTPUTS; ++i)
          store<i8>(weights + i, (<i32>load<i16>(masters + (i << 1)) + 128) >> 8);
      else grid.code(masters, FAN_IN * OUTPUTS, step, k, weights);
      lac.expect(masters, weights, FAN_IN, OUTPUTS, means, CHANNELS, step, mu, 0);
      for (let o = 0; o < OUTPUTS; ++o) {
        let want: f64 = 0;
        for (let i = 0; i < FAN_IN; ++i) {
          const at = o * FAN_IN + i;
          const lost = <f64>load<i16>(masters + (at << 1)) - <f64>load<i8>(weights + at) * (<f64>step / 256);
          want += ((<f64>load<i16>(means + ((i % CHANNELS) << 1)) / 256) * lost) / (<f64>step / 256);
        }
        expect(Math.abs(<f64>load<i32>(mu + (o << 2)) - want)).toBeLessThan(2);
      }
    }
  });

  test("folds into the bias: offset/γ + α·μ, and saturates instead of wrapping", () => {
    for (let o = 0; o < OUTPUTS; ++o) {
      store<i32>(mu + (o << 2), (o - 2) * 1001);
      store<i32>(alphas + (o << 2), lac.ALPHA_ONE / 2);
      store<i32>(gains + (o << 2), lac.GAIN_ONE >> 1);
      store<i32>(biases + (o << 2), 7);
    }
    lac.fold(alphas, gains, mu, OUTPUTS, biases);
    for (let o = 0; o < OUTPUTS; ++o) {
      const want = 14 + Math.floor((<f64>(o - 2) * 1001) / 2);
      expect(<f64>load<i32>(biases + (o << 2))).toBe(want);
    }
    store<i32>(mu, 1 << 30);
    store<i32>(alphas, 4 << 16);
    lac.fold(alphas, gains, mu, 1, biases);
    expect(load<i32>(biases)).toBe(1 << 30);
  });

  test("α follows −Σ e·μ, unbiased, and keeps within ±4", () => {
    for (let i = 0; i < 8 * OUTPUTS; ++i) store<i8>(x + i, i % OUTPUTS == 1 ? -3 : 2);
    sumsOf(x, 8, OUTPUTS, sums);
    expect(load<i32>(sums)).toBe(16);
    expect(load<i32>(sums + 4)).toBe(-24);
    // a step of 16·100·2^−12 = 0.390625 in Q16: its mean over many draws
    for (let o = 0; o < OUTPUTS; ++o) store<i32>(mu + (o << 2), 100);
    const steps = 4096;
    for (let o = 0; o < OUTPUTS; ++o) store<i32>(alphas + (o << 2), lac.ALPHA_ONE);
    for (let i = 0; i < steps; ++i) lac.learn(sums, OUTPUTS, mu, scaleOf(1, -12), i * 77, alphas);
    const moved = <f64>(lac.ALPHA_ONE - load<i32>(alphas)) / <f64>steps;
    // standard deviation of one rounding is below ½: that of the mean, below 1/128
    expect(Math.abs(moved - 0.390625)).toBeLessThan(4.0 / 128);
    expect(load<i32>(alphas + 4)).toBeGreaterThan(lac.ALPHA_ONE);
    for (let i = 0; i < 1000; ++i) lac.learn(sums, OUTPUTS, mu, scaleOf(1, 10), i, alphas);
    expect(load<i32>(alphas)).toBe(-(4 << 16));
    expect(load<i32>(alphas + 4)).toBe(4 << 16);
  });
});

describe("range clipping", () => {
  test("errors of clipped outputs go, and ask for a wider range", () => {
    const y = memory.data<i8>([127, 126, -127, 0, 127, -126]);
    const e = memory.data<i8>([-5, 6, 7, 8, 0, 9]);
    // −5 above, and −7 where the range ends below
    expect(prc.mask(y, 6, e)).toBe(-12);
    const left: i32[] = [0, 6, 0, 8, 0, 9];
    for (let i = 0; i < 6; ++i) expect(<i32>load<i8>(e + i)).toBe(left[i]);
  });

  test("the range grows against a negative sum, shrinks without one, and never by more than a 64th and its decay", () => {
    const range: u64 = (<u64>3) << 32;
    const rate = scaleOf(1, -8);
    expect(prc.learn(range, -100, scaleOf(1, -14), rate)).toBeGreaterThan(range);
    expect(prc.learn(range, 100, scaleOf(1, -14), rate)).toBeLessThan(range);
    expect(prc.learn(range, 0, scaleOf(1, -14), rate)).toBe(range - (range >> 20));
    expect(prc.learn(range, -1000000, scaleOf(1, 10), rate)).toBe(range + (range >> 6) - (range >> 20));
    let r = range;
    for (let i = 0; i < 10000; ++i) r = prc.learn(r, 1000000, scaleOf(1, 10), rate);
    expect(r).toBeLessThan(range);
    expect(prc.learn((<u64>1) << 58, -1000000, scaleOf(1, 40), scaleOf(1, 0))).toBeLessThan((<u64>1) << 59);
  });
});
