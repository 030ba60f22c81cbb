// A whole model that learns: its loss falls, it knows what it has not seen, and training that is interrupted by a restore goes on
// as if nothing had happened.
import { allocate, seal } from "../../device/arena";
import { ALLOCATION_SEALED, BAD_LABEL, SENSOR_SHAPE, STATE_MISMATCH } from "../../device/errors";
import { fixed } from "../../device/param";
import { sensor } from "../../device/sensor";
import { copyOf, errorOf, failure, same } from "../../int8/__tests__/support";
import { drawKey } from "../../int8/rng";
import * as checkpoint from "../checkpoint";
import { conv2d, dense } from "../conv2d";
import { maxPool } from "../max-pool";
import { build, infer, Model, restore } from "../model";
import { relu } from "../relu";
import { selfTest } from "../self-test";
import { Trainer } from "../trainer";
import { open, show } from "./support";

const CLASSES: i32 = 3;

open(5);
const model = new Model([9, 8, 1])
  .add(conv2d(4, 3, 1, 1))
  .add(relu())
  .add(maxPool(2))
  .add(conv2d(6, 3))
  .add(relu())
  .add(dense(12))
  .add(relu())
  .add(dense(CLASSES));
const trainer = new Trainer(model, { learningRate: fixed(0.01), totalSteps: 1000 });
build();
seal();

function train(from: i32, to: i32): void {
  for (let i = from; i < to; ++i) {
    const frame = show(i, CLASSES);
    trainer.step(frame, frame.label);
  }
}

/** Share of frames from `from` to `to` that the model knows. */
function known(from: i32, to: i32): f64 {
  let right = 0;
  for (let i = from; i < to; ++i) {
    const frame = show(i, CLASSES);
    if (infer(frame).argmax() == frame.label) ++right;
  }
  return <f64>right / <f64>(to - from);
}

describe("checkpoint", () => {
  test("its header is that of docs/abi.md", () => {
    expect(load<u32>(checkpoint.state)).toBe(0x504b434f);
    expect(load<u32>(checkpoint.state, 4)).toBe(1);
    expect(load<i32>(checkpoint.state, 8)).toBe(checkpoint.bytes());
    expect(load<u32>(checkpoint.state, 12)).not.toBe(0);
    expect(load<u32>(checkpoint.state, 16)).toBe(0);
    expect(load<u32>(checkpoint.state, 20)).toBe(5);
  });

  test("another model's is refused, word by word, and the old one still fits", () => {
    const before = copyOf(checkpoint.state, checkpoint.bytes());
    for (let word = 0; word < 4; ++word) {
      store<u32>(checkpoint.state + (word << 2), load<u32>(before + (word << 2)) + 1);
      expect(() => {
        restore();
      }).toThrow();
      expect(failure()).toBe(errorOf(STATE_MISMATCH, word));
      memory.copy(checkpoint.state, before, checkpoint.bytes());
    }
    restore();
    expect(failure()).toBe(0);
  });
});

describe("training", () => {
  test("draws belong to seed, step and tensor", () => {
    expect(checkpoint.key(9)).toBe(drawKey(5, 0, 9));
    train(0, 1);
    expect(checkpoint.key(9)).toBe(drawKey(5, 1, 9));
  });

  test("restored training goes on as uninterrupted training does, bit for bit", () => {
    train(1, 25);
    const size = checkpoint.bytes();
    const halfway = copyOf(checkpoint.state, size);
    train(25, 60);
    const whole = copyOf(checkpoint.state, size);
    expect(same(halfway, whole, size)).toBeFalsy();
    expect(model.steps).toBe(60);
    // somewhere else in between
    train(60, 70);
    memory.copy(checkpoint.state, halfway, size);
    restore();
    expect(model.steps).toBe(25);
    train(25, 60);
    expect(same(checkpoint.state, whole, size)).toBeTruthy();
  });

  test("the loss falls, and frames that it was not trained on are known", () => {
    train(60, 400);
    expect(<f64>trainer.loss / 65536).toBeLessThan(0.3);
    expect(known(1000, 1200)).toBeGreaterThan(0.95);
  });

  test("inference changes nothing that was learned", () => {
    const before = copyOf(checkpoint.state, checkpoint.bytes());
    known(2000, 2050);
    expect(same(before, checkpoint.state, checkpoint.bytes())).toBeTruthy();
  });

  test("a held-out frame is counted, not learned from", () => {
    const before = copyOf(checkpoint.state, checkpoint.bytes());
    for (let i = 3000; i < 3010; ++i) {
      const frame = show(i, CLASSES);
      // flags: held out
      store<i32>(changetype<usize>(frame), 1, 28);
      trainer.step(frame, frame.label);
      store<i32>(changetype<usize>(frame), 0, 28);
    }
    expect(trainer.evaluated).toBe(10);
    expect(<f64>trainer.accuracy / 65536).toBeGreaterThan(0.85);
    expect(same(before, checkpoint.state, checkpoint.bytes())).toBeTruthy();
  });
});

describe("errors of a step", () => {
  test("a label that is no class", () => {
    expect(() => {
      trainer.step(show(5000, CLASSES), CLASSES);
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_LABEL, 0));
    expect(() => {
      trainer.step(show(5001, CLASSES), -1);
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_LABEL, 0));
  });

  test("a frame of another shape", () => {
    for (let i = 0; i < 3; ++i) {
      const frame = show(5002 + i, CLASSES);
      const at = changetype<usize>(frame) + (i << 2);
      store<i32>(at, load<i32>(at, 12) + 1, 12);
      expect(() => {
        infer(sensor.last());
      }).toThrow();
      expect(failure()).toBe(errorOf(SENSOR_SHAPE, 0));
      store<i32>(at, load<i32>(at, 12) - 1, 12);
    }
  });

  test("memory is not given after init", () => {
    expect(() => {
      allocate(4);
    }).toThrow();
    expect(failure()).toBe(errorOf(ALLOCATION_SEALED, 0));
  });
});

describe("self-test", () => {
  test("says another number for another state, and the same for the same", () => {
    const size = checkpoint.bytes();
    const state = copyOf(checkpoint.state, size);
    const first = selfTest();
    const second = selfTest();
    expect(first).not.toBe(second);
    memory.copy(checkpoint.state, state, size);
    restore();
    expect(selfTest()).toBe(first);
  });
});
