// Counts what is missing in a stream whose frames are numbered 0, 1, … modulo 65536 within an epoch.

const MODULUS = 0x10000;

export class StreamCounter {
  #next = 0;
  /** Frames that never came, over all epochs. */
  lost = 0;

  /** An epoch begins: its first frame has the number 0. */
  start(): void {
    this.#next = 0;
  }

  /** Takes note of a frame; false if it is one that came before. */
  take(sequence: number): boolean {
    const ahead = (sequence - this.#next + MODULUS) % MODULUS;
    if (ahead >= MODULUS / 2) return false;
    this.lost += ahead;
    this.#next = (sequence + 1) % MODULUS;
    return true;
  }
}
