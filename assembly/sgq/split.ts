// The device's end of a split model: sends features in SGQ frames with their labels, takes codebooks, device halves and
// gradients from the host (docs/sgq.md, "Labels" and "Messages"). A module has one.
import { allocate } from "../device/arena";
import { setInbox } from "../device/config";
import { OUT_OF_ARENA } from "../device/errors";
import { fail } from "../device/host";
import { publish } from "../device/publish";
import { Frame } from "../device/sensor";
import { elements, TENSOR_BYTES, TENSOR_H, tensorOf } from "../int8/structs";
import { writeAck, writeNack } from "./answers";
import { openFor, Plan } from "./book";
import { Chain } from "./chain";
import * as encoder from "./encoder";
import { Encoder } from "./encoder";
import {
  ACK,
  CRC_START,
  GRADIENT,
  Header,
  NACK,
  NO_CODEBOOK,
  NO_REFERENCE,
  parse,
  REFUSED,
  verify,
} from "./frame";
import { unpackNibbles } from "./gradient";
import { ALONE_BITS, encodeAlone, selfBytes } from "./self-contained";
import { workBytes } from "./work";

/** Messages: kind, last, two zeros, offset; then at most 504 bytes. */
const MESSAGE_BYTES: i32 = 512;
const MESSAGE_HEADER: i32 = 8;
const CODEBOOK_PARTS: i32 = 1;
const HALF_PARTS: i32 = 2;
const FRAME_PARTS: i32 = 3;

/** What `receive` has found. */
export const NOTHING: i32 = 0;
export const NEW_HALF: i32 = 1;
export const NEW_GRADIENT: i32 = 2;

/** Labels before a frame: mark, count, label, flags. */
const LABELLED: i32 = 0xc1;
const LABEL_BYTES: i32 = 4;
const UNLABELLED: i32 = 255;
/** Room for so many planes of each channel on average: 2 bits of every channel. */
const PLANES: i32 = 3;
/** A device without a codebook asks for one again after so many samples. */
const ASK_EVERY: i32 = 32;
/** Most features in one publication (docs/protocol.md), and what a frame takes besides its payload. */
const MOST: i32 = 1016;
const FRAME_ROOM: i32 = 32;

let model: i32 = 0;
let xT: usize = 0;
let inbox: usize = 0;
let book: usize = 0;
let bookBytes: i32 = 0;
let plan: usize = 0;
let planRoom: i32 = 0;
let job: usize = 0;
let jobRoom: i32 = 0;
let out: usize = 0;
let outRoom: i32 = 0;
let loaded: bool = false;
/** Header of a frame that was received; Encoder. Allocated, so that a module without this file has no room for them. */
let header: usize = 0;
let coder: usize = 0;
/** Bytes of the codebook that are there; a codebook in parts replaces the one in use when its first part comes. */
let arrived: i32 = 0;
let frames: usize = 0;
let frameBytes: i32 = 0;
/** Of an app that leaves out what did not change. One that never does has nothing of it. */
let chained: bool = false;
let chain: Chain = changetype<Chain>(0);

/** Samples sent, bytes of their SGQ frames, and the sequence number of the last. */
export let samples: i32 = 0;
export let bytesSent: i32 = 0;
export let sequence: i32 = -1;
/** Bytes of a sample as int8. */
export let bytesRaw: i32 = 0;
/** Codes of the sample that is sent, then the values of a gradient, int8 NHWC; and the one exponent that they are brought to. */
export let values: usize = 0;
export let exponent: i32 = 0;

/**
 * Room for codebooks of at most `most` bytes, for features [h, w, c] of a model. Call it at the top level of an app. `lent`: what is
 * only needed within a call lies in memory that the app lends (see `lend`), else in memory of its own.
 */
export function prepare(number: i32, h: i32, w: i32, c: i32, most: i32, lent: bool = false): void {
  model = number;
  xT = tensorOf(allocate(TENSOR_BYTES), h, w, c);
  bytesRaw = elements(xT);
  header = allocate(offsetof<Header>());
  coder = allocate(offsetof<Encoder>());
  inbox = allocate(MESSAGE_BYTES);
  setInbox(inbox, MESSAGE_BYTES);
  bookBytes = most;
  book = allocate(most);
  planRoom = <i32>offsetof<Plan>() + 16 * PLANES * c;
  plan = allocate(planRoom);
  // a gradient of 4 bits
  frameBytes = ((bytesRaw + 1) >> 1) + c + FRAME_ROOM;
  frames = allocate(frameBytes);
  jobRoom = workBytes(PLANES * c, h, w) + TENSOR_BYTES;
  outRoom = LABEL_BYTES + max(MOST, selfBytes(bytesRaw, ALONE_BITS, 1));
  if (!lent) lend(allocate(lentBytes()), lentBytes());
}

/** Bytes that `lend` wants. */
export function lentBytes(): i32 {
  return jobRoom + bytesRaw + outRoom;
}

/**
 * Memory that `send` and `receive` may overwrite: 4-aligned, lentBytes() of them. What a gradient gives lies there until the next call.
 * Errors: OUT_OF_ARENA when it is smaller.
 */
export function lend(at: usize, bytes: i32): void {
  if (bytes < lentBytes()) fail(OUT_OF_ARENA, 0, lentBytes(), bytes);
  job = at;
  values = at + <usize>jobRoom;
  out = values + <usize>bytesRaw;
}

/** Called after prepare() by an app that sends with sendChanged(). */
export function skipUnchanged(): void {
  chained = true;
  chain = new Chain();
}

/** Rows and columns of the patches that may be left out, as the codebook says; 0: none may, or there is no codebook. */
export function patchRows(): i32 {
  return loaded ? changetype<Plan>(plan).patchH : 0;
}

export function patchColumns(): i32 {
  return loaded ? changetype<Plan>(plan).patchW : 0;
}

/** Version of the codebook in use, 0: none. */
export function codebook(): i32 {
  return loaded ? changetype<Plan>(plan).version : 0;
}

/** Sends features of a frame with its label; false when the link is full, or the sample needs too many bytes. */
export function send(frame: Frame, features: usize): bool {
  return transmit(frame, features, 0);
}

/**
 * As send(), without the patches that did not change since the last call: changed[i] != 0, row by row, of patchRows() × patchColumns()
 * features each. Whole samples are sent where the other side may lack the last one. What is lent stays lent.
 */
export function sendChanged(frame: Frame, features: usize, changed: usize): bool {
  const sent = transmit(frame, features, changed);
  // nobody can refer to what never left
  if (!sent) chain.skips = -1;
  return sent;
}

function transmit(frame: Frame, features: usize, changed: usize): bool {
  if (!loaded && samples % ASK_EVERY == 0) answer(NACK, 0, NO_CODEBOOK, 0);
  sequence = frame.sequence;
  ++samples;
  let length = 0;
  let from = out + LABEL_BYTES;
  if (loaded) {
    const e = changetype<Encoder>(coder);
    e.job = job;
    e.codes = values;
    e.out = out + LABEL_BYTES;
    if (chained) length = chain.encode(e, xT, features, changed, sequence);
    if (!length) {
      encoder.begin(e, load<i32>(xT, TENSOR_H), 0, sequence);
      if (encoder.add(e, xT, features)) length = encoder.end(e, true);
      if (chained) chain.begin(sequence);
    }
    from = encoder.frameAt(e);
  }
  // what does not fit is sent coarser
  if (!length) {
    from = out + LABEL_BYTES;
    length = encodeAlone(from, model, sequence, xT, features);
    if (chained) chain.skips = -1;
  }
  bytesSent += length;
  const start = from - LABEL_BYTES;
  store<u8>(start, LABELLED);
  store<u8>(start, 1, 1);
  store<u8>(start, frame.hasLabel ? frame.label : UNLABELLED, 2);
  store<u8>(start, <i32>frame.heldOut, 3);
  return publish.features(start, length + LABEL_BYTES);
}

/** Publishes what there is to know: samples sent, bytes raw and sent, codebook. */
export function report(): void {
  publish.begin();
  put();
  publish.end();
}

/** Adds that to a state record that the app has begun. */
export function put(): void {
  publish.put(publish.STEPS, samples);
  publish.put(publish.FEATURE_BYTES, bytesSent);
  // a total that grows for days may pass what 31 bits hold
  publish.put(publish.FEATURE_BYTES_RAW, <i32>min(<i64>samples * <i64>bytesRaw, <i64>i32.MAX_VALUE));
  publish.put(publish.CODEBOOK, codebook());
}

/** Takes a message of the host; returns what it was. A device half is written to `state`, which has room for `stateBytes`. */
export function receive(length: i32, state: usize, stateBytes: i32): i32 {
  if (length < MESSAGE_HEADER) return NOTHING;
  const kind = <i32>load<u8>(inbox);
  const last = load<u8>(inbox, 1) == 1;
  const offset = load<u32>(inbox, 4);
  const content = length - MESSAGE_HEADER;
  const end = <u64>offset + <u64>content;
  const from = inbox + MESSAGE_HEADER;
  if (kind == CODEBOOK_PARTS) {
    takeBook(from, offset, content, end, last);
    return NOTHING;
  }
  if (kind == HALF_PARTS) {
    if (end > <u64>stateBytes) return NOTHING;
    memory.copy(state + <usize>offset, from, content);
    return last && end == <u64>stateBytes ? NEW_HALF : NOTHING;
  }
  if (kind != FRAME_PARTS || end > <u64>frameBytes) return NOTHING;
  memory.copy(frames + <usize>offset, from, content);
  return last ? take(<i32>end) : NOTHING;
}

function takeBook(from: usize, offset: u32, content: i32, end: u64, last: bool): void {
  if (!offset) arrived = 0;
  if (offset != <u32>arrived || end > <u64>bookBytes) {
    // a part is missing, or it is too large: the rest of it is of no use
    if (end > <u64>bookBytes && last) answer(NACK, 0, REFUSED, 8);
    return;
  }
  loaded = false;
  if (chained) chain.skips = -1;
  memory.copy(book + <usize>offset, from, content);
  arrived = <i32>end;
  if (!last) return;
  const wrong = install();
  const version = <i32>load<u16>(book, 4);
  loaded = !wrong;
  if (loaded) answer(ACK, version, 0, 0);
  else answer(NACK, version, REFUSED, wrong - 1);
}

/** Opens the codebook that has arrived. Returns 0, or 1 + where it does not fit. */
function install(): i32 {
  const wrong = openFor(book, arrived, plan, planRoom, model, xT);
  if (wrong) return wrong;
  const p = changetype<Plan>(plan);
  if (encoder.jobBytes(p, p.h) > jobRoom) return 23;
  const e = changetype<Encoder>(coder);
  e.plan = p;
  e.capacity = MOST - LABEL_BYTES - FRAME_ROOM;
  return 0;
}

/** Takes a frame of the host. */
function take(length: i32): i32 {
  const h = changetype<Header>(header);
  if (parse(frames, length, h) || verify(frames, h, CRC_START) < 0) return NOTHING;
  if (h.model != model) return NOTHING;
  // the host does not know our codebook: self-contained frames until it sends one
  if (h.type == NACK && h.tables == NO_CODEBOOK) loaded = false;
  if (chained && h.type == NACK && h.tables == NO_REFERENCE) chain.skips = -1;
  // gradients of 8 bits would take as much room as the features
  if (h.type != GRADIENT || h.bits != 4 || h.sequence != sequence) return NOTHING;
  if (h.h * h.w * h.c != bytesRaw || h.c != load<i32>(xT, 12)) return NOTHING;
  unpackNibbles(frames + <usize>h.body, bytesRaw, values);
  align(h);
  return NEW_GRADIENT;
}

/**
 * Brings all groups to one exponent: values of 4 bits (±7) are moved up by at most 4, those of groups that are still smaller are
 * moved down and lose their lowest bits.
 */
function align(header: Header): void {
  const exponents = frames + <usize>header.tables;
  const groups = header.c / header.sets;
  let most: i32 = -128;
  for (let g = 0; g < groups; ++g) most = max(most, <i32>load<i8>(exponents + <usize>g));
  exponent = most - 4;
  for (let i = 0; i < bytesRaw; ++i) {
    const shift = <i32>load<i8>(exponents + <usize>((i % header.c) / header.sets)) - exponent;
    const value = <i32>load<i8>(values + <usize>i);
    store<i8>(values + <usize>i, shift >= 0 ? value << shift : value >> min(-shift, 7));
  }
}

/** Publishes an acknowledgement, or a nack with its reason and detail. */
function answer(type: i32, version: i32, reason: i32, detail: i32): void {
  const frame = out + LABEL_BYTES;
  const last = max(sequence, 0);
  const length =
    type == ACK
      ? writeAck(frame, model, version, last)
      : writeNack(frame, model, version, last, reason, detail);
  publish.features(frame, length);
}
