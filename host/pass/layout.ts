// Byte offsets of the structs that assembly/pass shows to its host.

export type Policy = "dense" | "exact" | "guarded" | "fast";

/** Policies by number (assembly/pass/options.ts). */
export const POLICIES: readonly Policy[] = ["dense", "exact", "guarded", "fast"];

export interface Field {
  offset: number;
  /** The number in memory is this many times the number here. */
  scale: number;
  /** i64 instead of i32. */
  wide?: boolean;
}

const field = (offset: number, scale = 1, wide = false): Field => ({ offset, scale, wide });

/** A Fixed of assembly: Q32.32. */
const decimal = (offset: number): Field => field(offset, 2 ** 32, true);

/** `PassOptions` of assembly/pass/options.ts. */
export const OPTIONS = {
  policy: field(0),
  patch: field(4),
  refresh: field(8),
  tau: field(12),
  harm: field(16),
  learn: field(20),
  quality: decimal(24),
  denseShare: decimal(32),
  sumGain: decimal(40),
  sumOffset: decimal(48),
  blockGain: decimal(56),
  blockOffset: decimal(64),
} as const satisfies Record<string, Field>;

/** `Counters` of assembly/pass/counters.ts. */
export const COUNTERS = {
  frames: field(0),
  denseFrames: field(4),
  patches: field(8),
  dirty: field(12),
  refreshed: field(16),
  macs: field(20),
  denseMacs: field(24),
  refreshAge: field(28),
  noise: field(32, 256),
  audits: field(36),
  harmful: field(40),
  harmfulRate: field(44, 65536),
  changed: field(48),
  dense: field(52),
  macsTotal: field(56, 1, true),
  denseMacsTotal: field(64, 1, true),
} as const satisfies Record<string, Field>;

/** A layer's costs (assembly/pass/plan.ts). */
export const PLAN = { recomputed: 0, cacheBytes: 4, bandBytes: 8, macs: 12, extraMacs: 16 } as const;
