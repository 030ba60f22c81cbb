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

/** Octomote's own apps that need more RAM than the emulated board has. */
const LARGE: readonly string[] = ["camera-learn", "camera-split"];

/** Most devices that are run at a time. */
export const MAX_DEVICES = 32;

/**
 * `count` devices: compiled firmware as processes, the last of several on an emulated Cortex-M4 where that can be had and has room for
 * the app; in Node where there is no C compiler.
 */
export function planDevices(count: number, app: string, available: ReadonlySet<string>): PlannedDevice[] {
  const boards = new Set(available);
  if (LARGE.includes(app)) boards.delete("mps2-an386");
  return Array.from({ length: count }, (_, i) => ({
    id: NAMES[i] ?? `device-${i + 1}`,
    board: boardOf(i, count, boards),
    seed: i + 1,
  }));
}

function boardOf(i: number, count: number, available: ReadonlySet<string>): VirtualBoard {
  if (!available.has("posix")) return "node";
  return count > 1 && i === Math.min(count, 3) - 1 && available.has("mps2-an386") ? "mps2-an386" : "posix";
}
