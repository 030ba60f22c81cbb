// Early stop: training ends when the loss no longer falls.
import * as checkpoint from "./checkpoint";

/** Whether the trainer stops early. */
export let used: bool = false;

let window: i32 = 0;
let patience: i32 = 0;
let least: i32 = 0;
/** Its part of the learned state: sum of the losses of a window (i64, Q16), their number, the best mean (Q16; 0: none
 * yet), windows without a better one. An offset until the state is open. */
let at: usize = 0;

/** @param windows so many in a row, of so many samples, without a fall of at least `delta` (Q16, nats) */
export function use(samples: i32, windows: i32, delta: i32): void {
  used = true;
  window = samples;
  patience = windows;
  least = delta;
}

/** Takes room in the state. */
export function place(): void {
  at = checkpoint.reserve(24);
  checkpoint.describe(window, patience, least, 4);
}

export function wake(): void {
  at += checkpoint.state;
}

export function stopped(): bool {
  return load<i32>(at, 16) >= patience;
}

/** Counts the loss of a sample; at most 2^31 of up to 178 nats: below 2^55. */
export function see(loss: i32): void {
  const sum = load<i64>(at) + <i64>loss;
  const count = load<i32>(at, 8) + 1;
  if (count < window) {
    store<i64>(at, sum);
    store<i32>(at, count, 8);
    return;
  }
  const mean = <i32>(sum / <i64>count);
  const best = load<i32>(at, 12);
  const better = !best || mean <= best - least;
  if (better) store<i32>(at, max(mean, 1), 12);
  store<i32>(at, better ? 0 : load<i32>(at, 16) + 1, 16);
  store<i64>(at, 0);
  store<i32>(at, 0, 8);
}
