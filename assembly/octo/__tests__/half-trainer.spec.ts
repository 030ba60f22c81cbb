// A device half that learns from errors of its features which somebody else has worked out.
import { allocate, seal } from "../../device/arena";
import { fixed } from "../../device/param";
import { copyOf, same } from "../../int8/__tests__/support";
import * as checkpoint from "../checkpoint";
import { conv2d } from "../conv2d";
import { HalfTrainer } from "../half-trainer";
import { maxPool } from "../max-pool";
import { build, infer, Model, restore } from "../model";
import { relu } from "../relu";
import { open, show } from "./support";

const CHANNELS: i32 = 4;

open(3);
const model = new Model([8, 8, 1])
  .add(conv2d(CHANNELS, 3, 1, 1))
  .add(relu())
  .add(maxPool(2));
const trainer = new HalfTrainer(model, { learningRate: fixed(0.01) });
build();
const errors = allocate(16 * CHANNELS);
seal();

/** The mean activation of a channel over some frames, in Q16. */
function level(channel: i32): i64 {
  let sum: i64 = 0;
  for (let i = 0; i < 8; ++i) {
    const features = infer(show(1000 + i, 3));
    const scale = features.scale;
    for (let k = channel; k < features.size; k += CHANNELS) {
      // mantissa · 2^(exponent + 16)
      sum += (<i64>features.at(k) * (scale & 0xffffffff)) >> <i64>(-16 - <i32>(scale >> 32));
    }
  }
  return sum / 128;
}

/** Errors of this size at one channel, none elsewhere. */
function push(channel: i32, error: i8): void {
  memory.fill(errors, 0, 16 * CHANNELS);
  for (let k = channel; k < 16 * CHANNELS; k += CHANNELS) store<i8>(errors + k, error);
}

function learn(from: i32, to: i32): void {
  for (let i = from; i < to; ++i) {
    const frame = show(i, 3);
    infer(frame);
    trainer.learn(frame, errors, -12);
  }
}

describe("a device half", () => {
  test("gives int8 features, and starts with a state of its own", () => {
    const features = infer(show(0, 3));
    expect<i32>(features.width).toBe(0);
    expect(features.size).toBe(16 * CHANNELS);
    expect(checkpoint.steps()).toBe(0);
  });

  test("makes smaller what has an error above zero, and larger what has one below", () => {
    learn(0, 1);
    let moved = 0;
    for (let channel = 0; channel < CHANNELS; ++channel) {
      const before = level(channel);
      if (before < 3000) continue;
      push(channel, 40);
      learn(1, 8);
      const less = level(channel);
      expect(less).toBeLessThan(before);
      // a rectifier that is never above zero would stay there
      if (!less) continue;
      push(channel, -40);
      learn(8, 24);
      expect(level(channel)).toBeGreaterThan(less);
      ++moved;
    }
    expect(moved).toBeGreaterThan(0);
  });

  test("does not move for errors that are all zero, and counts the step", () => {
    memory.fill(errors, 0, 16 * CHANNELS);
    const before = copyOf(checkpoint.state + 48, checkpoint.bytes() - 48);
    const steps = checkpoint.steps();
    learn(500, 503);
    expect(same(before, checkpoint.state + 48, checkpoint.bytes() - 48)).toBe(true);
    expect(checkpoint.steps()).toBe(steps + 3);
  });

  test("goes on from a state that was written as if nothing had happened", () => {
    push(0, 70);
    learn(600, 605);
    const state = copyOf(checkpoint.state, checkpoint.bytes());
    learn(605, 620);
    const after = copyOf(checkpoint.state, checkpoint.bytes());
    memory.copy(checkpoint.state, state, checkpoint.bytes());
    restore();
    learn(605, 620);
    expect(same(after, checkpoint.state, checkpoint.bytes())).toBe(true);
  });
});
