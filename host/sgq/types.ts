// What SGQ's codec takes and gives (docs/sgq.md): the contract between the codec and whoever trains codebooks, sends frames or
// ingests them.

/** Version of the frame format. */
export const SGQ_VERSION = 1;

export const FrameType = { data: 0, codebook: 1, gradient: 2, nack: 3, ack: 4 } as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const NackReason = {
  version: 1,
  codebook: 2,
  crc: 3,
  malformed: 4,
  reference: 5,
  refused: 6,
} as const;
export type NackReason = (typeof NackReason)[keyof typeof NackReason];

export type SgqForm = "contexts" | "shared" | "stripes";

/** Why bytes were refused; `reason` is what a nack tells. */
export class SgqError extends Error {
  override name = "SgqError";
  readonly reason: NackReason;
  readonly detail: number;

  constructor(reason: NackReason, detail: number, message: string) {
    super(message);
    this.reason = reason;
    this.detail = detail;
  }
}

/** What may be known of a frame before a codebook is looked for; a short form leaves `model` out and has low bytes only. */
export interface FrameHeader {
  readonly version: number;
  readonly type: FrameType;
  readonly short: boolean;
  readonly model?: number;
  /** Codebook version; short form: its low byte. */
  readonly codebook: number;
  /** Sequence number; short form: its low byte; codebook frames: 0. */
  readonly sequence: number;
  readonly selfContained: boolean;
  /** Data: how many samples. */
  readonly samples: number;
  /** Data with skipped patches: sequence number of the reference. */
  readonly reference?: number;
  /** Data: rows of the slice. */
  readonly slice?: { readonly row: number; readonly rows: number };
}

/** One binary plane of a code channel: 1 where the element exceeds the threshold. */
export interface Plane {
  readonly channel: number;
  readonly threshold: number;
  /** Index of its context. */
  readonly context: number;
}

/** A bit that a context reads: `back` planes before (0: this plane), dx −3 … 3, dy −2 … 1. */
export interface Tap {
  readonly back: number;
  readonly dx: number;
  readonly dy: number;
}

/** A codebook as plain data; arrays are laid out as in docs/sgq.md. */
export interface Codebook {
  readonly model: number;
  readonly version: number;
  readonly form: SgqForm;
  readonly bits: number;
  readonly shape: readonly [h: number, w: number, c: number];
  /** Patch size for skipping; [0, 0]: none. */
  readonly patch: readonly [h: number, w: number];
  /** Channels that share a code (form contexts: 1). */
  readonly group: number;
  /** Pixels of a code along each axis (form stripes: 1 or 2; else 1). */
  readonly stripe: number;
  /** In coding order; form stripes: none. A channel has at most 2^bits − 1. */
  readonly planes: readonly Plane[];
  /** Form shared: c weights; else empty. */
  readonly weights: Int8Array;
  /** contexts and shared: c × 2^bits, by channel and level; stripes: (c / group) × 2^bits × stripe² × group. */
  readonly values: Int8Array;
  /** Taps of each context. */
  readonly contexts: readonly (readonly Tap[])[];
  /** Form stripes: bits of each neighbour in the context, 0–2. */
  readonly neighbourBits: number;
  /** One byte per probability; `tableBytes` says how many, `tablesFrom` makes them of counts. */
  readonly tables: Uint8Array;
}

/** A codebook that was checked and lies in the codec's memory. */
export interface OpenCodebook {
  readonly book: Codebook;
  readonly bytes: Uint8Array;
  /** Elements of a sample, and codes of a sample (one byte each in `levels`). */
  readonly elements: number;
  readonly codes: number;
}

export interface EncodeOptions {
  readonly sequence: number;
  /** Short form where it can be had (one whole sample, entropy-coded); default true. */
  readonly short?: boolean;
  /** Never entropy-coded. */
  readonly raw?: boolean;
  /** Only these rows of the (single) sample. */
  readonly slice?: { readonly row: number; readonly rows: number };
  /** Patches that changed (1) or not (0), row by row; and the frame whose sample they are taken from. */
  readonly skip?: { readonly changed: Uint8Array; readonly reference: SampleReference };
}

/** A sample that later frames of the same device may refer to. */
export interface SampleReference {
  readonly sequence: number;
  /** CRC-16 field of the frame that it came in. */
  readonly crc: number;
  /** Its codes. */
  readonly levels: Uint8Array;
}

export interface DecodeContext {
  /** The codebook of a frame; undefined answers it with a nack of reason `codebook`. */
  find(header: FrameHeader): OpenCodebook | undefined;
  /** The sample that a frame with skipped patches refers to. */
  reference?(sequence: number): SampleReference | undefined;
}

export interface DecodedSample {
  /** Of its own; short form: low byte. */
  readonly sequence: number;
  /** One code per byte: [h, w, c / group] NHWC; form stripes: [h / stripe, w / stripe, c / group]. */
  readonly levels: Uint8Array;
  /** int8, NHWC; a slice has its rows only. */
  readonly features: Int8Array;
  readonly shape: readonly [h: number, w: number, c: number];
  /** First row: 0 unless a slice. */
  readonly row: number;
}

export interface DecodedFrame {
  readonly header: FrameHeader;
  readonly samples: readonly DecodedSample[];
  /** CRC-16 field: what a later SKIP frame continues from. */
  readonly crc: number;
  /** Undefined for a self-contained frame. */
  readonly codebook?: OpenCodebook;
}

export interface Gradient {
  readonly model: number;
  readonly codebook: number;
  readonly sequence: number;
  readonly bits: 4 | 8;
  readonly shape: readonly [h: number, w: number, c: number];
  readonly group: number;
  /** Per group: element = value · 2^exponent. */
  readonly exponents: Int8Array;
  readonly values: Int8Array;
}

/** The codec; `SgqCodec.load(wasm)` of host/sgq/codec.ts gives one. Not reentrant: one call at a time, all synchronous. */
export interface Sgq {
  /** Checks a codebook frame. @throws SgqError */
  open(bytes: Uint8Array): OpenCodebook;
  /** Serialises and opens a codebook. @throws RangeError where a field does not fit the format */
  seal(book: Codebook): OpenCodebook;

  /** Codes of one sample (int8 NHWC [h, w, c]): what decode gives back, whatever the entropy coder does. */
  quantise(book: OpenCodebook, features: Int8Array): Uint8Array;
  /** int8 features of codes. */
  reconstruct(book: OpenCodebook, levels: Uint8Array): Int8Array;

  /** One frame of one or more samples. */
  encode(book: OpenCodebook, samples: readonly Int8Array[], options: EncodeOptions): Uint8Array;
  /** A frame that needs no codebook. Thresholds: sets × (2^bits − 1), values: sets × 2^bits, sets 1 or c. */
  encodeSelfContained(
    model: number,
    shape: readonly [h: number, w: number, c: number],
    set: { readonly bits: number; readonly thresholds: Int8Array; readonly values: Int8Array },
    features: Int8Array,
    sequence: number,
  ): Uint8Array;

  /** Reads the header and checks version and CRC's place, not the payload. @throws SgqError */
  header(frame: Uint8Array): FrameHeader;
  /** Decodes a data frame. @throws SgqError: its reason and detail are those of the nack to send */
  decode(frame: Uint8Array, context: DecodeContext): DecodedFrame;

  /** Zeroed counts for a codebook's tables: two per probability byte, [zeros, ones]. */
  counts(book: OpenCodebook): Uint32Array;
  /** Adds what coding these codes would look up: the statistics of the probability tables. */
  count(book: OpenCodebook, levels: Uint8Array, counts: Uint32Array): void;
  /** Probability bytes from counts (Krichevsky–Trofimov estimate, nearest byte). */
  tablesFrom(counts: Uint32Array): Uint8Array;
  /** Bytes that the tables of such a codebook have (its `tables` may be empty here). */
  tableBytes(book: Codebook): number;

  /**
   * A gradient frame: values are multiples of 2^exponent in int32; each group of channels gets the smallest power-of-two scale in
   * which nothing clamps, rounded stochastically by the draws of `key` (unbiased).
   */
  encodeGradient(
    to: { readonly model: number; readonly codebook: number; readonly sequence: number },
    gradient: {
      readonly shape: readonly [h: number, w: number, c: number];
      readonly values: Int32Array;
      readonly exponent: number;
      readonly group: number;
      readonly bits: 4 | 8;
      readonly key: number;
    },
  ): Uint8Array;
  /** @throws SgqError */
  decodeGradient(frame: Uint8Array): Gradient;

  encodeNack(nack: Nack): Uint8Array;
  encodeAck(ack: {
    readonly model: number;
    readonly codebook: number;
    readonly sequence: number;
  }): Uint8Array;
  /** @throws SgqError */
  decodeNack(frame: Uint8Array): Nack;
  /** The header of an acknowledgement, whose check value fits. @throws SgqError */
  decodeAck(frame: Uint8Array): FrameHeader;
}

export interface Nack {
  readonly model: number;
  readonly codebook: number;
  readonly sequence: number;
  readonly reason: NackReason;
  readonly detail: number;
}

/**
 * Learns contexts and tables (host/sgq/fit.ts): for each plane, tap after tap, the bit that tells most about it; then as many taps as
 * pay best within `tableBytes`. What `book` says of contexts and tables is not looked at; levels are those of calibration samples.
 */
export type FitContexts = (
  codec: Sgq,
  book: Codebook,
  levels: readonly Uint8Array[],
  options: { readonly tableBytes: number },
) => Codebook;
