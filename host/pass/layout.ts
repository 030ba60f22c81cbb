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
  harm: field(12),
  learn: field(16),
  tau: decimal(24),
  quality: decimal(32),
  denseShare: decimal(40),
  sumGain: decimal(48),
  sumOffset: decimal(56),
  blockGain: decimal(64),
  blockOffset: decimal(72),
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
export const PLAN = {
  recomputed: 0,
  cacheBytes: 4,
  bandBytes: 8,
  macs: 12,
  extraMacs: 16,
  bound: 20,
} as const;
