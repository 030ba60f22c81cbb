// Which virtual devices `octomote start` runs, by what this machine can run.

export type VirtualBoard = "posix" | "mps2-an386" | "node";

export interface PlannedDevice {
  id: string;
  board: VirtualBoard;
  /** Seed of its order of samples and of its draws: each device learns on its own. */
  seed: number;
}

const NAMES = [
  "kitchen",
  "garage",
  "porch",
  "attic",
  "cellar",
  "garden",
  "office",
  "workshop",
  "hallway",
  "balcony",
  "bedroom",
  "shed",
];

/** Most devices that are run at a time. */
export const MAX_DEVICES = 32;

/**
 * `count` devices: compiled firmware as processes, the last of several on an emulated Cortex-M4 where that can be had;
 * in Node where there is no C compiler.
 */
export function planDevices(count: number, available: ReadonlySet<string>): PlannedDevice[] {
  return Array.from({ length: count }, (_, i) => ({
    id: NAMES[i] ?? `device-${i + 1}`,
    board: boardOf(i, count, available),
    seed: i + 1,
  }));
}

function boardOf(i: number, count: number, available: ReadonlySet<string>): VirtualBoard {
  if (!available.has("posix")) return "node";
  return count > 1 && i === Math.min(count, 3) - 1 && available.has("mps2-an386") ? "mps2-an386" : "posix";
}
