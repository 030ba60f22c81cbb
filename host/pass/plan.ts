// What a network takes of memory and work, layer by layer: the device's own planner (assembly/pass/plan.ts) decides, and here is
// told, with what would fit where it does not.
import { ModuleTrap } from "../module/module-host.ts";
import { errorCode } from "../protocol/errors.ts";
import type { Net } from "./net.ts";
import { type LayerPlan, PassRunner, type RunnerOptions } from "./runner.ts";

/** A layer as the planner keeps it. */
export interface PlannedLayer extends LayerPlan {
  kind: Net["layers"][number]["kind"];
  /** Whether its output is cached, recomputed, or the layer before makes it (a relu). */
  store: "cached" | "recomputed" | "joined";
}

export interface NetPlan {
  input: readonly [number, number, number];
  layers: PlannedLayer[];
  /** Multiply-accumulates of a dense frame, with what recomputing adds. */
  denseMacs: number;
  /** Bytes of linear memory that it takes, weights included. */
  bytes: number;
}

/** Bytes that a network takes at least, where there are not so many; and the largest frame that would fit. */
export class NetTooLarge extends Error {
  override name = "NetTooLarge";
  readonly needed: number;
  readonly available: number;
  /** [h, w] of about the same shape, or null: not even the smallest frame fits. */
  readonly fits: readonly [number, number] | null;

  constructor(net: Net, needed: number, available: number, fits: readonly [number, number] | null) {
    const [h, w] = net.input;
    const would = fits
      ? `Frames of up to ${fits[1]}×${fits[0]} would fit`
      : "No frame would be small enough: make layers smaller";
    super(
      `The network needs at least ${needed} bytes at ${w}×${h}, with every layer recomputed that can be, and has ${available}: ` +
        `${needed - available} too few. ${would}`,
    );
    this.needed = needed;
    this.available = available;
    this.fits = fits;
  }
}

/** The network for frames of another size. */
export const resized = (net: Net, height: number, width: number): Net => ({
  ...net,
  input: [height, width, net.input[2]],
});

/** Errors that say that there is too little memory: before the planner is asked, and by it. */
const TOO_LITTLE = ["out-of-arena", "net-too-large"].map(errorCode);

/** The plan, or how many bytes it would take. Errors of another kind are thrown. */
async function attempt(net: Net, options: RunnerOptions): Promise<NetPlan | { needed: number }> {
  try {
    const runner = await PassRunner.load(net, options);
    const { plan } = runner;
    const layers = plan.map((layer, i): PlannedLayer => {
      const kind = net.layers[i]!.kind;
      const joined = kind === "relu" && i > 0;
      // what the plan tells of a relu is of the layer that makes it
      const costs = joined ? { ...layer, cacheBytes: 0, bandBytes: 0, macs: 0, extraMacs: 0 } : layer;
      return { ...costs, kind, store: joined ? "joined" : layer.recomputed ? "recomputed" : "cached" };
    });
    return { input: net.input, layers, denseMacs: runner.counters().denseMacs, bytes: runner.memory.used };
  } catch (error) {
    if (!(error instanceof ModuleTrap) || !TOO_LITTLE.includes(error.code)) throw error;
    return { needed: error.got };
  }
}

/**
 * Plans a network within `options.limit` bytes of linear memory.
 * @throws NetTooLarge with what would fit; NetError, ModuleTrap as PassRunner.load()
 */
export async function planNet(net: Net, options: RunnerOptions = {}): Promise<NetPlan> {
  const plan = await attempt(net, options);
  if (!("needed" in plan)) return plan;
  throw new NetTooLarge(net, plan.needed, options.limit ?? 0, await largestFrame(net, options));
}

/** [h, w] of the largest frame of about the same shape for which a network that does not fit would, in steps of 8 columns; or null. */
async function largestFrame(net: Net, options: RunnerOptions): Promise<readonly [number, number] | null> {
  const [h, w] = net.input;
  const sizeOf = (eighths: number) => [Math.max(8, Math.round((eighths * h) / w) * 8), eighths * 8] as const;
  let [fitting, least, most] = [null as readonly [number, number] | null, 1, Math.floor((w - 1) / 8)];
  // memory grows with the frame
  while (least <= most) {
    const middle = (least + most) >> 1;
    const size = sizeOf(middle);
    const plan = await attempt(resized(net, ...size), options).catch((error: unknown) => {
      // a frame smaller than what a kernel spans is too small in another way
      if (error instanceof ModuleTrap) return null;
      throw error;
    });
    if (plan !== null && "needed" in plan) most = middle - 1;
    else {
      if (plan !== null) fitting = size;
      least = middle + 1;
    }
  }
  return fitting;
}
