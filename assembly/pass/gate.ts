// The gate: which patches of a frame have moved from the reference by more than noise, and which are due for a refresh.
// Thresholds follow the noise, a slow median of mean |d| over all patches.
import { allocate } from "../device/arena";
import { counters, DENSE_ASKED } from "./counters";
import * as pass from "./intrinsics";
import { factorOf, CLASSES, CLASS_NEW } from "./learn";
import { PassOptions, policy } from "./options";
import { STATS_BYTES } from "./patch-stats";
import { Stage } from "./stage";

/** What happened to a patch: the lower bits of its mark. */
export const SKIPPED: i32 = 0;
export const DIRTY: i32 = 1;
export const REFRESHED: i32 = 2;
export const WHAT: i32 = 3;
/** Its class (learn.ts). */
export const CLASS_SHIFT: i32 = 2;
/** Its statistics were near the threshold, on either side. */
export const NEAR: i32 = 16;
/** They say more than noise: no threshold that can be reached would have caught it otherwise. */
export const LOUD: i32 = 32;

/** Histogram of mean |d|: bins of a quarter of a grey level. */
const BINS: i32 = 64;
/** Patches count as moved together when |D| makes half of S, and S a grey level per pixel; from a share of 5/8 on. */
const COHERENT_SHARE: i32 = 5;

export let across: i32 = 0;
export let down: i32 = 0;
/** Marks, one byte per patch, row by row. */
export let marks: usize = 0;
/** Frames since a patch was copied, one byte per patch. */
let ages: usize = 0;
let stats: usize = 0;
let histogram: usize = 0;
/** Frame in the cycle of refreshes. */
let phase: i32 = 0;
/** Step from one refreshed patch to the next: without a common divisor with their number. */
let stride: i32 = 1;
/** Noise, Q8 grey levels; −1 until it was measured once. */
export let noise: i32 = -1;
export let dirty: i32 = 0;
export let refreshed: i32 = 0;
export let oldest: i32 = 0;
/** Whether most of the image became brighter, or darker, together. */
export let together: bool = false;

/** Thresholds of a full patch by class: S and L. */
const LIMITS: usize = memory.data(32, 4);
/** S and L of a full patch from which on it is loud: three quarters of the threshold that learning starts from, and half. */
let loudSum: i32 = 0;
let loudBlock: i32 = 0;

export function patches(): i32 {
  return across * down;
}

export function reserve(input: Stage, options: PassOptions): void {
  const patch = options.patch;
  across = (input.w + patch - 1) / patch;
  down = (input.h + patch - 1) / patch;
  const n = patches();
  marks = allocate(n);
  memory.fill(marks, <u8>(CLASS_NEW << CLASS_SHIFT), n);
  ages = allocate(n);
  stats = allocate(across * <i32>STATS_BYTES);
  histogram = allocate(BINS << 1);
  // near the golden section: neighbours in time are far apart in space
  stride = max((n * 5) >> 3, 1);
  while (gcd(stride, n) != 1) ++stride;
}

function gcd(a: i32, b: i32): i32 {
  while (b) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/** Q8 of a Q32.32 number below 128. */
function q8(value: i64): i32 {
  return <i32>(value >> 24);
}

/** Thresholds of this frame. `pixels` are the values of a full patch, `block` those of a 4×4 block. */
function setLimits(o: PassOptions, pixels: i32, block: i32): void {
  const n = max(noise, 0);
  const s = ((q8(o.sumGain) * n) >> 8) + q8(o.sumOffset);
  const l = ((q8(o.blockGain) * n) >> 8) + q8(o.blockOffset);
  loudSum = <i32>min<i64>((<i64>s * pixels * 3) >> 10, i32.MAX_VALUE);
  loudBlock = <i32>min<i64>((<i64>l * block) >> 9, i32.MAX_VALUE);
  for (let k = 0; k < CLASSES; ++k) {
    const at = LIMITS + ((<usize>k) << 3);
    const factor = <i64>factorOf(k);
    store<i32>(at, <i32>min<i64>((<i64>s * pixels * factor) >> 16, i32.MAX_VALUE));
    store<i32>(at, <i32>min<i64>((<i64>l * block * factor) >> 16, i32.MAX_VALUE), 4);
  }
}

/** All patches are as new as the frame: it was computed whole. */
export function renew(): void {
  memory.fill(ages, 0, patches());
  const n = patches();
  for (let i: usize = 0; i < <usize>n; ++i)
    store<u8>(marks + i, (load<u8>(marks + i) & ~(WHAT | NEAR | LOUD)) | DIRTY);
  oldest = 0;
}

/**
 * Looks at a frame: sets marks, counts, noise. Reference and activations stay as they are. Patches grow `older` frames older: 0 when
 * the same frame is looked at again.
 */
export function scan(input: Stage, frame: usize, o: PassOptions, older: i32): void {
  const patch = o.patch;
  const c = input.c;
  const exact = o.policy == policy.EXACT;
  const pixels = patch * patch * c;
  let values = pixels;
  setLimits(o, pixels, 16 * c);
  memory.fill(histogram, 0, BINS << 1);
  dirty = 0;
  let brighter = 0;
  let darker = 0;
  let at = marks;
  let age = ages;
  oldest = 0;
  for (let py = 0; py < down; ++py) {
    pass.patchStats(changetype<usize>(input), frame, input.data, patch, py, stats);
    const rows = min(patch, input.h - py * patch);
    let from = stats;
    for (let px = 0; px < across; ++px, ++at, ++age, from += STATS_BYTES) {
      const sum = load<i32>(from);
      const mark = <i32>load<u8>(at) & ~(WHAT | NEAR | LOUD);
      let what = SKIPPED;
      if (exact) {
        if (sum) what = DIRTY;
      } else {
        const limits = LIMITS + ((<usize>((mark >> CLASS_SHIFT) & 3)) << 3);
        let limit = load<i32>(limits);
        let loud = loudSum;
        values = pixels;
        if (rows < patch || (px + 1) * patch > input.w) {
          // at the edge: as much as there is of it
          values = rows * min(patch, input.w - px * patch) * c;
          limit = <i32>((<i64>limit * values) / pixels);
          loud = <i32>((<i64>loud * values) / pixels);
        }
        const l = load<i32>(from, 4);
        const block = load<i32>(limits, 4);
        if (sum > limit || l > block) what = DIRTY;
        // within a factor of two of the threshold, on either side
        if (what == DIRTY ? sum >> 1 <= limit && l >> 1 <= block : sum > limit >> 1 || l > block >> 1)
          what |= NEAR;
        if (sum > loud || l > loudBlock) what |= LOUD;
        // mean |d| in quarters of a grey level
        const bin = histogram + ((<usize>min((sum << 2) / values, BINS - 1)) << 1);
        store<u16>(bin, load<u16>(bin) + 1);
        const d = load<i32>(from, 8);
        if (sum >= values && abs(d) > sum >> 1) {
          if (d > 0) ++brighter;
          else ++darker;
        }
      }
      const years = sum ? min(<i32>load<u8>(age) + older, 255) : 0;
      store<u8>(age, years);
      oldest = max(oldest, years);
      if ((what & WHAT) == DIRTY) ++dirty;
      store<u8>(at, mark | what);
    }
  }
  together = max(brighter, darker) << 3 > patches() * COHERENT_SHARE;
  if (!exact) learnNoise();
}

/**
 * Moves the noise towards the median of this frame: at once the first time, then slowly, downwards faster than upwards. Behind a frame
 * that was dense because too much had changed, upwards by a quarter: another scene may be another light, with more noise.
 */
function learnNoise(): void {
  let left = patches() >> 1;
  let bin = 0;
  let here = <i32>load<u16>(histogram);
  while (here <= left && bin < BINS - 1) {
    left -= here;
    here = <i32>load<u16>(histogram + ((<usize>++bin) << 1));
  }
  const median = (bin << 6) + (here ? min((left << 6) / here, 63) : 0);
  const most = counters.dense > DENSE_ASKED ? max(noise >> 2, 16) : 4;
  noise = noise < 0 ? median : noise + max(min((median - noise) >> 2, most), -16);
}

/** Marks the patches whose turn it is: each one once in R frames. */
export function refresh(o: PassOptions): void {
  refreshed = 0;
  const n = patches();
  const r = o.refresh;
  const first = (n * phase) / r;
  const end = (n * (phase + 1)) / r;
  if (++phase == r) phase = 0;
  for (let i = first; i < end; ++i) {
    const at = marks + <usize>((<i64>i * stride) % n);
    const mark = <i32>load<u8>(at);
    if ((mark & WHAT) != SKIPPED) continue;
    store<u8>(at, mark | REFRESHED);
    ++refreshed;
  }
}

/** A patch was copied. */
export function copied(patch: i32): void {
  store<u8>(ages + <usize>patch, 0);
}
