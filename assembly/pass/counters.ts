// What PASS tells of its last frame (docs/pass.md, "Counters"); host/pass/layout.ts knows the offsets.

/** One struct; a module has one, as it has one Pass. */
@unmanaged
export class Counters {
  frames: i32;
  denseFrames: i32;
  /** Patches of a frame; those that the gate found dirty, and those whose turn for a refresh it was. */
  patches: i32;
  dirty: i32;
  refreshed: i32;
  /** Multiply-accumulates of this frame, and of a dense one. */
  macs: i32;
  denseMacs: i32;
  /** Frames since the oldest patch was copied. */
  refreshAge: i32;
  /** Median mean |d| of a patch, Q8 grey levels. */
  noise: i32;
  /** Skips looked at, those that mattered, and their running rate, Q16. */
  audits: i32;
  harmful: i32;
  harmfulRate: i32;
  /** Positions of the output that changed. */
  changed: i32;
  /** Why this frame was dense (DENSE_…). */
  dense: i32;
  macsTotal: i64;
  denseMacsTotal: i64;
}

/** Why a frame was dense: it was not; first, or the policy; too many dirty patches; a change of illumination. */
export const DENSE_NOT: i32 = 0;
export const DENSE_ASKED: i32 = 1;
export const DENSE_SHARE: i32 = 2;
export const DENSE_ILLUMINATION: i32 = 3;

export const counters: Counters = changetype<Counters>(memory.data(80, 8));
