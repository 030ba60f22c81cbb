// Drift: says when what a model sees has moved away from what it was used to, and training is due. Page–Hinkley's test (Page 1954) in
// integers, over a loss: that of labelled samples, or where nobody says what they are, the model's own doubt (Trainer.doubt).
import { Fixed, fixed } from "../device/param";

/** Samples before the mean of a model that has just learned is believed. */
const WARM_UP: i32 = 32;

/**
 * x̄ is the mean of the losses since reset(), and m the sum of x − x̄ − delta, never below 0: a rise that lasts lifts it. Drift is
 * due when m exceeds lambda, and stays so until reset(). Allocated once; see() allocates nothing.
 */
export class Drift {
  /** Sum of the losses, Q16: at most 2^31 losses of at most 2^24 each, below 2^55. */
  private sum: i64 = 0;
  private count: i32 = 0;
  /** Q16; saturates far above any lambda. */
  private risen: i64 = 0;
  private found: bool = false;
  private readonly delta: i64;
  private readonly lambda: i64;

  /**
   * @param lambda nats: the higher, the later and the surer
   * @param delta nats: a rise of the mean that is let pass
   */
  constructor(lambda: Fixed = fixed(20), delta: Fixed = fixed(0.1)) {
    this.lambda = lambda >> 16;
    this.delta = delta >> 16;
  }

  /** Takes the loss of a sample, Q16, nats; returns whether training is due. */
  see(loss: i32): bool {
    const x = <i64>loss;
    this.sum += x;
    const count = this.count + 1;
    this.count = count;
    if (count > WARM_UP) {
      this.risen = min(max(this.risen + x - this.mean - this.delta, 0), i32.MAX_VALUE);
      if (this.risen > this.lambda) this.found = true;
    }
    // a mean over the whole past of a device that runs for years would not move any more
    if (count == i32.MAX_VALUE) {
      this.sum >>= 1;
      this.count = count >> 1;
    }
    return this.found;
  }

  /** Mean loss since reset(), Q16; 0 before the first. */
  get mean(): i64 {
    return this.count ? this.sum / <i64>this.count : 0;
  }

  /** Whether training is due. */
  get due(): bool {
    return this.found;
  }

  /** Starts over: the model has learned. */
  reset(): void {
    this.sum = 0;
    this.count = 0;
    this.risen = 0;
    this.found = false;
  }
}
