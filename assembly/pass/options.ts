// What a user of PASS may choose (docs/pass.md).
import { PASS_OPTION } from "../device/errors";
import { fail } from "../device/host";
import { Fixed, fixed } from "../device/param";

/** How much may be skipped, and what is promised for it. */
export namespace policy {
  /** Every frame whole. */
  export const DENSE: i32 = 0;
  /** Bit for bit the dense output, on every frame. */
  export const EXACT: i32 = 1;
  /** Bit for bit the dense output of the reference image. */
  export const GUARDED: i32 = 2;
  /** Changes up to τ are not passed on. */
  export const FAST: i32 = 3;
}

/** Options of a Pass; host/pass/layout.ts knows their offsets. Decimals are written with param() or fixed(). */
@unmanaged
export class PassOptions {
  policy: i32 = policy.FAST;
  /** Side of a patch in pixels: 4, 8 or 16. */
  patch: i32 = 8;
  /** R: frames after which every patch has been refreshed, 1 … 255. */
  refresh: i32 = 64;
  /** Smallest change of an output, in its units, that counts as harm, 1 … 255. */
  harm: i32 = 8;
  /** Whether thresholds learn from audits. */
  learn: i32 = 1;
  /** τ under FAST, of layers that have none of their own: a typical change of an output that is let pass, in its units. */
  tau: Fixed = fixed(0.4);
  /** Share of audited skips that may turn out harmful. */
  quality: Fixed = fixed(0.02);
  /** Share of dirty patches above which a frame is dense. */
  denseShare: Fixed = fixed(0.6);
  /** Thresholds in grey levels: S per pixel and L per pixel of a block, as gain · noise + offset. */
  sumGain: Fixed = fixed(2);
  sumOffset: Fixed = fixed(1);
  blockGain: Fixed = fixed(4);
  blockOffset: Fixed = fixed(3);
}

/** Errors: PASS_OPTION (where: index of the option in the order above). */
export function checkOptions(o: PassOptions): void {
  within(0, o.policy, policy.DENSE, policy.FAST);
  if (o.patch != 4 && o.patch != 8 && o.patch != 16) fail(PASS_OPTION, 1, o.patch, 8);
  within(2, o.refresh, 1, 255);
  within(3, o.harm, 1, 255);
  within(4, o.learn, 0, 1);
  gain(5, o.tau);
  share(6, o.quality);
  share(7, o.denseShare);
  gain(8, o.sumGain);
  gain(9, o.sumOffset);
  gain(10, o.blockGain);
  gain(11, o.blockOffset);
}

function within(option: i32, value: i32, lo: i32, hi: i32): void {
  if (value < lo) fail(PASS_OPTION, option, value, lo);
  if (value > hi) fail(PASS_OPTION, option, value, hi);
}

/** 0 … 1; told in percent. */
function share(option: i32, value: Fixed): void {
  if (value < 0) fail(PASS_OPTION, option, <i32>((value * 100) >> 32), 0);
  if (value > fixed(1)) fail(PASS_OPTION, option, <i32>min<i64>(value >> 26, i32.MAX_VALUE), 100);
}

/** 0 … 127 units. */
function gain(option: i32, value: Fixed): void {
  within(option, <i32>(value >> 32), 0, 127);
}
