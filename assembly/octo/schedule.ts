// Learning rates that change: constant, in steps, along a cosine. Integers only, from the number of the step alone, so that training
// that is taken up again goes on as it would have.
import { Fixed } from "../device/param";
import { create } from "./layer";
import { COSINE, STEP_DECAY, within } from "./options";
import { multiply, Scale, scaleOf } from "./scale";

/** The rate at a step, from 0. The class itself is the constant schedule. */
export class Schedule {
  at(step: i64, rate: Scale): Scale {
    return rate;
  }
}

/** The schedule that was chosen; without one, the trainer's own (TrainerOptions.totalSteps). */
export let used: bool = false;
export let chosen: Schedule = changetype<Schedule>(0);

export function use(schedule: Schedule): void {
  used = true;
  chosen = schedule;
}

class StepDecay extends Schedule {
  size: i32;
  gamma: Scale;

  /** rate·γ^⌊step / size⌋; after 64 decays, the last of them. */
  at(step: i64, rate: Scale): Scale {
    for (let i = min(step / <i64>this.size, 64); i > 0; --i) rate = multiply(rate, this.gamma);
    return rate;
  }
}

class Cosine extends Schedule {
  steps: i32;

  /** rate·(1 + cos(π·step / steps)) / 2, which is rate·sin²(π/2 · (1 − step / steps)); nothing after the last step. */
  at(step: i64, rate: Scale): Scale {
    const left = <i64>this.steps - step;
    if (left <= 0) return multiply(rate, scaleOf(1, -62));
    const sine = <u64>quarterSine((left << 30) / <i64>this.steps);
    return multiply(rate, scaleOf(sine * sine, -60));
  }
}

/**
 * sin(π/2 · x) for x in [0, 1], Q30, by its series up to x⁷: at most 2·10⁻⁴ too small. Every product of two Q30 numbers
 * below 2 fits i64.
 */
function quarterSine(x: i64): i64 {
  const square = (x * x) >> 30;
  // π/2, (π/2)³/3!, (π/2)⁵/5!, (π/2)⁷/7! in Q30
  let sum: i64 = 85569306 - ((square * 5026995) >> 30);
  sum = 693598668 - ((square * sum) >> 30);
  sum = 1686629713 - ((square * sum) >> 30);
  return min((x * sum) >> 30, 1 << 30);
}

/** The same rate at every step. */
export function constant(): Schedule {
  return create<Schedule>();
}

/** Times `gamma` every `size` steps. */
export function stepDecay(size: i32, gamma: Fixed): Schedule {
  within(STEP_DECAY, size, 1, i32.MAX_VALUE);
  const schedule = create<StepDecay>();
  schedule.size = size;
  schedule.gamma = scaleOf(gamma, -32);
  return schedule;
}

/** Down to nothing in `steps` steps, along half a cosine. */
export function cosine(steps: i32): Schedule {
  within(COSINE, steps, 1, i32.MAX_VALUE);
  const schedule = create<Cosine>();
  schedule.steps = steps;
  return schedule;
}
