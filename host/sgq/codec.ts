// SGQ's codec on the host: assembly/sgq, compiled for Node and browsers, behind host/sgq/types.ts. Bytes of a frame are read
// there; here lies the memory that it works in.
import { parse as parseBook, serialize, tableBytes } from "./book.ts";
import { GradientFrames } from "./gradient.ts";
import { FLAGS, type HeaderWords, headerOf, parse, refuse } from "./header.ts";
import { SgqModule } from "./module.ts";
import {
  type Codebook,
  type DecodeContext,
  type DecodedFrame,
  type DecodedSample,
  type EncodeOptions,
  type FrameHeader,
  FrameType,
  NackReason,
  type OpenCodebook,
  type Sgq,
  SgqError,
} from "./types.ts";

/** Bytes of the longest frame, and what a header and a CRC take of it at most. */
const MAX_FRAME = 65535;
const ROOM = 24;
const CRC_BYTES = 2;
const CRC_START = 0xffff;
const MAX_BOOK = 65536;
const MIN_BOOK = 32;
/** Offset of Encoder.row in assembly/sgq/encoder.ts; the first five words are plan, job, codes, out, capacity. */
const ENCODER_ROW = 40;

export class SgqCodec extends GradientFrames implements Sgq {
  /** @param wasm `dist/sgq.wasm` */
  static async load(wasm: BufferSource): Promise<SgqCodec> {
    return new SgqCodec(await SgqModule.load(wasm));
  }

  open(bytes: Uint8Array): OpenCodebook {
    const fits = bytes.length >= MIN_BOOK && bytes.length <= MAX_BOOK;
    const wrong = fits ? this.module.check(bytes) : 9;
    if (wrong !== 0) {
      const version = (bytes[0] ?? 0) & 15;
      if ((bytes[0] ?? 0) >> 4 === 10 && version !== 1)
        throw new SgqError(NackReason.version, 1, `a codebook of version ${version}; this codec knows 1`);
      throw new SgqError(NackReason.refused, wrong - 1, `not a codebook: see its byte ${wrong - 1}`);
    }
    const own = bytes.slice();
    const book = parseBook(own);
    const [h, w, c] = book.shape;
    const codes = ((h / book.stripe) * (w / book.stripe) * c) / book.group;
    return { book, bytes: own, elements: h * w * c, codes };
  }

  seal(book: Codebook): OpenCodebook {
    const bytes = serialize(book);
    try {
      return this.open(bytes);
    } catch (error) {
      throw new RangeError(`the codebook does not fit the format: ${(error as Error).message}`);
    }
  }

  quantise(book: OpenCodebook, features: Int8Array): Uint8Array {
    const plan = this.#plan(book);
    const [h] = book.book.shape;
    const areas = this.#encoder(book, plan, h, 0, features.length);
    this.module.exports.begin(this.module.encoder, h, 0, 0);
    this.#put(book, h, features, areas.x);
    this.module.exports.quantize(this.module.encoder, this.module.tensor, areas.x);
    if (book.book.form !== "stripes")
      this.module.exports.levelsOf(areas.job, book.book.shape[2] / book.book.group, areas.codes);
    return this.module.copy(areas.codes, book.codes);
  }

  reconstruct(book: OpenCodebook, levels: Uint8Array): Int8Array {
    const plan = this.#plan(book);
    if (levels.length !== book.codes)
      throw new RangeError(`a sample has ${book.codes} codes, got ${levels.length}`);
    const top = 2 ** book.book.bits;
    if (levels.some((level) => level >= top)) throw new RangeError(`a code has ${book.book.bits} bits`);
    const [codes, features] = this.module.areas(levels.length, book.elements);
    this.module.put(codes, levels);
    this.module.exports.reconstruct(plan, codes, book.book.shape[0], features);
    return this.module.copyInt8(features, book.elements);
  }

  encode(book: OpenCodebook, samples: readonly Int8Array[], options: EncodeOptions): Uint8Array {
    const { exports, encoder, tensor } = this.module;
    const { slice, skip, sequence } = options;
    const plan = this.#plan(book);
    const rows = slice?.rows ?? book.book.shape[0];
    this.#check(book, samples, options);
    const raw = Number(exports.rawBytes(plan, rows, samples.length));
    const capacity = Math.min(raw, MAX_FRAME - ROOM - CRC_BYTES);
    const areas = this.#encoder(book, plan, rows, capacity, samples[0]?.length ?? 0);
    const flags = slice === undefined ? 0 : FLAGS.slice;
    const attempt = (more: number): Uint8Array | undefined => {
      exports.begin(encoder, rows, flags | more, sequence);
      if (slice !== undefined) this.module.setWords(encoder + ENCODER_ROW, [slice.row]);
      if (skip !== undefined && more === 0) {
        this.module.put(areas.codes, skip.reference.levels);
        exports.planesOf(areas.job, book.book.shape[2] / book.book.group, areas.codes);
        this.module.put(areas.x, skip.changed);
        const back = (sequence - skip.reference.sequence) >>> 0;
        if (!exports.beginSkip(encoder, sequence, back, skip.reference.crc, areas.x)) return undefined;
      }
      for (const sample of samples) {
        this.#put(book, rows, sample, areas.x);
        if (!exports.add(encoder, tensor, areas.x)) return undefined;
      }
      const length = exports.end(encoder, options.short === false ? 0 : 1);
      return length === 0 ? undefined : this.module.copy(exports.frameAt(encoder), length);
    };
    const frame = (options.raw ? undefined : attempt(0)) ?? attempt(FLAGS.raw);
    if (frame === undefined)
      throw new RangeError(
        `${samples.length} samples do not fit a frame of ${MAX_FRAME} bytes; send fewer, or slices`,
      );
    return frame;
  }

  encodeSelfContained(
    model: number,
    shape: readonly [number, number, number],
    set: { readonly bits: number; readonly thresholds: Int8Array; readonly values: Int8Array },
    features: Int8Array,
    sequence: number,
  ): Uint8Array {
    const [h, w, c] = shape;
    const { bits } = set;
    const below = 2 ** bits - 1;
    const sets = set.thresholds.length / below;
    const fits =
      bits >= 1 && bits <= 4 && (sets === 1 || sets === c) && set.values.length === sets * (below + 1);
    if (!fits) throw new RangeError("thresholds and values: one set for all channels, or one for each");
    if (features.length !== h * w * c) throw new RangeError(`features of ${shape.join(" × ")} elements`);
    const { exports, tensor } = this.module;
    const bytes = exports.selfBytes(features.length, bits, sets);
    if (bytes > MAX_FRAME) throw new RangeError("too many elements for one frame");
    const [x, tables, out] = this.module.areas(features.length, sets * (2 * below + 1), bytes);
    for (let i = 0; i < sets; i++) {
      const at = tables + i * (2 * below + 1);
      this.module.put(at, set.thresholds.subarray(i * below, (i + 1) * below));
      this.module.put(at + below, set.values.subarray(i * (below + 1), (i + 1) * (below + 1)));
    }
    this.module.put(x, features);
    exports.tensorOf(tensor, h, w, c);
    return this.module.copy(out, exports.encodeSelf(out, model, sequence, tensor, x, bits, sets, tables));
  }

  decode(frame: Uint8Array, context: DecodeContext): DecodedFrame {
    const { exports } = this.module;
    const [at] = this.module.areas(frame.length);
    const words = parse(this.module, frame, at);
    const header = headerOf(words);
    if (header.type !== FrameType.data)
      throw new SgqError(NackReason.malformed, 1, `a frame of type ${header.type} where data is expected`);
    if (header.selfContained) return this.#decodeSelf(frame, words, header);
    const skips = header.reference !== undefined;
    // where the CRC does not depend on anything else, it is looked at before anybody is asked for anything
    if (!skips) this.verify(at, CRC_START);
    const book = context.find(header);
    if (book === undefined)
      throw new SgqError(NackReason.codebook, header.codebook, `no codebook ${header.codebook} is known`);
    const reference = skips ? context.reference?.(header.reference as number) : undefined;
    if (skips && reference === undefined)
      throw new SgqError(NackReason.reference, 0, `sample ${header.reference} is not known`);
    const crc = this.verify(at, reference?.crc ?? CRC_START);
    const plan = this.#plan(book);
    refuse(exports.fits(plan, this.module.header));
    const rows = exports.rowsOf(plan, this.module.header);
    const { shape } = book.book;
    const codes = (book.codes / shape[0]) * rows;
    const elements = rows * shape[1] * shape[2];
    const [input, job, code, features, changed] = this.module.areas(
      frame.length,
      exports.jobBytes(plan, rows),
      codes,
      elements,
      shape[0] * shape[1],
    );
    exports.beginDecode(plan, this.module.header, input, job);
    if (reference !== undefined) {
      if (reference.levels.length !== codes)
        throw new SgqError(NackReason.reference, 0, "the reference is a sample of another codebook");
      this.module.put(code, reference.levels);
      exports.decodeSkip(plan, job, code, changed);
    }
    const samples: DecodedSample[] = [];
    for (let i = 0; i < header.samples; i++) {
      exports.decodeNext(plan, this.module.header, input, job, i, code);
      exports.reconstruct(plan, code, rows, features);
      samples.push({
        sequence: header.short ? header.sequence : (header.sequence + i) >>> 0,
        levels: this.module.copy(code, codes),
        features: this.module.copyInt8(features, elements),
        shape: [rows, shape[1], shape[2]],
        row: header.slice?.row ?? 0,
      });
    }
    refuse(exports.ended(this.module.header, input, job, plan));
    return { header, samples, crc, codebook: book };
  }

  #decodeSelf(frame: Uint8Array, words: HeaderWords, header: FrameHeader): DecodedFrame {
    const elements = words.h * words.w * words.c;
    const [at, codes, features] = this.module.areas(frame.length, elements, elements);
    const crc = this.verify(at, CRC_START);
    refuse(this.module.exports.decodeSelf(this.module.header, at, codes, features));
    const sample: DecodedSample = {
      sequence: header.sequence,
      levels: this.module.copy(codes, elements),
      features: this.module.copyInt8(features, elements),
      shape: [words.h, words.w, words.c],
      row: 0,
    };
    return { header, samples: [sample], crc };
  }

  counts(book: OpenCodebook): Uint32Array {
    return new Uint32Array(2 * book.book.tables.length);
  }

  count(book: OpenCodebook, levels: Uint8Array, counts: Uint32Array): void {
    const plan = this.#plan(book);
    if (levels.length !== book.codes || counts.length !== 2 * book.book.tables.length)
      throw new RangeError("codes of one sample, and the counts of this codebook");
    const { exports } = this.module;
    const [job, codes, sums] = this.module.areas(
      exports.jobBytes(plan, book.book.shape[0]),
      levels.length,
      counts.byteLength,
    );
    this.module.put(codes, levels);
    exports.lay(plan, job, book.book.shape[0]);
    this.module.put(sums, new Uint8Array(counts.buffer, counts.byteOffset, counts.byteLength));
    exports.countSample(plan, job, codes, sums);
    counts.set(new Uint32Array(this.module.copy(sums, counts.byteLength).buffer));
  }

  tablesFrom(counts: Uint32Array): Uint8Array {
    return Uint8Array.from({ length: counts.length / 2 }, (_, i) => {
      const zeros = counts[2 * i] as number;
      const ones = counts[2 * i + 1] as number;
      const share = (ones + 0.5) / (zeros + ones + 1);
      return Math.max(0, Math.min(255, Math.round((512 * share - 1) / 2)));
    });
  }

  tableBytes(book: Codebook): number {
    return tableBytes(book);
  }

  #plan(book: OpenCodebook): number {
    return this.module.plan(book, book.bytes);
  }

  /** Fills the encoder struct: plan, job, codes, out, capacity. */
  #encoder(book: OpenCodebook, plan: number, rows: number, capacity: number, elements: number) {
    const { exports, encoder } = this.module;
    const patches = book.book.shape[0] * book.book.shape[1];
    const [x, job, codes, out] = this.module.areas(
      Math.max(elements, patches),
      exports.jobBytes(plan, rows),
      exports.codeCount(plan, rows),
      ROOM + capacity + CRC_BYTES,
    );
    this.module.setWords(encoder, [plan, job, codes, out, capacity]);
    return { x, job, codes, out };
  }

  #put(book: OpenCodebook, rows: number, sample: Int8Array, x: number): void {
    const [, w, c] = book.book.shape;
    if (sample.length !== rows * w * c)
      throw new RangeError(`a sample has ${rows} × ${w} × ${c} elements, got ${sample.length}`);
    this.module.put(x, sample);
    this.module.exports.tensorOf(this.module.tensor, rows, w, c);
  }

  #check({ book }: OpenCodebook, samples: readonly Int8Array[], options: EncodeOptions): void {
    const { slice, skip, sequence } = options;
    if (samples.length < 1 || samples.length > 256) throw new RangeError("a frame has 1 … 256 samples");
    if (samples.length > 1 && (slice ?? skip)) throw new RangeError("slices and skipping take one sample");
    if (slice && skip) throw new RangeError("a slice skips nothing");
    if (slice) {
      const { row, rows } = slice;
      const fits = row >= 0 && rows >= 1 && row + rows <= book.shape[0];
      if (!fits || row % book.stripe || rows % book.stripe)
        throw new RangeError(`rows ${row} … ${row + rows - 1} are not a slice of ${book.shape[0]} rows`);
    }
    if (!skip) return;
    const [patchH, patchW] = book.patch;
    if (patchH === 0 || book.form === "stripes") throw new RangeError("this codebook has no patches to skip");
    const patches = Math.ceil(book.shape[0] / patchH) * Math.ceil(book.shape[1] / patchW);
    const back = (sequence - skip.reference.sequence) >>> 0;
    if (skip.changed.length !== patches) throw new RangeError(`the codebook has ${patches} patches`);
    if (back < 1 || back > 65536) throw new RangeError("the reference lies 1 … 65,536 frames back");
  }
}
