// Parameterised range clipping (Octo §3.2): a layer's range of activations is learned by gradient, as in PACT: what it clips asks
// for more, a decay asks for less, and what was clipped passes no error on.
import { apply, Scale, times2 } from "./scale";

/** Whether a layer of the module learns its ranges. One that is never set leaves nothing of this file in a module. */
export let used: bool = false;

export function use(): void {
  used = true;
}

/** Share of itself that a range loses in a step, in learning rates: 2^−12, as weights would by a usual weight decay. */
const DECAY: i32 = -12;

/** Takes the errors of clipped outputs away; returns their sum, signed as the outputs are. |sum| ≤ 127·n */
export function mask(y: usize, n: i32, e: usize): i64 {
  let sum: i64 = 0;
  for (const end = y + <usize>n; y < end; ++y, ++e) {
    const error = <i32>load<i8>(e);
    if (!error) continue;
    const value = <i32>load<i8>(y);
    if (value < 127 && value > -127) continue;
    sum += value < 0 ? -error : error;
    store<i8>(e, 0);
  }
  return sum;
}

/**
 * The range after a step against its gradient: by at most a 64th of itself, less the decay; it does not grow past 2^60.
 *
 * @param range Q32.32; @param sum of mask(), @param step learning rate times what one unit of the error is worth
 */
export function learn(range: u64, sum: i64, step: Scale, rate: Scale): u64 {
  // range·rate·2^DECAY
  const decay = apply(<i64>range, times2(rate, DECAY), <i64>range >> 7, 1 << 15);
  const less = decay + apply(sum, times2(step, 32), <i64>range >> 6, 1 << 15);
  return range >> 60 && less < 0 ? range : range - <u64>less;
}
