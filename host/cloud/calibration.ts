// When a codebook is made: once there are enough self-contained samples, and again when the sizes of frames say that features are no
// longer what the codebook was made for.

import type { Sample } from "./ingest/device-stream.ts";

export interface CalibrationOptions {
  /** Self-contained samples, with labels, that a codebook is made of. */
  readonly samples: number;
  /** Makes a codebook and takes it into use; resolves to the bytes that a frame should take. */
  make(samples: readonly Sample[]): Promise<number>;
  /** Told once for each codebook: devices should send self-contained frames for a while. */
  drifted(text: string): void;
  failed(text: string): void;
}

/** Mean size of so many frames tells whether features are still what the codebook was made for, and by how much they may differ. */
const DRIFT_FRAMES = 256;
const DRIFT = 0.3;

export class Calibration {
  readonly #options: CalibrationOptions;
  #samples: Sample[] = [];
  #making: Promise<void> | undefined;
  /** The newest codebook; 0: none. */
  #version = 0;
  /** What its frames were expected to take (0: not known), and what the last ones took. */
  #expected = 0;
  #sizes: number[] = [];
  #drifted = false;

  constructor(options: CalibrationOptions) {
    this.#options = options;
  }

  /** Another codebook is in use: nothing is known of its frames yet. */
  use(version: number): void {
    this.#version = version;
    this.#expected = 0;
    this.#sizes = [];
    this.#drifted = false;
  }

  see(sample: Sample): void {
    if (sample.codebook === 0) this.#collect(sample);
    else if (sample.codebook === this.#version && !this.#drifted && !sample.partial)
      this.#watch(sample.bytes);
  }

  /** Whether a codebook is being made. */
  get making(): boolean {
    return this.#making !== undefined;
  }

  /** Resolves when a codebook that is being made is done. */
  async settled(): Promise<void> {
    await this.#making;
  }

  #collect(sample: Sample): void {
    if (this.#making || (this.#version !== 0 && !this.#drifted)) return;
    if (sample.label >= 0) this.#samples.push(sample);
    if (this.#samples.length < this.#options.samples) return;
    const samples = this.#samples;
    this.#samples = [];
    this.#making = this.#options
      .make(samples)
      .then(
        (bytes) => {
          this.#expected = bytes;
        },
        (error) => this.#options.failed((error as Error).message),
      )
      .finally(() => {
        this.#making = undefined;
      });
  }

  #watch(bytes: number): void {
    this.#sizes.push(bytes);
    if (this.#sizes.length < DRIFT_FRAMES) return;
    const mean = this.#sizes.reduce((sum, size) => sum + size, 0) / this.#sizes.length;
    this.#sizes = [];
    // after a restart the first frames say what is usual
    if (this.#expected === 0) this.#expected = mean;
    if (Math.abs(mean - this.#expected) <= DRIFT * this.#expected) return;
    this.#drifted = true;
    this.#options.drifted(`samples take ${mean.toFixed(1)} bytes instead of ${this.#expected.toFixed(1)}`);
  }
}
