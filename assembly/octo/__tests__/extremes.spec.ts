// No sum wraps: losses, compensation, ranges, grids and optimisers at the largest shapes and with the largest values that there are,
// against the same sums in double precision. The intrinsics' own extremes are in tests/boards/overflow.test.ts.
import { setLimit } from "../../device/limit";
import { fixed } from "../../device/param";
import { MASTER_MAX } from "../../int8/sgd-update";
import { accumulation } from "../accumulation";
import * as back from "../backward";
import * as checkpoint from "../checkpoint";
import { Conv2d, dense } from "../conv2d";
import { Drift } from "../drift";
import * as grid from "../grid";
import * as lac from "../lac";
import { NONE, Output } from "../layer";
import * as learning from "../learn";
import { Optimizer } from "../learn";
import { categoricalHinge, meanSquaredError, use } from "../losses";
import { momentum } from "../momentum";
import * as prc from "../prc";
import { rmsProp } from "../rms-prop";
import { Scale, scaleOf } from "../scale";
import { errorOf } from "../trainer";
import * as work from "../workspace";
import { real } from "./reference";
import { open, output } from "./support";

/** Products of an accumulator, and those of a layer with weights. */
const PRODUCTS: i32 = 132104;
const FAN_IN: i32 = 32767;
const MOST: i32 = i32.MAX_VALUE;
const LEAST: i32 = i32.MIN_VALUE;
const BIAS: i32 = 1 << 30;

const bytes = memory.data(PRODUCTS);
const wide = memory.data(PRODUCTS * 4, 8);
const masters = memory.data(PRODUCTS * 2, 2);
const means = memory.data(FAN_IN * 2, 2);
const one = memory.data(64, 8);

/** A layer of `inputs` inputs and one output, with what its optimiser keeps. */
function layerOf(inputs: i32, optimizer: Optimizer): Conv2d {
  learning.setOptimizer(optimizer);
  const layer = dense(1);
  layer.next = output(1, 1, 1);
  layer.place(output(1, 1, inputs));
  return layer;
}

open(5);
setLimit(i32.MAX_VALUE);
learning.use();
const SMALL: i32 = 2048;
const byMomentum = momentum(fixed(0.99999));
const moving = layerOf(SMALL, byMomentum);
const byMean = accumulation(1 << 16, learning.optimizer);
const summing = layerOf(SMALL, byMean);
const byRms = rmsProp();
const dividing = layerOf(FAN_IN, byRms);
back.setFirst(NONE);
checkpoint.open();
work.needGradients(64);
back.reserve(64);
moving.wake(true);
summing.wake(true);
dividing.wake(true);

function fill32(at: usize, n: i32, value: i32): void {
  for (let i = 0; i < n; ++i) store<i32>(at + ((<usize>i) << 2), value);
}

function fill16(at: usize, n: i32, value: i32): void {
  for (let i = 0; i < n; ++i) store<i16>(at + ((<usize>i) << 1), value);
}

/** `got` is `want` but for the last of 40 bits. */
function expectNear(got: f64, want: f64): void {
  expect(Math.abs(got - want)).toBeLessThan(Math.abs(want) * 1e-12 + 1.5);
}

const y = memory.data(8, 4);

/** Outputs at either end of int32, one unit worth 1. */
function far(first: i32, second: i32): Output {
  const outputs = output(1, 1, 2);
  outputs.data = y;
  outputs.width = 2;
  outputs.scale = scaleOf(1, 0);
  store<i32>(y, first);
  store<i32>(y, second, 4);
  return outputs;
}

const large: Scale = scaleOf(1, 0);

/** Gradients, masters and a bias at their ends. */
function prepare(layer: Conv2d, n: i32, gradient: i32, master: i32, bias: i32): void {
  fill32(wide, n, gradient);
  fill16(layer.masters, n, master);
  store<i32>(layer.biases, bias);
  store<i32>(one, gradient);
}

describe("compensation", () => {
  test("E[x] of 132,104 positions of −128", () => {
    memory.fill(bytes, 0x80, PRODUCTS);
    store<i16>(means, 0);
    lac.observe(bytes, PRODUCTS, 1, means, 0);
    expect(load<i16>(means)).toBe(-32768);
  });

  test("μ of a layer as wide as a layer may be, and one that saturates", () => {
    const step: u32 = 65279;
    fill16(means, FAN_IN, -32768);
    fill16(masters, FAN_IN, -32512);
    memory.fill(bytes, 127, FAN_IN);
    lac.expect(masters, bytes, FAN_IN, 1, means, FAN_IN, step, one, 0);
    const lost = -32512.0 * 256 - 127.0 * <f64>step;
    expectNear(<f64>load<i32>(one), (-32768.0 * lost * <f64>FAN_IN) / (<f64>step * 256));
    lac.expect(masters, bytes, FAN_IN, 1, means, FAN_IN, 256, one, 0);
    expect(load<i32>(one)).toBe(BIAS);
  });

  test("biases, outputs, α and γ keep within their bounds", () => {
    const gains = one + 8;
    for (let sign = -1; sign < 2; sign += 2) {
      store<i32>(one, sign * (4 << 16));
      store<i32>(gains, 1 << 20);
      store<i32>(one + 16, BIAS);
      store<i32>(one + 24, sign * BIAS);
      lac.fold(one, gains, one + 16, 1, one + 24);
      expect(load<i32>(one + 24)).toBe(sign * BIAS);
      store<i32>(gains, 1 << 28);
      store<i32>(one + 24, sign < 0 ? LEAST : MOST);
      lac.amplify(gains, 1, one + 24);
      expect(load<i32>(one + 24)).toBe(sign * BIAS);
      // α: Σ e = ±127·132,104, μ = 2^30
      store<i32>(one, sign * (4 << 16));
      store<i32>(one + 24, -sign * 127 * PRODUCTS);
      lac.learn(one + 24, 1, one + 16, scaleOf(1, 40), 1, one);
      expect(load<i32>(one)).toBe(sign * (4 << 16));
      lac.learn(one + 24, 1, one + 16, scaleOf(1, -300), 1, one);
      expect(load<i32>(one)).toBe(sign * (4 << 16));
    }
  });

  test("γ against the largest errors of the largest outputs", () => {
    const gains = one + 8;
    for (let sign = -1; sign < 2; sign += 2) {
      memory.fill(bytes, 127, PRODUCTS);
      fill32(wide, PRODUCTS, sign < 0 ? LEAST : MOST);
      store<i32>(one, 127 * PRODUCTS);
      store<i32>(one + 16, -sign * BIAS);
      const before = 1 << 27;
      store<i32>(gains, before);
      lac.learnGains(bytes, wide, 2, scaleOf(1, 0), PRODUCTS, 1, one, one + 16, scaleOf(1, 0), 1, gains);
      // a 64th of itself, down where outputs and errors have the same sign
      expect(load<i32>(gains)).toBe(before - sign * (before >> 6));
    }
  });
});

describe("ranges and grids", () => {
  test("errors of clipped outputs, all of them", () => {
    for (let sign = -1; sign < 2; sign += 2) {
      memory.fill(masters, <u8>(sign * 127), PRODUCTS);
      memory.fill(bytes, 127, PRODUCTS);
      expect(prc.mask(masters, PRODUCTS, bytes)).toBe(<i64>sign * 127 * PRODUCTS);
    }
  });

  test("a range grows by a 64th in a step, and not past 2^60", () => {
    const sum = <i64>-127 * PRODUCTS;
    const slow = scaleOf(1, -60);
    expect(prc.learn((<u64>1) << 40, sum, scaleOf(1, 0), slow)).toBe(((<u64>1) << 40) + ((<u64>1) << 34));
    let range: u64 = 1 << 58;
    for (let i = 0; i < 2000; ++i) range = prc.learn(range, sum, scaleOf(1, 20), slow);
    expect(range >> 61).toBe(0);
    expect(range >> 60).toBe(1);
    expect(prc.learn(range, -sum, scaleOf(1, 20), slow) < range).toBe(true);
  });

  test("the gradient of a step size: 132,104 weights at the largest level, each with the largest gradient", () => {
    for (let bits = 2; bits <= 8; ++bits) {
      const k = grid.levels(bits);
      const step = <u32>((32512 << 9) / (2 * k + 1));
      for (let sign = -1; sign < 2; sign += 2) {
        fill32(wide, PRODUCTS, sign * 127 * 128 * PRODUCTS);
        fill16(masters, PRODUCTS, 32512);
        grid.code(masters, PRODUCTS, step, k, bytes);
        expect(<i32>load<i8>(bytes)).toBe(k);
        expect(<i32>load<i8>(bytes + PRODUCTS - 1)).toBe(k);
        const value = <f64>((k * <i32>step) >> 8);
        const want = <f64>sign * 127 * 128 * <f64>PRODUCTS * value * <f64>PRODUCTS;
        const got = grid.gradient(wide, masters, bytes, PRODUCTS, step, k);
        expectNear(<f64>got, want);
        const moved = grid.learn(step, got, scaleOf(1, 0), PRODUCTS, k, 1);
        expect(<i64>moved <= <i64>step && <i64>moved >= <i64>step - (<i64>step >> 5)).toBe(true);
      }
    }
  });
});

describe("losses", () => {
  test("softmax with cross-entropy: a label that is as unlikely as can be", () => {
    const loss = errorOf(far(LEAST, MOST), 0);
    expect(Math.abs(<f64>loss / 65536 - 256 * Math.LN2)).toBeLessThan(0.01);
    expect(load<i8>(back.error)).toBe(-127);
    expect(load<i8>(back.error + 1)).toBe(127);
    expect(errorOf(far(MOST, LEAST), 0)).toBe(0);
    expect(back.scale).toBe(0);
  });

  test("hinge: the largest distance saturates, and its errors are there", () => {
    use(categoricalHinge());
    expect(errorOf(far(LEAST, MOST), 0)).toBe(MOST);
    expect(load<i8>(back.error)).toBe(-127);
    expect(load<i8>(back.error + 1)).toBe(127);
    expect(errorOf(far(MOST, LEAST), 0)).toBe(0);
  });

  test("mean squared error: the largest distance saturates, and its errors are there", () => {
    use(meanSquaredError());
    store<i8>(bytes, 127);
    store<i8>(bytes + 1, -128);
    expect(errorOf(far(LEAST, MOST), 0, bytes)).toBe(MOST);
    expect(load<i8>(back.error)).toBe(-127);
    expect(load<i8>(back.error + 1)).toBe(127);
  });

  test("drift: the largest losses", () => {
    const drift = new Drift();
    for (let i = 0; i < 100; ++i) drift.see(0);
    for (let i = 0; i < 100; ++i) drift.see(MOST);
    expect(drift.due).toBe(true);
    expectNear(<f64>drift.mean, <f64>MOST / 2);
  });
});

describe("optimisers", () => {
  test("momentum: velocities, masters and biases stay at the ends of their ranges", () => {
    const velocities = moving.moments;
    const biasVelocity = velocities + ((<usize>SMALL) << 1);
    for (let sign = -1; sign < 2; sign += 2) {
      prepare(moving, SMALL, sign < 0 ? LEAST : MOST, -sign * 32512, -sign * BIAS);
      fill16(velocities, SMALL, sign * 32767);
      store<i32>(biasVelocity, sign * BIAS);
      expect(byMomentum.step(moving, 0, 1, wide, one, large, large)).toBe(SMALL);
      for (let i = 0; i < SMALL; i += 2047) {
        expect(<i32>load<i16>(velocities + (i << 1))).toBe(sign * 32767);
        expect(<i32>load<i16>(moving.masters + (i << 1))).toBe(-sign * 32512);
        expect(<i32>load<i8>(moving.weights + i)).toBe(-sign * 127);
      }
      expect(load<i32>(biasVelocity)).toBe(sign * BIAS);
      expect(load<i32>(moving.biases)).toBe(-sign * BIAS);
    }
  });

  test("accumulation: sums saturate at 2^30, and the step that follows them keeps masters within their range", () => {
    const sums = summing.moments + <usize>byMomentum.stateBytes(SMALL, 1);
    for (let sign = -1; sign < 2; sign += 2) {
      prepare(summing, SMALL, sign < 0 ? LEAST : MOST, -sign * 32512, -sign * BIAS);
      checkpoint.setSteps(0);
      // each of them is worth 2^30 / 2^16 · 2^10 at least
      for (let i = 0; i < 100; ++i) byMean.step(summing, 0, 1, wide, one, large, large);
      expect(load<i32>(sums)).toBe(-sign * BIAS);
      expect(load<i32>(sums + ((SMALL - 1) << 2))).toBe(-sign * BIAS);
      checkpoint.setSteps((1 << 16) - 1);
      expect(byMean.step(summing, 0, 1, wide, one, large, large)).toBe(SMALL);
      expect(load<i32>(sums)).toBe(0);
      expect(<i32>load<i16>(summing.masters)).toBe(-sign * MASTER_MAX);
      expect(<i32>load<i16>(summing.masters + ((SMALL - 1) << 1))).toBe(-sign * MASTER_MAX);
    }
  });

  test("RMSprop: the mean square of a channel of 32,767 of the largest gradients", () => {
    back.setRate(scaleOf(1, -10));
    for (let sign = -1; sign < 2; sign += 2) {
      store<Scale>(dividing.moments, 0);
      prepare(dividing, FAN_IN, sign < 0 ? LEAST : MOST, 0, 0);
      const before = real(scaleOf(1, dividing.unitBits - 8));
      byRms.step(dividing, 0, 1, wide, one, scaleOf(1, -10), scaleOf(1, -40));
      const want = before * before * <f64>MOST * <f64>MOST;
      // 23 bits of a gradient count
      expect(Math.abs(real(load<Scale>(dividing.moments)) / want - 1)).toBeLessThan(1e-6);
      // one unit of gradient is worth 1 master unit at rate 1: a weight moves by the rate
      const moved = <f64>load<i16>(dividing.masters) * before;
      expect(Math.abs(moved + <f64>sign / 1024)).toBeLessThan(before * 2);
    }
  });
});
