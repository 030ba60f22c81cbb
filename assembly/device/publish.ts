// What an app tells the world: a state record (latest wins; the bridge makes JSON of it) and streams of bytes.
import { hostPublish } from "./host";

const RECORD: usize = memory.data(128, 4);
let length: i32 = 0;

export namespace publish {
  /** Keys: id | format << 16 (docs/abi.md, "State record"). */
  export const CLASS: i32 = 1;
  export const LOSS: i32 = 2 | (1 << 16);
  export const ACCURACY: i32 = 3 | (1 << 16);
  export const STEPS: i32 = 4;
  export const LEARNING_RATE: i32 = 5 | (1 << 16);
  export const EVALUATED: i32 = 6;
  export const SATURATED: i32 = 7;
  /** SGQ: bytes of all frames sent, what they were as int8, version of the codebook (0: none). */
  export const FEATURE_BYTES: i32 = 16;
  export const FEATURE_BYTES_RAW: i32 = 17;
  export const CODEBOOK: i32 = 18;
  /** Personalisation: whether training is due (0, 1), mean doubt (nats), samples in the replay buffer, frames that a label still holds for. */
  export const DUE: i32 = 24;
  export const DOUBT: i32 = 25 | (1 << 16);
  export const KEPT: i32 = 26;
  export const LABELS_LEFT: i32 = 27;
  /** PASS (docs/pass.md, "Counters"). */
  export const DIRTY: i32 = 32 | (1 << 16);
  export const MACS: i32 = 33 | (1 << 16);
  export const MACS_SAVED: i32 = 34;
  export const REFRESH_AGE: i32 = 35;
  export const HARMFUL: i32 = 36 | (1 << 16);
  export const NOISE: i32 = 37 | (1 << 16);
  export const DENSE_FRAMES: i32 = 38;
  /** Cells in which a camera sees something. */
  export const OCCUPIED: i32 = 39;

  /** Starts a state record. */
  export function begin(): void {
    length = 0;
  }

  /** Adds a key and its value; a record holds 16. */
  export function put(key: i32, value: i32): void {
    if (length >= 128) return;
    store<i32>(RECORD + <usize>length, key);
    store<i32>(RECORD + <usize>length, value, 4);
    length += 8;
  }

  /** Hands the record to the firmware, which sends the latest at its own pace. */
  export function end(): void {
    hostPublish(0, RECORD, length);
  }

  /** The two numbers that every learner has: the class seen, and the loss (Q16, nats). */
  export function state(seen: i32, loss: i32): void {
    begin();
    put(CLASS, seen);
    put(LOSS, loss);
    end();
  }

  /** A stream of bytes on the features topic: false when the link is full (the firmware counts what it drops). */
  export function features(data: usize, bytes: i32): bool {
    return hostPublish(1, data, bytes) == 0;
  }
}
