// Weights of few bits against double precision: levels, what the step size gains, and its bounds.
import { draw } from "../../int8/rng";
import * as grid from "../grid";
import { scaleOf } from "../scale";

const N: i32 = 500;
const masters = memory.data(N * 2, 2);
const weights = memory.data(N);
const dw = memory.data(N * 4, 4);

function fill(bound: i32, seed: u32): void {
  for (let i = 0; i < N; ++i) {
    store<i16>(masters + (i << 1), (<i32>draw(seed, i) * (2 * bound)) / 65536 - bound);
    store<i32>(dw + (i << 2), (<i32>draw(seed + 1, i) - 32768) * 3);
  }
}

/** Half a step past the last level, in master units. */
function edge(step: u32, k: i32): f64 {
  return (<f64>step * <f64>(2 * k + 1)) / 512;
}

describe("levels", () => {
  test("are those of the nearest multiple of the step, clamped", () => {
    for (let bits = 2; bits <= 8; ++bits) {
      const k = grid.levels(bits);
      expect(k).toBe((1 << (bits - 1)) - 1);
      for (let t = 0; t < 4; ++t) {
        const step = grid.fit(4000 + t * 6000, k) + t;
        fill(30000, bits * 8 + t);
        grid.code(masters, N, step, k, weights);
        for (let i = 0; i < N; ++i) {
          const real = (<f64>load<i16>(masters + (i << 1)) * 256) / <f64>step;
          const want = Math.max(Math.min(Math.floor(real + 0.5), k), -k);
          // a tie may fall on either side
          if (
            Math.abs(<f64>load<i8>(weights + i) - want) > 1e-6 &&
            Math.abs(real - Math.floor(real) - 0.5) > 1e-3
          )
            expect(<f64>load<i8>(weights + i)).toBe(want, `${real}`);
        }
      }
    }
  });

  test("of the widest grid reach the largest master, those of the finest are a master apart", () => {
    for (let bits = 2; bits <= 8; ++bits) {
      const k = grid.levels(bits);
      const reach = edge(grid.fit(i32.MAX_VALUE, k), k);
      expect(reach <= 32512 && reach > 32000).toBeTruthy();
      expect(grid.fit(0, k)).toBe(256);
    }
  });
});

describe("the step size", () => {
  test("follows the weights to what loses least", () => {
    for (let bits = 2; bits <= 8; ++bits) {
      const k = grid.levels(bits);
      fill(20000, bits + 40);
      let step = grid.fit(3000, k);
      for (let t = 0; t < 600; ++t) {
        grid.code(masters, N, step, k, weights);
        step = grid.moved(step, grid.lead(masters, weights, N, step), k);
      }
      // where levels and step suit each other, the step is that of least squares
      grid.code(masters, N, step, k, weights);
      let products: f64 = 0;
      let squares: f64 = 0;
      for (let i = 0; i < N; ++i) {
        const q = <f64>load<i8>(weights + i);
        products += q * <f64>load<i16>(masters + (i << 1));
        squares += q * q;
      }
      const best = (products * 256) / squares;
      expect(Math.abs(<f64>step - best) <= 32 + best / 200).toBeTruthy(`${bits} bits: ${step}, ${best}`);
      // evenly spread weights use all levels
      expect(<f64>step).toBeGreaterThan(0.8 * <f64>grid.fit(20000, k));
      expect(<f64>step).toBeLessThan(1.2 * <f64>grid.fit(20000, k));
    }
  });

  test("comes back from a grid that is far too wide or too fine, and stays in its bounds", () => {
    for (let bits = 2; bits <= 8; ++bits) {
      const k = grid.levels(bits);
      memory.fill(masters, 0, N * 2);
      memory.fill(weights, 0, N);
      let step = grid.fit(i32.MAX_VALUE, k);
      const widest = step;
      for (let t = 0; t < 1000; ++t) step = grid.moved(step, grid.lead(masters, weights, N, step), k);
      expect(step).toBe(256);
      for (let i = 0; i < N; ++i) {
        store<i16>(masters + (i << 1), i & 1 ? 32512 : -32512);
        store<i8>(weights + i, i & 1 ? 1 : -1);
      }
      for (let t = 0; t < 1000; ++t) step = grid.moved(step, grid.lead(masters, weights, N, step), k);
      expect(step).toBe(widest);
    }
  });

  test("its gradient is that of learned step size quantisation", () => {
    for (let bits = 2; bits <= 8; bits += 2) {
      const k = grid.levels(bits);
      const step = grid.fit(9000, k);
      fill(12000, bits);
      grid.code(masters, N, step, k, weights);
      let want: f64 = 0;
      let size: f64 = 0;
      for (let i = 0; i < N; ++i) {
        const real = (<f64>load<i16>(masters + (i << 1)) * 256) / <f64>step;
        const q = <f64>load<i8>(weights + i);
        const slope = <f64>load<i32>(dw + (i << 2)) * (<f64>step / 256);
        want += slope * (real > k || real < -k ? q : q - real);
        size += Math.abs(slope);
      }
      const got = <f64>grid.gradient(dw, masters, weights, N, step, k);
      // values are cut to whole master units
      expect(Math.abs(got - want) / size).toBeLessThan(2.0 / (<f64>step / 256));
    }
  });

  test("moves by −rate·gradient/√(n·k), unbiased", () => {
    for (let bits = 2; bits <= 8; bits += 2) {
      const k = grid.levels(bits);
      const step = grid.fit(9000, k);
      fill(12000, bits);
      grid.code(masters, N, step, k, weights);
      const sum = grid.gradient(dw, masters, weights, N, step, k) >> 16;
      // a rate at which a step is about 20 units
      const slope = (<f64>sum * 65536) / (<f64>step / 256) / Math.sqrt(<f64>N * <f64>k);
      const rate = <i32>Math.floor(Math.log2(20 / (256 * Math.abs(slope))));
      const want = -slope * Math.pow(2, rate) * 256;
      const rounds = 2000;
      let moved: f64 = 0;
      for (let i = 0; i < rounds; ++i)
        moved += <f64>grid.learn(step, sum, scaleOf(1, rate), N, k, i * 77) - <f64>step;
      // one rounding deviates by less than ½: their mean by 1/89
      expect(Math.abs(moved / <f64>rounds - want)).toBeLessThan(4.0 / 89, `${bits} bits: ${want}`);
    }
  });

  test("moves against its gradient, by at most a 32nd, and stays where its levels fit int16", () => {
    const k = grid.levels(2);
    const step = grid.fit(9000, k);
    const by = scaleOf(1, -30);
    expect(grid.learn(step, 1 << 30, by, N, k, 1)).toBeLessThan(step);
    expect(grid.learn(step, -(1 << 30), by, N, k, 1)).toBeGreaterThan(step);
    expect(grid.learn(step, 0, by, N, k, 1)).toBe(step);
    expect(grid.learn(step, i64.MAX_VALUE, scaleOf(1, 20), N, k, 1)).toBe(step - (step >> 5));
    let wide = step;
    for (let i = 0; i < 1000; ++i) wide = grid.learn(wide, i64.MIN_VALUE + 1, scaleOf(1, 20), N, k, i);
    expect(edge(wide, k)).toBeLessThan(32513);
    let narrow = step;
    for (let i = 0; i < 1000; ++i) narrow = grid.learn(narrow, i64.MAX_VALUE, scaleOf(1, 20), N, k, i);
    expect(narrow).toBeGreaterThan(255);
  });
});
