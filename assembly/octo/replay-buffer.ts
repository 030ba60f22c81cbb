// A replay buffer: samples that a model has learned from, kept for later, so that learning something new does not cost it what it
// knows. It keeps what enters the first layer that learns: frames, or with trainLast() the features that the layers below make of
// them (latent replay), which are smaller. Kept: class-balancing reservoir sampling (Chrysakis and Moens 2020), by counter-based draws.
import { allocate } from "../device/arena";
import { BUFFER_SMALL, TOO_MANY } from "../device/errors";
import { fail } from "../device/host";
import { draw } from "../int8/rng";
import * as back from "./backward";
import * as checkpoint from "./checkpoint";
import * as options from "./options";

/** Whether the module has one. */
export let used: bool = false;

/** Bytes in all, bits of an element, elements of a sample, classes. */
let budget: i32 = 0;
let bits: i32 = 0;
let elements: i32 = 0;
let classes: i32 = 0;
/** Bytes of a slot, and how many there are. */
let slotBytes: i32 = 0;
let slots: i32 = 0;
/** Where an old sample is unpacked. */
export let unpacked: usize = 0;

/**
 * Its part of the learned state, an offset until the state is open: bytes of a slot and bits of an element (u32 each, so that what was
 * kept for another layer is not taken for this one's), samples offered of each class (u32), then the slots. Zero is empty.
 */
let at: usize = 0;
const COUNTS: i32 = 8;
/** A slot: class + 1 (0: empty), least element, largest minus least, zero; then its elements. */
const SLOT_HEADER: i32 = 4;
/** Most classes: a slot has a byte for them. */
const MAX_CLASSES: i32 = 255;

/** Samples kept within a budget of bytes, about as many of each class. A module has one. */
@unmanaged
export class ReplayBuffer {
  /**
   * @param bytes of the learned state that it may take, everything counted
   * @param elementBits 8, 4 or 2: of fewer than 8, sixteen or four levels between a sample's own least and largest element
   * Errors: TOO_MANY, TRAINING_OPTION; BUFFER_SMALL at init, when not one sample fits.
   */
  constructor(bytes: i32, elementBits: i32 = 4) {
    if (used) fail(TOO_MANY, 0, 2, 1);
    used = true;
    budget = bytes & ~7;
    options.within(options.REPLAY_BITS, elementBits, 2, 8);
    if (elementBits & (elementBits - 1)) options.within(options.REPLAY_BITS, elementBits, 4, 4);
    bits = elementBits;
  }

  /** Samples that fit. */
  get capacity(): i32 {
    return slots;
  }

  /** Samples kept. */
  get size(): i32 {
    return kept();
  }

  /** Samples kept of a class. */
  count(label: i32): i32 {
    return countOf(label);
  }
}

/** Takes room in the state for samples of `n` elements, of `k` classes. Errors: BUFFER_SMALL, TOO_MANY */
export function place(n: i32, k: i32): void {
  if (k > MAX_CLASSES) fail(TOO_MANY, 0, k, MAX_CLASSES);
  elements = n;
  classes = k;
  slotBytes = (SLOT_HEADER + ((n * bits + 7) >> 3) + 3) & ~3;
  const head = COUNTS + (k << 2);
  if (budget < head + slotBytes) fail(BUFFER_SMALL, 0, budget, (head + slotBytes + 7) & ~7);
  slots = (budget - head) / slotBytes;
  at = checkpoint.reserve(budget);
  checkpoint.describe(budget, k, 5, 0);
  unpacked = allocate(n);
}

/** The state is there; what was kept for another layer is forgotten. */
export function wake(fresh: bool): void {
  if (fresh) at += checkpoint.state;
  if (load<i32>(at) == slotBytes && load<i32>(at, 4) == bits) return;
  memory.fill(at, 0, budget);
  store<i32>(at, slotBytes);
  store<i32>(at, bits, 4);
}

function slotOf(i: i32): usize {
  return at + <usize>(COUNTS + (classes << 2) + i * slotBytes);
}

/** Class of a slot; −1: empty. */
function labelOf(i: i32): i32 {
  return <i32>load<u8>(slotOf(i)) - 1;
}

function countOf(label: i32): i32 {
  let n = 0;
  for (let i = 0; i < slots; ++i) if (labelOf(i) == label) ++n;
  return n;
}

/** Samples kept. */
export function kept(): i32 {
  return slots - countOf(-1);
}

/** The n-th slot of a class. */
function slotOfClass(label: i32, n: i32): i32 {
  let i = 0;
  while (labelOf(i) != label || --n >= 0) ++i;
  return i;
}

/** A whole number below n, by draws 2·i and 2·i + 1 of a key: 32 bits, so that no number is likelier than another by more than n / 2^32. */
function below(n: u32, key: u32, i: u32): u32 {
  const wide = ((<u64>draw(key, i << 1)) << 16) | <u64>draw(key, (i << 1) | 1);
  return <u32>((wide * <u64>n) >> 32);
}

/**
 * Offers a sample, int8 [elements]. While there is room it is kept. Then a class with fewer samples than the largest takes a place of
 * the largest; otherwise it takes one of its own class's, with the chance that keeps every sample of the class offered so far
 * equally likely to be there. 0 ≤ label < classes.
 */
export function offer(data: usize, label: i32): void {
  const counter = at + <usize>(COUNTS + (label << 2));
  const offered = load<u32>(counter) + 1;
  store<u32>(counter, offered);
  let slot: i32;
  if (countOf(-1)) {
    slot = slotOfClass(-1, 0);
  } else {
    const own = countOf(label);
    let largest = label;
    let most = own;
    for (let other = 0; other < classes; ++other) {
      const n = countOf(other);
      if (n > most) {
        largest = other;
        most = n;
      }
    }
    const n = below(largest == label ? offered : most, checkpoint.key(back.KEEPING_DRAWS), offered);
    // a restored state may hold no sample of any class that there is
    if (<i32>n >= most) return;
    slot = slotOfClass(largest, n);
  }
  pack(data, slotOf(slot), label);
}

/**
 * Unpacks an old sample of another class than `fresh`, each that is there as likely as another; returns its class, −1 when there is
 * none. So with one of each n − 1 times, n classes are learned alike.
 */
export function recall(fresh: i32): i32 {
  const key = checkpoint.key(back.REPLAY_DRAWS);
  let there = 0;
  for (let label = 0; label < classes; ++label) if (label != fresh && countOf(label)) ++there;
  if (!there) return -1;
  let nth = <i32>below(there, key, 0);
  let label = 0;
  while (label == fresh || !countOf(label) || --nth >= 0) ++label;
  unpack(slotOf(slotOfClass(label, below(countOf(label), key, 1))));
  return label;
}

/** Level = round((x − least)·(2^bits − 1) / span), or the elements as they are. */
function pack(data: usize, slot: usize, label: i32): void {
  store<u32>(slot, label + 1);
  const to = slot + SLOT_HEADER;
  if (bits == 8) {
    memory.copy(to, data, elements);
    return;
  }
  let least = <i32>load<i8>(data);
  let largest = least;
  for (let i = 1; i < elements; ++i) {
    const x = <i32>load<i8>(data + <usize>i);
    least = min(least, x);
    largest = max(largest, x);
  }
  const span = largest - least;
  store<u8>(slot, least, 1);
  store<u8>(slot, span, 2);
  memory.fill(to, 0, (elements * bits + 7) >> 3);
  if (!span) return;
  const levels = (1 << bits) - 1;
  for (let i = 0, at = 0; i < elements; ++i, at += bits) {
    const level = ((<i32>load<i8>(data + <usize>i) - least) * levels + (span >> 1)) / span;
    const byte = to + <usize>(at >> 3);
    store<u8>(byte, load<u8>(byte) | (level << (at & 7)));
  }
}

/** x = least + round(level·span / (2^bits − 1)): at most half a level from what was packed. */
function unpack(slot: usize): void {
  const from = slot + SLOT_HEADER;
  if (bits == 8) {
    memory.copy(unpacked, from, elements);
    return;
  }
  const least = <i32>load<i8>(slot, 1);
  const span = <i32>load<u8>(slot, 2);
  const levels = (1 << bits) - 1;
  for (let i = 0, at = 0; i < elements; ++i, at += bits) {
    const level = (<i32>load<u8>(from + <usize>(at >> 3)) >> (at & 7)) & levels;
    store<i8>(unpacked + <usize>i, least + (level * span + (levels >> 1)) / levels);
  }
}
