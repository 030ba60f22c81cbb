// A device as a trainer hears it: self-contained frames until it has a codebook, then short ones.
import { decodeLabelled, encodeLabelled, SELF_CUTS } from "../../../host/protocol/labelled.ts";
import type { SgqCodec } from "../../../host/sgq/codec.ts";
import {
  FrameType,
  type Gradient,
  NackReason,
  type OpenCodebook,
  type SampleReference,
} from "../../../host/sgq/types.ts";
import { SHAPE, sampleOf } from "./features.ts";

const MODEL = 1;
const VALUES = [0, 5, 14, 48];

export class FakeDevice {
  book: OpenCodebook | undefined;
  readonly gradients: Gradient[] = [];
  /** Reasons of the nacks that it got. */
  readonly nacks: NackReason[] = [];
  readonly #codec: SgqCodec;
  #next = 0;
  #last: { features: Int8Array; reference: SampleReference } | undefined;

  constructor(codec: SgqCodec) {
    this.#codec = codec;
  }

  /** The next publication; every eighth sample is held out. */
  publish(seed = this.#next): Uint8Array {
    const sequence = this.#next++;
    const { features, label } = sampleOf(seed);
    const frame = this.book
      ? this.#codec.encode(this.book, [features], { sequence })
      : this.#codec.encodeSelfContained(
          MODEL,
          SHAPE,
          { bits: 2, thresholds: Int8Array.from(SELF_CUTS), values: Int8Array.from(VALUES) },
          features,
          sequence,
        );
    return encodeLabelled([{ label, heldOut: sequence % 8 === 7 }], frame);
  }

  /** The next publication: as the one before, but in the first row of patches, which alone is sent; the first one whole. */
  publishChanged(): Uint8Array {
    const sequence = this.#next++;
    const book = this.book as OpenCodebook;
    const [h, w, c] = SHAPE;
    const { features, label } = sampleOf(sequence);
    const before = this.#last;
    const rows = book.book.patch[0] * w * c;
    const now = before
      ? Int8Array.of(...features.subarray(0, rows), ...before.features.subarray(rows))
      : features;
    const [down, across] = [h / book.book.patch[0], w / book.book.patch[1]];
    const changed = Uint8Array.from({ length: down * across }, (_, i) => (i < across ? 1 : 0));
    const skip = before && { changed, reference: before.reference };
    const frame = this.#codec.encode(book, [now], { sequence, short: false, ...(skip && { skip }) });
    const crc = new DataView(frame.buffer, frame.byteOffset).getUint16(frame.length - 2, true);
    this.#last = { features: now, reference: { sequence, crc, levels: this.#codec.quantise(book, now) } };
    return encodeLabelled([{ label, heldOut: false }], frame);
  }

  several(count: number): Uint8Array[] {
    return Array.from({ length: count }, () => this.publish());
  }

  load(bytes: Uint8Array): Uint8Array {
    this.book = this.#codec.open(bytes);
    const { version } = this.book.book;
    return this.#codec.encodeAck({ model: MODEL, codebook: version, sequence: this.#next });
  }

  hear(frame: Uint8Array): void {
    if (this.#codec.header(frame).type === FrameType.gradient)
      this.gradients.push(this.#codec.decodeGradient(frame));
    else {
      const { reason } = this.#codec.decodeNack(frame);
      this.nacks.push(reason);
      if (reason === NackReason.codebook) this.book = undefined;
      if (reason === NackReason.reference) this.#last = undefined;
    }
  }

  restart(): void {
    this.#next = 0;
    this.book = undefined;
    this.#last = undefined;
  }
}

export const frameOf = (publication: Uint8Array): Uint8Array => decodeLabelled(publication).frame;
