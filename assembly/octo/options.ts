// Checks of what a layer or a trainer is told. Numbers of options are `where` of the error.
import { TRAINING_OPTION } from "../device/errors";
import { fail } from "../device/host";

export const QUANTISE: i32 = 1;
export const ACCUMULATE: i32 = 2;
export const TRAIN_LAST: i32 = 3;
export const EARLY_STOP: i32 = 4;
export const STEP_DECAY: i32 = 5;
export const COSINE: i32 = 6;
export const MOMENTUM: i32 = 7;
export const WEIGHT_DECAY: i32 = 8;
export const REPLAY_BITS: i32 = 9;

/** Errors: TRAINING_OPTION (want: the nearest that is allowed). */
export function within(option: i32, value: i32, least: i32, most: i32): void {
  if (value < least || value > most) fail(TRAINING_OPTION, option, value, value < least ? least : most);
}
