// SGQ on a device (docs/sgq.md): features of one shape become frames, with a codebook that came from the host or, until one has,
// self-contained. What a frame is sent with, and how codebooks arrive, is the app's business.
import { allocate } from "../device/arena";
import { TENSOR_BYTES, TENSOR_C, TENSOR_H, TENSOR_W, elements, tensorOf } from "../int8/structs";
import { writeAck, writeNack } from "./answers";
import { openFor, Plan } from "./book";
import { Chain } from "./chain";
import * as encoder from "./encoder";
import { Encoder } from "./encoder";
import {
  CRC_START,
  Header,
  MAX_HEADER,
  NACK,
  NO_CODEBOOK,
  NO_REFERENCE,
  parse,
  RAW,
  SLICE,
  verify,
} from "./frame";
import { RECORD_BYTES } from "./layout";
import { ALONE_BITS, encodeAlone, selfBytes } from "./self-contained";

const CRC_BYTES: i32 = 2;
/** What `open` says of a codebook that is too long: 1 + the offset of its length. */
const LENGTH: i32 = 9;

const HEADER: usize = memory.data(sizeof<i32>() * 20, 4);

@unmanaged
export class Sgq {
  /** The last frame, and its length. */
  frame: usize = 0;
  length: i32 = 0;
  /** Where a codebook is put before it is opened: `bookBytes` bytes. */
  book: usize;
  bookBytes: i32;
  private model: i32;
  private xT: usize;
  private sliceT: usize;
  private plan: usize;
  private planes: i32;
  private jobBytes: i32;
  private out: usize;
  private frameBytes: i32;
  private encoder: Encoder = changetype<Encoder>(0);
  private loaded: bool = false;
  /** Rows that the job is laid out for. */
  private laid: i32 = 0;
  private chain: Chain = new Chain();

  /**
   * Room for all of it; call it at an app's top level.
   *
   * @param model number that frames carry, @param h @param w @param c shape of the features (h·w·c ≤ 2^20)
   * @param bookBytes of the largest codebook, @param planes of the codebook with most of them
   * @param frameBytes of the longest frame, at most 65,535; self-contained ones may be longer
   */
  constructor(model: i32, h: i32, w: i32, c: i32, bookBytes: i32, planes: i32, frameBytes: i32) {
    this.model = model;
    this.xT = tensorOf(allocate(TENSOR_BYTES), h, w, c);
    this.sliceT = tensorOf(allocate(TENSOR_BYTES), h, w, c);
    this.bookBytes = bookBytes;
    this.book = allocate(bookBytes);
    this.planes = planes;
    this.plan = allocate(offsetof<Plan>() + <usize>(planes * RECORD_BYTES));
    this.frameBytes = frameBytes;
    const size = elements(this.xT);
    this.out = allocate(max(frameBytes + MAX_HEADER, selfBytes(size, ALONE_BITS, 1)));
    const e = changetype<Encoder>(allocate(offsetof<Encoder>()));
    this.encoder = e;
    e.plan = changetype<Plan>(this.plan);
    e.plan.planes = planes;
    e.plan.w = w;
    this.jobBytes = encoder.jobBytes(e.plan, h);
    e.job = allocate(this.jobBytes);
    e.codes = allocate(size);
    e.out = this.out;
  }

  /** Version of the codebook in use, 0: none. */
  get version(): i32 {
    return this.loaded ? this.encoder.plan.version : 0;
  }

  /**
   * Opens the codebook of `length` bytes that was put at `book`, and uses it from now on. Returns 0; or 1 + the offset of what is wrong
   * or does not fit this device, and then there is none. The bytes are read in place: put no other there without opening it.
   */
  open(length: i32): i32 {
    this.loaded = false;
    this.chain.skips = -1;
    this.laid = 0;
    if (length > this.bookBytes) return LENGTH;
    const planRoom = <i32>offsetof<Plan>() + this.planes * RECORD_BYTES;
    const wrong = openFor(this.book, length, this.plan, planRoom, this.model, this.xT);
    if (wrong) return wrong;
    this.loaded = true;
    return 0;
  }

  /**
   * A frame of one sample: coded, packed where that is smaller, self-contained without a codebook. Returns its length, 0: it would be
   * longer than a frame may be; send slices.
   *
   * @param x int8 [h, w, c], @param sequence number of the sample
   */
  encode(x: usize, sequence: i32): i32 {
    if (!this.loaded) return this.encodeAlone(x, sequence);
    return this.encodeRows(this.xT, x, 0, sequence);
  }

  /** A frame that needs no codebook. */
  encodeAlone(x: usize, sequence: i32): i32 {
    this.chain.skips = -1;
    this.frame = this.out;
    this.length = encodeAlone(this.out, this.model, sequence, this.xT, x);
    return this.length;
  }

  /**
   * A frame of the rows `row` … `row + rows − 1` of a sample, which decodes alone. In form 2 both are multiples of `stripe`.
   *
   * @param x the whole sample. Returns the length, 0: too long, or no codebook
   */
  encodeSlice(x: usize, row: i32, rows: i32, sequence: i32): i32 {
    if (!this.loaded) return 0;
    const w = load<i32>(this.xT, TENSOR_W);
    const c = load<i32>(this.xT, TENSOR_C);
    this.encoder.row = row;
    const length = this.encodeRows(
      tensorOf(this.sliceT, rows, w, c),
      x + <usize>(row * w * c),
      SLICE,
      sequence,
    );
    this.chain.skips = -1;
    return length;
  }

  private encodeRows(xT: usize, x: usize, flags: i32, sequence: i32): i32 {
    const rows = load<i32>(xT, TENSOR_H);
    const room = this.begin(rows, 1, flags, sequence);
    const e = this.encoder;
    if (encoder.add(e, xT, x) && this.end()) return this.length;
    if (!room) return 0;
    encoder.again(e, flags | RAW, sequence);
    return encoder.add(e, xT, x) ? this.end() : 0;
  }

  /** Begins a frame; true if packing its samples would leave it short enough. */
  private begin(rows: i32, samples: i32, flags: i32, sequence: i32): bool {
    const e = this.encoder;
    const raw = encoder.rawBytes(e.plan, rows, samples);
    const room = this.frameBytes - MAX_HEADER - CRC_BYTES;
    // what is longer than packed is not wanted
    e.capacity = <i32>min(raw, <i64>room);
    if (this.laid == rows) encoder.again(e, flags, sequence);
    else encoder.begin(e, rows, flags, sequence);
    this.laid = rows;
    return raw <= <i64>room;
  }

  /** Begins a frame of several samples, whose numbers count up from `sequence`. Returns false without a codebook. */
  beginBatch(sequence: i32): bool {
    if (!this.loaded) return false;
    this.begin(load<i32>(this.xT, TENSOR_H), 256, 0, sequence);
    return true;
  }

  /** Adds a sample. Returns false if it does not fit: end the frame, and begin another one with it. */
  addToBatch(x: usize): bool {
    return this.encoder.samples < 256 && encoder.add(this.encoder, this.xT, x);
  }

  /** Ends the frame. Returns its length, 0 if there is nothing in it. */
  endBatch(): i32 {
    return this.encoder.samples ? this.end() : 0;
  }

  /**
   * A frame of the patches that changed since the last sample (PASS): changed[i] != 0, row by row, as large as the codebook says.
   * Whole samples are sent where the other side may lack the last one: now and then, and after what `heard` took in.
   */
  encodeChanged(x: usize, changed: usize, sequence: i32): i32 {
    const e = this.encoder;
    const length = this.loaded ? this.chain.encode(e, this.xT, x, changed, sequence) : 0;
    if (!length) return this.encode(x, sequence);
    this.frame = encoder.frameAt(e);
    this.length = length;
    return length;
  }

  private end(): i32 {
    const e = this.encoder;
    this.length = encoder.end(e, true);
    this.frame = encoder.frameAt(e);
    this.chain.begin(e.sequence + e.samples - 1);
    if (!this.length) this.chain.skips = -1;
    return this.length;
  }

  /**
   * Takes in a frame of the host: a nack of an unknown codebook or reference changes what is sent next. Returns its type
   * (docs/sgq.md), −1 if it is none of this model.
   */
  heard(frame: usize, length: i32): i32 {
    const header = changetype<Header>(HEADER);
    if (parse(frame, length, header) || verify(frame, header, CRC_START) < 0) return -1;
    if (header.model != this.model) return -1;
    if (header.type == NACK) {
      if (header.tables == NO_CODEBOOK) this.loaded = false;
      if (header.tables == NO_CODEBOOK || header.tables == NO_REFERENCE) this.chain.skips = -1;
    }
    return header.type;
  }

  /** The frame that says that codebook `version` is loaded. */
  acknowledge(version: i32, sequence: i32): i32 {
    this.frame = this.out;
    this.length = writeAck(this.out, this.model, version, sequence);
    return this.length;
  }

  /** The frame that refuses something: a reason and its detail (docs/sgq.md). */
  refuse(version: i32, sequence: i32, reason: i32, detail: i32): i32 {
    this.frame = this.out;
    this.length = writeNack(this.out, this.model, version, sequence, reason, detail);
    return this.length;
  }
}
