// Losses, compensation and optimisers against the same functions in double precision.
import { setLimit } from "../../device/limit";
import { fixed } from "../../device/param";
import { draw } from "../../int8/rng";
import * as back from "../backward";
import * as checkpoint from "../checkpoint";
import { Conv2d, conv2d } from "../conv2d";
import * as lac from "../lac";
import { Layer, NONE } from "../layer";
import * as learning from "../learn";
import { categoricalHinge, meanSquaredError, use } from "../losses";
import { momentum } from "../momentum";
import { rmsProp } from "../rms-prop";
import { divide, scaleOf } from "../scale";
import { errorOf } from "../trainer";
import * as work from "../workspace";
import { real, Rounds } from "./reference";
import { open, output } from "./support";

const ROUNDS: i32 = 400;
const N: i32 = 10;
const SLOPES: i32 = 64;

open(3);
setLimit(i32.MAX_VALUE);
learning.use();
const layer = conv2d(4, 1);
layer.next = output(1, 1, 1);
learning.setOptimizer(momentum(fixed(0.9)));
layer.place(output(3, 3, 12));
const propagated = conv2d(4, 1);
propagated.next = output(1, 1, 1);
propagated.index = 1;
const byRms = rmsProp();
learning.setOptimizer(byRms);
propagated.place(output(3, 3, 12));
back.setFirst(NONE);
checkpoint.open();
work.needGradients(SLOPES);
back.reserve(SLOPES);
work.reserveScratch();
layer.wake(true);
propagated.wake(true);

const logits = memory.data(N * 4, 4);
const target = memory.data(N);

/** Outputs of a last layer. */
function outputs(round: i32): Layer {
  const layer = output(1, 1, N);
  layer.data = logits;
  layer.width = 2;
  layer.scale = scaleOf(3, -12);
  for (let i = 0; i < N; ++i) {
    store<i32>(logits + (i << 2), (<i32>draw(round, i) - 32768) >> 3);
    store<i8>(target + i, <i32>(draw(round + 1000, i) >> 8) - 128);
  }
  return layer;
}

/** What the loss leaves, real: the mean of the rounds, each within one unit. */
function expectErrors(model: Layer, label: i32, want: Float64Array, most: f64): void {
  errorOf(model, label, target);
  const unit = real(back.scale);
  for (let i = 0; i < N; ++i) want[i] /= unit;
  const rounds = new Rounds(want);
  for (let n = 0; n < ROUNDS; ++n) {
    checkpoint.setSteps(n);
    errorOf(model, label, target);
    for (let i = 0; i < N; ++i) rounds.see(i, <f64>load<i8>(back.error + i));
  }
  rounds.expectUnbiased(ROUNDS, "loss", most / unit + 0.002);
}

function valueOf(model: Layer, i: i32): f64 {
  return <f64>model.at(i) * real(model.scale);
}

describe("losses", () => {
  test("softmax with cross-entropy: p − 1 for the class, p for the others; the loss to 2^-12 nats", () => {
    for (let round = 0; round < 8; ++round) {
      const model = outputs(round);
      const label = round % N;
      let sum: f64 = 0;
      for (let i = 0; i < N; ++i) sum += Math.exp(valueOf(model, i));
      const want = new Float64Array(N);
      for (let i = 0; i < N; ++i) want[i] = Math.exp(valueOf(model, i)) / sum - (i == label ? 1 : 0);
      const loss = <f64>errorOf(model, label, 0) / 65536;
      expect(Math.abs(loss - (Math.log(sum) - valueOf(model, label)))).toBeLessThan(1.0 / 4096);
      // probabilities come from a table in Q16
      expectErrors(model, label, want, 4.0 / 65536);
    }
  });

  test("categorical hinge: +1 for the strongest rival, −1 for the class, nothing beyond the margin", () => {
    use(categoricalHinge());
    for (let round = 0; round < 8; ++round) {
      const model = outputs(round);
      const label = round % N;
      let rival = -1;
      for (let i = 0; i < N; ++i)
        if (i != label && (rival < 0 || valueOf(model, i) >= valueOf(model, rival))) rival = i;
      const loss = 1 + valueOf(model, rival) - valueOf(model, label);
      expect(Math.abs(<f64>errorOf(model, label, 0) / 65536 - max(loss, 0))).toBeLessThan(2.0 / 65536);
      const want = new Float64Array(N);
      if (loss <= 0) {
        expect(back.scale).toBe(0);
        continue;
      }
      want[label] = -1;
      want[rival] = 1;
      expectErrors(model, label, want, 1e-6);
    }
  });

  test("mean squared error: 2·(y − t) / n", () => {
    use(meanSquaredError());
    for (let round = 0; round < 8; ++round) {
      const model = outputs(round);
      const want = new Float64Array(N);
      let sum: f64 = 0;
      for (let i = 0; i < N; ++i) {
        const error = valueOf(model, i) - <f64>load<i8>(target + i) / 128;
        want[i] = (2 * error) / N;
        sum += error * error;
      }
      expect(Math.abs(<f64>errorOf(model, 0, target) / 65536 - sum / N)).toBeLessThan(0.001);
      expectErrors(model, 0, want, 2.0 / 65536);
    }
  });
});

describe("compensation", () => {
  test("γ follows −Σ e·(y − offset), and errors are multiplied by it, without bias", () => {
    const gains = memory.data(8, 4);
    const sums = memory.data(8, 4);
    const offsets = memory.data<i32>([300000, -200000]);
    const y = memory.data<i8>([10, -20, 30, 40, -50, 60]);
    const e = memory.data<i8>([3, 0, -5, 7, 11, -13]);
    back.sumsOf(e, 3, 2, sums);
    const unit = scaleOf(5, -10);
    const by = scaleOf(1, -19);
    const want = new Float64Array(2);
    for (let o = 0; o < 2; ++o) {
      let slope: f64 = 0;
      for (let i = o; i < 6; i += 2) {
        const value = <f64>load<i8>(y + i) * real(unit) - <f64>load<i32>(offsets + (o << 2)) / 1048576;
        slope += <f64>load<i8>(e + i) * value;
      }
      want[o] = -slope * real(by) * Math.pow(2, lac.GAIN_RATE) * <f64>lac.GAIN_ONE;
    }
    const rounds = new Rounds(want);
    for (let n = 0; n < ROUNDS; ++n) {
      for (let o = 0; o < 2; ++o) store<i32>(gains + (o << 2), lac.GAIN_ONE);
      lac.learnGains(e, y, 0, unit, 3, 2, sums, offsets, by, n * 77, gains);
      for (let o = 0; o < 2; ++o) rounds.see(o, <f64>(load<i32>(gains + (o << 2)) - lac.GAIN_ONE));
    }
    // the offset's share is rounded to nearest
    rounds.expectUnbiased(ROUNDS, "γ", 0.51);

    store<i32>(gains, lac.GAIN_ONE / 3);
    store<i32>(gains, lac.GAIN_ONE, 4);
    const scaled = memory.data(6);
    const products = new Float64Array(6);
    for (let i = 0; i < 6; ++i) products[i] = <f64>load<i8>(e + i) / (i & 1 ? 1 : 3);
    const found = new Rounds(products);
    for (let n = 0; n < ROUNDS; ++n) {
      lac.scaleErrors(e, 6, 2, gains, lac.largest(gains, 2), n * 91, scaled);
      for (let i = 0; i < 6; ++i) found.see(i, <f64>load<i8>(scaled + i));
    }
    found.expectUnbiased(ROUNDS, "e·γ");
  });
});

const slopes = memory.data(SLOPES * 4, 4);
const biasSlopes = memory.data(16, 4);

function fill(round: i32): void {
  for (let i = 0; i < layer.count; ++i) store<i32>(slopes + (i << 2), (<i32>draw(round, i) - 32768) >> 4);
  for (let o = 0; o < 4; ++o) store<i32>(biasSlopes + (o << 2), (<i32>draw(round, 100 + o) - 32768) >> 4);
}

/** Masters after ten steps, many times over, less those of double precision. */
function expectSteps(model: Conv2d, optimizer: learning.Optimizer, want: Float64Array, within: f64): void {
  const state = memory.data(4096, 8);
  memory.copy(state, checkpoint.state, checkpoint.bytes());
  const sums = new Float64Array(want.length);
  for (let n = 0; n < ROUNDS; ++n) {
    memory.copy(checkpoint.state, state, checkpoint.bytes());
    for (let step = 0; step < 10; ++step) {
      checkpoint.setSteps(n * 10 + step);
      fill(step);
      optimizer.step(model, 0, 4, slopes, biasSlopes, scaleOf(1, -9), scaleOf(1, -9));
    }
    for (let i = 0; i < want.length; ++i) {
      const at = (<usize>i) << 1;
      const moved =
        <i32>load<i16>(model.masters + at) - load<i16>(model.masters - checkpoint.state + state + at);
      sums[i] += <f64>moved - want[i];
      expect(Math.abs(<f64>moved - want[i])).toBeLessThan(within);
    }
  }
  for (let i = 0; i < want.length; ++i) {
    // ten roundings of one unit each at most: a mean of 400 within 5 standard deviations, √10/2/20 each
    expect(Math.abs(sums[i] / ROUNDS)).toBeLessThan(0.4);
  }
  memory.copy(checkpoint.state, state, checkpoint.bytes());
}

describe("optimisers, ten steps", () => {
  test("momentum: v = β·v + rate·gradient, w = w − v", () => {
    const want = new Float64Array(layer.count);
    const v = new Float64Array(layer.count);
    for (let step = 0; step < 10; ++step) {
      fill(step);
      for (let i = 0; i < layer.count; ++i) {
        v[i] = 0.9 * v[i] + <f64>load<i32>(slopes + (i << 2)) / 512;
        want[i] -= v[i];
      }
    }
    expectSteps(layer, momentum(fixed(0.9)), want, 10);
  });

  test("RMSprop: rate·gradient over the root of its channel's running mean square", () => {
    back.setRate(scaleOf(1, -4));
    // what one unit of dw is in a weight's own unit, and a master's unit
    const unit = real(divide(scaleOf(1, -9), back.rate)) * Math.pow(2, <f64>propagated.unitBits - 8);
    const want = new Float64Array(layer.count);
    const mean = new Float64Array(4);
    for (let step = 0; step < 10; ++step) {
      fill(step);
      for (let o = 0; o < 4; ++o) {
        let square: f64 = 0;
        for (let i = 12 * o; i < 12 * o + 12; ++i)
          square += Math.pow(<f64>load<i32>(slopes + (i << 2)) * unit, 2);
        mean[o] = step ? (mean[o] * 127) / 128 + square / 12 / 128 : square / 12;
        for (let i = 12 * o; i < 12 * o + 12; ++i)
          want[i] -= <f64>load<i32>(slopes + (i << 2)) / 512 / Math.sqrt(mean[o]);
      }
    }
    expectSteps(propagated, byRms, want, 10);
  });
});
