// A replay buffer keeps within its bytes, balances classes whatever the stream is like, gives every sample of a class the same chance, and
// gives back what it took; a head that learns with it goes on from a restored state bit for bit, and keeps what it knew.
import { seal } from "../../device/arena";
import { BUFFER_SMALL, TOO_MANY } from "../../device/errors";
import { fixed } from "../../device/param";
import { copyOf, errorOf, failure, random, same, seed } from "../../int8/__tests__/support";
import * as checkpoint from "../checkpoint";
import { conv2d, dense } from "../conv2d";
import { maxPool } from "../max-pool";
import { build, entrance, infer, Model, restore } from "../model";
import { relu } from "../relu";
import * as replay from "../replay-buffer";
import { ReplayBuffer } from "../replay-buffer";
import { Trainer } from "../trainer";
import { open, show } from "./support";

const CLASSES: i32 = 3;
const BUDGET: i32 = 700;

open(5);
const buffer = new ReplayBuffer(BUDGET, 4);
const model = new Model([9, 8, 1])
  .add(conv2d(4, 3, 1, 1))
  .add(relu())
  .add(maxPool(2))
  .add(dense(CLASSES));
const trainer = new Trainer(model, { learningRate: fixed(0.01), totalSteps: 0 })
  .trainLast(1)
  .replay(buffer, 2);
build();
seal();

/** Elements of a sample: 4×4×4 behind the pool. */
const ELEMENTS: i32 = 64;
const sample = memory.data(64);
/** The state as it was laid out. */
const fresh = copyOf(checkpoint.state, checkpoint.bytes());

function empty(): void {
  memory.copy(checkpoint.state, fresh, checkpoint.bytes());
  restore();
}

/** Offers a sample whose elements all say `mark`. */
function offer(mark: i32, label: i32): void {
  memory.fill(sample, <u8>mark, ELEMENTS);
  replay.offer(sample, label);
}

describe("what fits", () => {
  test("the budget counts everything, and is in the learned state", () => {
    // 8 bytes of head and 4 for each class, then 4 + 64 / 2 for each sample
    expect(buffer.capacity).toBe((696 - 8 - 12) / 36);
    // header, the two layers' own parts, the budget in whole words of 8
    const conv = 16 + 2 * 36 + 4 * 4;
    const head = 16 + 2 * ELEMENTS * CLASSES + 4 * CLASSES;
    expect(checkpoint.bytes()).toBe(32 + conv + ((head + 7) & ~7) + 696);
    expect(buffer.size).toBe(0);
    expect(replay.recall(-1)).toBe(-1);
  });

  test("what enters the first layer that learns is what it keeps", () => {
    expect(entrance().size).toBe(ELEMENTS);
  });
});

describe("packing", () => {
  test("sixteen levels between least and largest: off by half a level at most", () => {
    for (let i = 0; i < 50; ++i) {
      empty();
      seed(i);
      const lo = random(-128, 127);
      const hi = random(lo, 127);
      for (let k = 0; k < ELEMENTS; ++k) store<i8>(sample + k, random(lo, hi));
      replay.offer(sample, 1);
      expect(replay.recall(-1)).toBe(1);
      for (let k = 0; k < ELEMENTS; ++k) {
        const off = <i32>load<i8>(replay.unpacked + k) - <i32>load<i8>(sample + k);
        expect(abs(off) * 30).toBeLessThanOrEqual(hi - lo + 30);
      }
    }
  });

  test("extremes: −128 and 127 in one sample, and a sample of one value", () => {
    empty();
    memory.fill(sample, <u8>127, ELEMENTS);
    store<i8>(sample, -128);
    replay.offer(sample, 2);
    replay.recall(-1);
    expect(same(replay.unpacked, sample, ELEMENTS)).toBeTruthy();
    empty();
    offer(-77, 0);
    replay.recall(-1);
    expect(same(replay.unpacked, sample, ELEMENTS)).toBeTruthy();
  });
});

describe("balance", () => {
  test("a stream of almost one class: the rare ones keep all they had, the others share the rest", () => {
    empty();
    for (let i = 0; i < 2000; ++i) offer(i & 127, i % 500 == 499 ? 2 : i % 10 == 9 ? 1 : 0);
    // four of class 2 came
    expect(buffer.count(2)).toBe(4);
    expect(buffer.size).toBe(buffer.capacity);
    expect(abs(buffer.count(0) - buffer.count(1))).toBeLessThanOrEqual(1);
  });

  test("a class that comes last takes its share, and no more", () => {
    for (let i = 0; i < 100; ++i) offer(1, 2);
    expect(buffer.count(2)).toBe(6);
    expect(buffer.count(0) + buffer.count(1)).toBe(12);
  });

  test("of a class, early samples are as likely to be there as late ones", () => {
    let early = 0;
    const trials = 100;
    for (let trial = 0; trial < trials; ++trial) {
      empty();
      // another seed, other draws
      store<u32>(checkpoint.state, trial + 1000, 20);
      for (let i = 0; i < 100; ++i) offer(i < 50 ? 1 : 2, 0);
      for (let i = 0; i < 40; ++i) {
        checkpoint.setSteps(i);
        replay.recall(-1);
        if (load<i8>(replay.unpacked) == 1) ++early;
      }
    }
    // 18 of 100 are kept: the share of early ones has a spread of 0.107 in a trial, 0.0107 over all of them
    expect(abs(<f64>early / <f64>(40 * trials) - 0.5)).toBeLessThan(0.05);
  });

  test("old samples are drawn class by class, however few there are of one", () => {
    empty();
    for (let i = 0; i < 17; ++i) offer(1, 0);
    offer(2, 2);
    let rare = 0;
    for (let i = 0; i < 2000; ++i) {
      checkpoint.setSteps(i);
      if (replay.recall(-1) == 2) ++rare;
    }
    // binomial: 1,000 ± 22
    expect(abs(rare - 1000)).toBeLessThan(110);
  });

  test("never of the class that has just been shown", () => {
    offer(3, 1);
    let of1 = 0;
    for (let i = 0; i < 1000; ++i) {
      checkpoint.setSteps(i);
      const label = replay.recall(0);
      expect(label).not.toBe(0);
      if (label == 1) ++of1;
    }
    // binomial: 500 ± 16
    expect(abs(of1 - 500)).toBeLessThan(80);
    empty();
    offer(1, 2);
    expect(replay.recall(2)).toBe(-1);
  });
});

/** Learns frames from `from` to `to` of the classes whose bits are set. */
function train(from: i32, to: i32, classes: i32): void {
  for (let i = from; i < to; ++i) {
    const frame = show(i, CLASSES);
    if ((classes >> frame.label) & 1) trainer.step(frame, frame.label);
  }
}

/** Share of frames of a class that the model knows. */
function known(label: i32): f64 {
  let right = 0;
  let all = 0;
  for (let i = 7000; i < 7150; ++i) {
    const frame = show(i, CLASSES);
    if (frame.label != label) continue;
    ++all;
    if (infer(frame).argmax() == label) ++right;
  }
  return <f64>right / <f64>all;
}

describe("learning with it", () => {
  test("each labelled frame is a step and two old ones, and is kept", () => {
    empty();
    const frame = show(0, CLASSES);
    trainer.step(frame, frame.label);
    // nothing was there to learn again
    expect(model.steps).toBe(1);
    train(1, 4, 7);
    expect(model.steps).toBe(1 + 3 * 3);
    expect(buffer.size).toBe(4);
  });

  test("afterwards the layers hold the new frame", () => {
    const frame = show(50, CLASSES);
    const seen = infer(frame);
    trainer.step(frame, frame.label);
    const input = copyOf(entrance().data, ELEMENTS);
    const argmax = seen.argmax();
    infer(show(51, CLASSES));
    infer(show(50, CLASSES));
    expect(same(entrance().data, input, ELEMENTS)).toBeTruthy();
    expect(seen.argmax()).toBe(argmax);
  });

  test("a held-out frame is neither learned nor kept", () => {
    const before = copyOf(checkpoint.state, checkpoint.bytes());
    const frame = show(60, CLASSES);
    store<i32>(changetype<usize>(frame), 1, 28);
    trainer.step(frame, frame.label);
    store<i32>(changetype<usize>(frame), 0, 28);
    expect(same(before, checkpoint.state, checkpoint.bytes())).toBeTruthy();
  });

  test("the layers below stay to the bit, their ranges too", () => {
    const conv = 16 + 2 * 36 + 4 * 4;
    const before = copyOf(checkpoint.state + 32, conv);
    train(100, 140, 7);
    expect(same(before, checkpoint.state + 32, conv)).toBeTruthy();
  });

  test("from a restored state it goes on bit for bit", () => {
    const size = checkpoint.bytes();
    const halfway = copyOf(checkpoint.state, size);
    train(200, 230, 7);
    const whole = copyOf(checkpoint.state, size);
    train(300, 310, 7);
    memory.copy(checkpoint.state, halfway, size);
    restore();
    train(200, 230, 7);
    expect(same(checkpoint.state, whole, size)).toBeTruthy();
  });

  test("a class that is learned later does not cost the earlier ones, which do not come any more", () => {
    empty();
    train(0, 300, 3);
    expect(known(2)).toBe(0);
    train(400, 700, 4);
    expect(known(2)).toBeGreaterThan(0.9);
    expect(known(0)).toBeGreaterThan(0.9);
    expect(known(1)).toBeGreaterThan(0.9);
  });
});

describe("what a state from outside may hold", () => {
  test("a buffer that was filled for another layer is forgotten", () => {
    store<u32>(checkpoint.state + checkpoint.bytes() - 696, 52);
    restore();
    expect(buffer.size).toBe(0);
    train(800, 803, 7);
    expect(buffer.size).toBe(3);
  });

  test("slots of classes that do not exist are never drawn, and nothing beyond the buffer is touched", () => {
    const slots = checkpoint.state + checkpoint.bytes() - 696 + 20;
    for (let i = 0; i < buffer.capacity; ++i) store<u8>(slots + i * 36, 200 + i);
    expect(replay.recall(-1)).toBe(-1);
    train(900, 905, 7);
    expect(replay.recall(-1)).toBe(-1);
    empty();
  });
});

describe("errors", () => {
  test("a second one", () => {
    expect(() => {
      new ReplayBuffer(100, 8);
    }).toThrow();
    expect(failure()).toBe(errorOf(TOO_MANY, 0));
  });

  test("samples that do not fit, and classes past a byte", () => {
    expect(() => {
      replay.place(4096, CLASSES);
    }).toThrow();
    expect(failure()).toBe(errorOf(BUFFER_SMALL, 0));
    expect(() => {
      replay.place(1, 256);
    }).toThrow();
    expect(failure()).toBe(errorOf(TOO_MANY, 0));
  });
});
