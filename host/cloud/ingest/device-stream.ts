// What one device sends, as samples in order: slices put together, numbers completed, doubled ones dropped; and what it needs to
// understand frames that refer to others.

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
  /** Only what had changed since another sample was sent. */
  readonly partial: boolean;
  /** What it took of SGQ frames; of a frame of several samples its share. */
  readonly bytes: number;
}

export interface Taken {
  /** The samples that are whole now. */
  readonly arrived: readonly Sample[];
  /** Those that may be handed on, in order: one that overtook another waits for it a while. */
  readonly ready: readonly Sample[];
}

type Arrived = Extract<Decoded, { kind: "samples" }>;

/** A sample that comes in slices. */
interface Slices {
  sequence: number;
  readonly features: Int8Array;
  readonly rows: Set<number>;
  bytes: number;
}

/** Samples that a frame with skipped patches may refer to, the newest so many: more than a chain of them is long. */
const REFERENCES = 64;
/** So many publications are known again when they come a second time. */
const KNOWN = 4096;

/** A sample that a frame may refer to. A worker hands on no codes: they are decoded from the publication when they are needed. */
export interface Reference extends SampleReference {
  readonly payload: Uint8Array;
}

export class DeviceStream {
  readonly device: string;
  /** Version that it has acknowledged, or that its last frame was coded with; 0: none. */
  codebook = 0;
  readonly #order = new SequenceOrder<Sample[]>();
  readonly #elements: number;
  readonly #height: number;
  #slices: Slices | undefined;
  /** By sequence number. */
  readonly #references = new Map<number, Reference>();
  readonly #known = new Set<string>();

  /** @param shape of a whole sample */
  constructor(device: string, [h, w, c]: readonly [number, number, number]) {
    this.device = device;
    this.#height = h;
    this.#elements = h * w * c;
  }

  get counts(): SequenceOrder<Sample[]>["counts"] {
    return this.#order.counts;
  }

  /** The sample with this number, as far as it is remembered. */
  reference(sequence: number): Reference | undefined {
    return this.#references.get(sequence);
  }

  /** Keeps a sample as one that later frames may refer to. */
  refer(reference: Reference): void {
    this.#references.delete(reference.sequence);
    this.#references.set(reference.sequence, reference);
    if (this.#references.size > REFERENCES)
      this.#references.delete(this.#references.keys().next().value as number);
  }

  /** Whether a publication with this receipt came before. */
  knows(receipt: string): boolean {
    return this.#known.has(receipt);
  }

  know(receipt: string): void {
    this.#known.add(receipt);
    if (this.#known.size > KNOWN) this.#known.delete(this.#known.values().next().value as string);
  }

  /**
   * @param payload what the samples came in, @param told the number of the first, where it is told beside the frame
   * @returns a reason to nack when they are of another shape
   */
  take(arrived: Arrived, payload: Uint8Array, told?: number): Taken | NackReason {
    const { header, samples } = arrived;
    const sequence = header.short ? this.#number(arrived, told) : header.sequence;
    const whole = header.slice ? this.#join(sequence, arrived) : arrived;
    this.codebook = arrived.codebook;
    if (whole === undefined) return { arrived: [], ready: [] };
    if (whole.samples.some(({ features }) => features.length !== this.#elements)) return NackReason.refused;
    const items = whole.samples.map(({ features }, i): Sample => {
      const { label, heldOut } = whole.labels[i] ?? { label: -1, heldOut: false };
      const { codebook } = whole;
      const bytes = whole.bytes / whole.samples.length;
      const partial = header.reference !== undefined;
      return {
        device: this.device,
        sequence: sequence + i,
        label,
        heldOut,
        features,
        codebook,
        partial,
        bytes,
      };
    });
    // a device refers to the last sample of a frame
    const last = samples.at(-1);
    if (last && !header.slice && arrived.codebook !== 0) {
      const { crc } = arrived;
      this.refer({ sequence: sequence + samples.length - 1, crc, levels: last.levels, payload });
    }
    const { duplicates } = this.counts;
    const ready = this.#order
      .push(sequence, items, items.length, whole.crc, header.short || told !== undefined)
      .flat();
    return { arrived: this.counts.duplicates > duplicates ? [] : items, ready };
  }

  /** Of a short frame. */
  #number({ header, crc }: Arrived, told: number | undefined): number {
    if (told !== undefined && (told & 255) === header.sequence) return told;
    return this.#order.complete(header.sequence, crc);
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
