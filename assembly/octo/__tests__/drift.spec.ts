// Drift is found soon after the losses rise, not before; small rises are let pass; a model that has learned starts over.
import { fixed } from "../../device/param";
import { random, seed } from "../../int8/__tests__/support";
import { Drift } from "../drift";

/** A loss around `mean` thousandths of a nat, Q16: uniform within ±100 %. */
function loss(mean: i32): i32 {
  return (random(0, 2 * mean) << 16) / 1000;
}

/** Samples with a loss around `mean` until drift is due; `most` when it never is. */
function until(drift: Drift, mean: i32, most: i32): i32 {
  for (let i = 1; i <= most; ++i) if (drift.see(loss(mean))) return i;
  return most;
}

describe("drift", () => {
  test("a steady stream never alarms", () => {
    for (let stream = 0; stream < 20; ++stream) {
      seed(stream);
      expect(until(new Drift(), 300, 5000)).toBe(5000);
    }
  });

  test("a rise from 0.3 to 1.2 nats is found within λ / (rise − δ), and a few", () => {
    for (let stream = 0; stream < 20; ++stream) {
      seed(stream);
      const drift = new Drift(fixed(20), fixed(0.1));
      until(drift, 300, 500);
      // 20 / (1.2 − 0.3 − 0.1) = 25
      const found = until(drift, 1200, 1000);
      expect(found).toBeGreaterThan(10);
      expect(found).toBeLessThan(60);
      expect(drift.due).toBeTruthy();
    }
  });

  test("a rise below δ is let pass", () => {
    seed(3);
    const drift = new Drift(fixed(20), fixed(0.3));
    until(drift, 300, 500);
    expect(until(drift, 450, 5000)).toBe(5000);
  });

  test("it stays due until the model has learned, then starts over", () => {
    seed(4);
    const drift = new Drift();
    until(drift, 300, 200);
    until(drift, 2000, 200);
    expect(drift.see(0)).toBeTruthy();
    drift.reset();
    expect(drift.due).toBeFalsy();
    expect(drift.mean).toBe(0);
    // the higher level is the new usual
    expect(until(drift, 2000, 50)).toBe(50);
  });

  test("the largest losses there are do not overflow, and are found at once after the warm-up", () => {
    const drift = new Drift();
    for (let i = 0; i < 40; ++i) drift.see(0);
    expect(drift.see(i32.MAX_VALUE)).toBeTruthy();
    for (let i = 0; i < 1000; ++i) drift.see(i32.MAX_VALUE);
    expect(drift.due).toBeTruthy();
  });
});
