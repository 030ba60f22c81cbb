// What one device sends, as samples in order: slices put together, numbers completed, doubled ones dropped.

import { type DecodedSample, NackReason, type SampleReference } from "../../sgq/types.ts";
import type { Decoded } from "./decode.ts";
import { SequenceOrder } from "./sequence.ts";

/** A whole sample of a device. */
export interface Sample {
  readonly device: string;
  readonly sequence: number;
  /** −1: none. */
  readonly label: number;
  readonly heldOut: boolean;
  /** int8, NHWC. */
  readonly features: Int8Array;
  /** Codebook version; 0: self-contained. */
  readonly codebook: number;
  /** What it took of SGQ frames; of a frame of several samples its share. */
  readonly bytes: number;
}

type Arrived = Extract<Decoded, { kind: "samples" }>;

/** A sample that comes in slices. */
interface Slices {
  sequence: number;
  readonly features: Int8Array;
  readonly rows: Set<number>;
  bytes: number;
}

/** So many samples back a frame with skipped patches may refer to. */
const REFERENCES = 4;

export class DeviceStream {
  readonly device: string;
  /** Version that it has acknowledged, or that its last frame was coded with; 0: none. */
  codebook = 0;
  readonly #order = new SequenceOrder<Sample[]>();
  readonly #elements: number;
  readonly #height: number;
  #slices: Slices | undefined;
  #references: SampleReference[] = [];

  /** @param shape of a whole sample */
  constructor(device: string, [h, w, c]: readonly [number, number, number]) {
    this.device = device;
    this.#height = h;
    this.#elements = h * w * c;
  }

  get counts(): SequenceOrder<Sample[]>["counts"] {
    return this.#order.counts;
  }

  /** For DecodeContext. */
  readonly reference = (sequence: number): SampleReference | undefined =>
    this.#references.find((one) => (one.sequence & 255) === (sequence & 255));

  /** The samples that may be handed on now. @returns a reason to nack when the samples are of another shape */
  take(arrived: Arrived): Sample[] | NackReason {
    const { header, samples } = arrived;
    const sequence = header.short ? this.#order.complete(header.sequence) : header.sequence;
    const whole = header.slice ? this.#join(sequence, arrived) : arrived;
    this.codebook = arrived.codebook;
    if (whole === undefined) return [];
    if (whole.samples.some(({ features }) => features.length !== this.#elements)) return NackReason.refused;
    const items = whole.samples.map(({ features }, i): Sample => {
      const { label, heldOut } = whole.labels[i] ?? { label: -1, heldOut: false };
      const { codebook } = whole;
      const bytes = whole.bytes / whole.samples.length;
      return { device: this.device, sequence: sequence + i, label, heldOut, features, codebook, bytes };
    });
    const [only] = samples;
    if (samples.length === 1 && only && !header.slice && arrived.codebook !== 0) {
      this.#references.push({ sequence, crc: arrived.crc, levels: only.levels });
      this.#references = this.#references.slice(-REFERENCES);
    }
    return this.#order.push(sequence, items, items.length, whole.crc).flat();
  }

  /** Everything that waits for something that is missing. */
  flush(): Sample[] {
    return this.#order.flush().flat();
  }

  /** Puts a slice to its sample; the whole, once it is. */
  #join(sequence: number, arrived: Arrived): Arrived | undefined {
    const [slice] = arrived.samples as [DecodedSample];
    const [rows, w, c] = slice.shape;
    if (slice.row + rows > this.#height || this.#height * w * c !== this.#elements) return undefined;
    if (this.#slices?.sequence !== sequence) {
      this.#slices = { sequence, features: new Int8Array(this.#elements), rows: new Set(), bytes: 0 };
    }
    const slices = this.#slices;
    if (slices.rows.has(slice.row)) return undefined;
    slices.features.set(slice.features, slice.row * w * c);
    for (let row = slice.row; row < slice.row + rows; row++) slices.rows.add(row);
    slices.bytes += arrived.bytes;
    if (slices.rows.size < this.#height) return undefined;
    // the rows stay: a doubled slice is not the beginning of another sample
    return { ...arrived, samples: [{ ...slice, features: slices.features }], bytes: slices.bytes };
  }
}
