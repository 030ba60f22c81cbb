// Frames that leave out what did not change refer to the one before them; so far they may, and from then on whole samples are sent.
import { STRIPES } from "./book";
import * as encoder from "./encoder";
import { Encoder } from "./encoder";

/** Frames in a row that may leave out what did not change: a lost nack costs no more than these. */
const MOST_SKIPS: i32 = 31;

/** How far back a reference may lie. */
const MOST_BACK: i32 = 65536;

@unmanaged
export class Chain {
  /** Number of the last sample. */
  last: i32 = 0;
  /** Frames in a row that left something out, −1: the other side may lack the last sample. */
  skips: i32 = -1;

  /** A whole sample was sent that was coded with a codebook: the next one may refer to it. */
  begin(sequence: i32): void {
    this.last = sequence;
    this.skips = 0;
  }

  /**
   * Encodes the patches that changed since the last sample: changed[i] != 0, row by row, as large as the codebook says. The encoder was
   * not used otherwise since. Returns the length of the frame, or 0: a whole sample is due, or it does not fit.
   */
  encode(e: Encoder, xT: usize, x: usize, changed: usize, sequence: i32): i32 {
    const back = sequence - this.last;
    const skips = this.skips;
    if (skips < 0 || skips >= MOST_SKIPS || back <= 0 || back > MOST_BACK) return 0;
    if (!e.plan.patchH || e.plan.form == STRIPES) return 0;
    const began = encoder.beginSkip(e, sequence, back, e.crc, changed);
    const length = began && encoder.add(e, xT, x) ? encoder.end(e, true) : 0;
    encoder.endSkip(e);
    if (length) {
      this.last = sequence;
      this.skips = skips + 1;
    }
    return length;
  }
}
