// Codebooks (docs/sgq.md): checked once, then used in place; a plan says where their parts lie.
import { BEFORE, LAST_PLACE, MAX_PLANES, MAX_SIDE } from "./check";
import { crc32c } from "../device/crc32c";
import { TENSOR_C, TENSOR_H, TENSOR_W } from "../int8/structs";
import {
  MARGIN,
  MAX_TAPS,
  RECORD_BYTES,
  RECORD_CHANNEL,
  RECORD_LEVEL,
  RECORD_PREVIOUS,
  RECORD_TABLE,
  RECORD_TAP_LIST,
  RECORD_TAPS,
  RECORD_THRESHOLD,
} from "./layout";

/** Forms of a codebook. */
export const CONTEXTS: i32 = 0;
export const SHARED: i32 = 1;
export const STRIPES: i32 = 2;

const HEADER_BYTES: i32 = 28;
const CRC_BYTES: i32 = 4;
const MAX_BYTES: i32 = 65536;
const MAX_ELEMENTS: i32 = 1 << 20;

/** An open codebook; the records of its planes follow. */
@unmanaged
export class Plan {
  book: usize;
  model: i32;
  version: i32;
  form: i32;
  bits: i32;
  h: i32;
  w: i32;
  c: i32;
  patchH: i32;
  patchW: i32;
  group: i32;
  stripe: i32;
  /** c / group. */
  channels: i32;
  planes: i32;
  neighbourBits: i32;
  weights: usize;
  values: usize;
  tables: usize;

  get records(): usize {
    return changetype<usize>(this) + offsetof<Plan>();
  }
}

/** Bytes of the plan of such a codebook (of 28 bytes at least), whatever else is wrong with it. */
export function planBytes(book: usize): i32 {
  return <i32>offsetof<Plan>() + min(<i32>load<u16>(book, 22), MAX_PLANES) * RECORD_BYTES;
}

/** What `open` returns for a codebook whose field at `offset` is not as the page says. */
// @ts-ignore: decorator
@inline
function bad(offset: i32): i32 {
  return offset + 1;
}

// @ts-ignore: decorator
@inline
function outside(value: i32, lo: i32, hi: i32): bool {
  return (value < lo) | (value > hi);
}

/**
 * Checks a codebook and fills the plan at `at`, of planBytes() bytes.
 * Returns 0, or 1 + the byte offset of what is wrong.
 *
 * @param book 4-aligned and read-only while the plan is in use, @param length of what came
 */
export function open(book: usize, length: i32, at: usize): i32 {
  if (length < HEADER_BYTES + CRC_BYTES || length > MAX_BYTES || load<i32>(book, 8) != length || length & 3)
    return bad(8);
  const last = length - CRC_BYTES;
  if (load<u32>(book + <usize>last) != crc32c(book, last)) return bad(last);
  const plan = changetype<Plan>(at);
  plan.book = book;
  plan.model = <i32>load<u16>(book, 2);
  plan.version = <i32>load<u16>(book, 4);
  plan.form = <i32>load<u8>(book, 6);
  plan.bits = <i32>load<u8>(book, 7);
  plan.h = <i32>load<u16>(book, 12);
  plan.w = <i32>load<u16>(book, 14);
  plan.c = <i32>load<u16>(book, 16);
  plan.patchH = <i32>load<u8>(book, 18);
  plan.patchW = <i32>load<u8>(book, 19);
  plan.group = <i32>load<u8>(book, 20);
  plan.stripe = <i32>load<u8>(book, 21);
  plan.planes = <i32>load<u16>(book, 22);
  plan.neighbourBits = <i32>load<u8>(book, 24);
  const contexts = <i32>load<u8>(book, 25);
  const wrong = checkHeader(plan, contexts);
  if (wrong) return wrong;
  plan.channels = plan.c / plan.group;
  const end = plan.form == STRIPES ? layStripes(plan) : layPlanes(plan, contexts, last);
  if (end < 0) return -end;
  // what is left is padding, and zero
  if (outside(last - end, 0, 3)) return bad(min(end, last));
  for (let i = end; i < last; ++i) if (load<u8>(book + <usize>i)) return bad(i);
  return 0;
}

/** Every field of the header in its range. Returns 0 or 1 + offset. */
function checkHeader(plan: Plan, contexts: i32): i32 {
  const book = plan.book;
  const stripes = plan.form == STRIPES;
  if (load<u8>(book) != 0xa1) return bad(0);
  if (load<u8>(book, 1) != 1) return bad(1);
  if (!plan.version) return bad(4);
  if (plan.form > STRIPES) return bad(6);
  if (outside(plan.bits, 1, stripes ? 8 : 4)) return bad(7);
  if (outside(plan.h, 1, MAX_SIDE)) return bad(12);
  if (outside(plan.w, 1, MAX_SIDE)) return bad(14);
  // at most 2^10 · 2^10 · 2^8
  if (outside(plan.c, 1, 256) || plan.h * plan.w * plan.c > MAX_ELEMENTS) return bad(16);
  if (!plan.patchH != !plan.patchW) return bad(19);
  if (plan.form == CONTEXTS ? plan.group != 1 : !plan.group || plan.c % plan.group) return bad(20);
  if (outside(plan.stripe, 1, stripes ? 2 : 1) || plan.h % plan.stripe || plan.w % plan.stripe)
    return bad(21);
  // a patch is made of whole stripes
  if (plan.patchH % plan.stripe || plan.patchW % plan.stripe) return bad(18);
  if (stripes ? plan.planes != 0 : outside(plan.planes, 1, MAX_PLANES)) return bad(22);
  if (plan.neighbourBits > (stripes ? min(2, plan.bits) : 0)) return bad(24);
  if (stripes ? contexts != 0 : !contexts) return bad(25);
  if (load<u16>(book, 26)) return bad(26);
  return 0;
}

/** Values and tables of form 2. Returns where they end: at most 2^26. */
function layStripes(plan: Plan): i32 {
  plan.weights = 0;
  plan.values = plan.book + HEADER_BYTES;
  const values = (plan.c * plan.stripe * plan.stripe) << plan.bits;
  plan.tables = plan.values + <usize>values;
  return HEADER_BYTES + values + (plan.channels << (plan.bits + 2 * plan.neighbourBits));
}

/** Planes, weights, values, contexts and tables of forms 0 and 1. Returns where they end, or −1 − offset of what is wrong. */
function layPlanes(plan: Plan, contexts: i32, last: i32): i32 {
  const book = plan.book;
  let at = HEADER_BYTES + (plan.planes << 2);
  plan.weights = 0;
  if (plan.form == SHARED) {
    plan.weights = book + <usize>at;
    at += plan.c;
  }
  plan.values = book + <usize>at;
  at += plan.c << plan.bits;
  const lists = at;
  for (let i = 0; i < contexts; ++i) {
    if (at >= last) return -bad(at);
    const taps = <i32>load<u8>(book + <usize>at);
    if (outside(taps, 1, MAX_TAPS) || at + 1 + (taps << 1) > last) return -bad(at);
    ++at;
    for (const end = at + (taps << 1); at < end; at += 2) {
      const back = <i32>load<u8>(book + <usize>at);
      const place = <i32>load<u8>(book + <usize>at, 1);
      if (place > (back ? LAST_PLACE : BEFORE) || (place & 7) > 2 * MARGIN) return -bad(at + 1);
    }
  }
  plan.tables = book + <usize>at;
  for (let i = 0; i < plan.planes; ++i) {
    const wrong = layPlane(plan, i, contexts, lists);
    if (wrong) return -wrong;
  }
  for (let i = 0, list = lists; i < contexts; ++i) {
    const taps = <i32>load<u8>(book + <usize>list);
    at += 1 << taps; // at most 255 · 2^14
    list += 1 + (taps << 1);
  }
  return at;
}

/** Fills the record of plane i. Returns 0 or 1 + offset. */
function layPlane(plan: Plan, i: i32, contexts: i32, lists: i32): i32 {
  const offset = HEADER_BYTES + (i << 2);
  const entry = plan.book + <usize>offset;
  const records = plan.records;
  const record = records + <usize>(i * RECORD_BYTES);
  const channel = <i32>load<u8>(entry);
  const threshold = <i32>load<i8>(entry, 1);
  const context = <i32>load<u8>(entry, 2);
  if (channel >= plan.channels) return bad(offset);
  if (context >= contexts) return bad(offset + 2);
  if (load<u8>(entry, 3)) return bad(offset + 3);
  let before = i - 1;
  while (before >= 0 && load<i16>(records + <usize>(before * RECORD_BYTES), RECORD_CHANNEL) != channel)
    --before;
  let level = 0;
  if (before >= 0) {
    const lower = records + <usize>(before * RECORD_BYTES);
    if (load<i16>(lower, RECORD_THRESHOLD) > threshold) return bad(offset + 1);
    level = <i32>load<u8>(lower, RECORD_LEVEL) + 1;
    if (level > (1 << plan.bits) - 2) return bad(offset);
  }
  let list = plan.book + <usize>lists;
  let table = plan.tables;
  for (let k = 0; k < context; ++k) {
    const taps = <i32>load<u8>(list);
    table += <usize>(1 << taps);
    list += <usize>(1 + (taps << 1));
  }
  store<i16>(record, channel, RECORD_CHANNEL);
  store<i16>(record, threshold, RECORD_THRESHOLD);
  store<i16>(record, before, RECORD_PREVIOUS);
  store<u8>(record, load<u8>(list), RECORD_TAPS);
  store<u8>(record, level, RECORD_LEVEL);
  store<u32>(record, <u32>list + 1, RECORD_TAP_LIST);
  store<u32>(record, <u32>table, RECORD_TABLE);
  return 0;
}

/**
 * Opens a codebook on a device, for one model's features [h, w, c] (a tensor struct) and a plan of at most `planRoom` bytes. Returns 0;
 * or 1 + the offset of what is wrong or does not fit.
 */
export function openFor(book: usize, length: i32, at: usize, planRoom: i32, model: i32, xT: usize): i32 {
  if (length < HEADER_BYTES + CRC_BYTES) return bad(8);
  if (planBytes(book) > planRoom) return bad(22);
  const wrong = open(book, length, at);
  if (wrong) return wrong;
  const plan = changetype<Plan>(at);
  if (plan.model != model) return bad(2);
  const fits =
    plan.h == load<i32>(xT, TENSOR_H) &&
    plan.w == load<i32>(xT, TENSOR_W) &&
    plan.c == load<i32>(xT, TENSOR_C);
  return fits ? 0 : bad(12);
}
