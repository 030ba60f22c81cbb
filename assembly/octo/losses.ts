// Losses other than softmax cross-entropy: categorical hinge, and the mean squared error of values (regression, autoencoders).
import * as int8 from "../int8/intrinsics";
import { BIAS_MAX } from "../int8/requantize32";
import { create, Output } from "./layer";
import { divide, Scale, scaleOf, times2, whole } from "./scale";
import * as work from "./workspace";

/** Makes the errors of the outputs, and tells the loss. This class is no loss. */
export class Loss {
  /** What one unit of an error is worth. */
  unit: Scale;

  /**
   * @param outputs of the last layer, int32; @param y the same in Q16, which becomes their errors, |error| < 2^31
   * @param label a class; @param target int8 values, or 0
   * @returns the loss, Q16
   */
  errors(outputs: Output, y: usize, label: i32, target: usize): i32 {
    return 0;
  }
}

/** The loss that was chosen; without one, softmax cross-entropy. */
export let used: bool = false;
export let chosen: Loss = changetype<Loss>(0);

export function use(loss: Loss): void {
  used = true;
  chosen = loss;
}

/** Errors in work.gradients; returns the loss, Q16. */
export function errorsOf(outputs: Output, label: i32, target: usize): i32 {
  const n = outputs.size;
  work.fill(work.QUANT, times2(outputs.scale, 16), BIAS_MAX, work.NEAREST);
  int8.requantize32(work.QUANT, outputs.data, n, 0, work.gradients);
  return chosen.errors(outputs, work.gradients, label, target);
}

class CategoricalHinge extends Loss {
  /** max(0, 1 + the largest other output − that of the class): errors are +1, −1, or none at all. */
  errors(outputs: Output, y: usize, label: i32, target: usize): i32 {
    const n = outputs.size;
    let rival = -1;
    let most = i32.MIN_VALUE;
    for (let i = 0; i < n; ++i) {
      const value = load<i32>(y + ((<usize>i) << 2));
      if (i == label || value < most) continue;
      most = value;
      rival = i;
    }
    if (rival < 0) return 0;
    // both within ±2^30: their distance and the margin may pass int32
    const loss = <i64>65536 + <i64>most - <i64>load<i32>(y + ((<usize>label) << 2));
    memory.fill(y, 0, (<usize>n) << 2);
    if (loss <= 0) return 0;
    store<i32>(y + ((<usize>rival) << 2), 65536);
    store<i32>(y + ((<usize>label) << 2), -65536);
    return <i32>min(loss, <i64>i32.MAX_VALUE);
  }
}

class MeanSquaredError extends Loss {
  /** (1/n)·Σ (y − t)²; targets are int8, one unit is 1/128. |y| ≤ 2^30, |t| ≤ 2^16: differences fit i32, squares i64. */
  errors(outputs: Output, y: usize, label: i32, target: usize): i32 {
    const n = outputs.size;
    // the derivative: 2·(y − t) / n
    this.unit = divide(scaleOf(1, -15), whole(n));
    let sum: i64 = 0;
    for (let i = 0; i < n; ++i, y += 4) {
      const error = load<i32>(y) - ((<i32>load<i8>(target + <usize>i)) << 9);
      sum += (<i64>error * <i64>error) >> 16;
      store<i32>(y, error);
    }
    return <i32>min(sum / <i64>n, <i64>i32.MAX_VALUE);
  }
}

/** Categorical hinge loss, margin 1. */
export function categoricalHinge(): Loss {
  const loss = create<CategoricalHinge>();
  loss.unit = scaleOf(1, -16);
  return loss;
}

/** Mean squared error of values; see Trainer.fit(). */
export function meanSquaredError(): Loss {
  return create<MeanSquaredError>();
}
