/** Everything that `npm run bench:pass` tells, measured. */
import type { Clip } from "../../host/data/clip.ts";
import { cutClip, frameOf } from "../../host/data/clip.ts";
import { occupiedCells } from "../../host/data/occupancy.ts";
import { Random } from "../../host/data/random.ts";
import type { Net } from "../../host/pass/net.ts";
import { type PassOptions, PassRunner } from "../../host/pass/runner.ts";
import { ScoreHistogram } from "./average-precision.ts";
import { dense, fixedThreshold, hold, perPixel, type Watcher } from "./baselines.ts";
import { countFrames, type GuestFrames } from "./guest.ts";

/** A way to see a clip: PASS under a policy, or a baseline. */
export interface Method {
  name: string;
  /** Of PASS; absent for a baseline. */
  options?: PassOptions;
  watch(net: Net): Promise<Watcher>;
}

/** PASS under the given options. */
export const passMethod = (name: string, options: PassOptions): Method => ({
  name,
  options,
  async watch(net) {
    const runner = await PassRunner.load(net, options);
    return (frame) => {
      const { output, counters } = runner.infer(frame);
      return { output, macs: counters.macs, dirty: (counters.dirty + counters.refreshed) / counters.patches };
    };
  },
});

const baseline = (name: string, watch: Method["watch"]): Method => ({ name, watch });

/** Settings were chosen on frames 500–599 of PETS, and hold for every clip and net. */
export const METHODS: readonly Method[] = [
  baseline("dense", dense),
  passMethod("exact", { policy: "exact" }),
  passMethod("guarded", { policy: "guarded" }),
  passMethod("careful", { policy: "fast", tau: 0.1 }),
  passMethod("fast", { policy: "fast" }),
  ...[2, 3, 4, 5].map((k) => baseline(`frame-hold ${k}`, (net) => hold(net, k))),
  baseline("patch threshold 2, no halo", (net) => fixedThreshold(net, 2)),
  baseline("per pixel (as CBinfer) 8/4", (net) => perPixel(net, 8, 4)),
];

export interface Outcome {
  method: string;
  /** Mean shares per frame, 0 … 1; `macs` is of a dense frame's, halo included, the gate left out (it multiplies nothing). */
  dirty: number | null;
  macs: number;
  /** The most that a frame after the first took, as a share of a dense one's multiplications. */
  worstMacs: number;
  /** Against the boxes; null where there are none. */
  averagePrecision: number | null;
  /** Share of cells that are told otherwise than by the dense net, on the same frames. */
  otherwise: number;
}

/** Adds Gaussian noise (a sum of four uniform draws) of σ grey levels; the same on every machine. */
export function addNoise(clip: Clip, sigma: number, seed = 1): Clip {
  if (sigma === 0) return clip;
  const random = new Random(seed, 0x7015e);
  const pixels = clip.pixels.map((pixel) => {
    const r = random.next();
    const sum = (r & 255) + ((r >>> 8) & 255) + ((r >>> 16) & 255) + (r >>> 24) - 510;
    return Math.max(0, Math.min(255, Math.round(pixel + (sum * sigma) / 147.8)));
  });
  return { ...clip, pixels };
}

export const toInt8 = (clip: Clip, i: number): Int8Array =>
  Int8Array.from(frameOf(clip, i), (pixel) => pixel - 128);

/** A clip seen from its first frame to its last by one method after the other. */
export async function compare(net: Net, clip: Clip, methods: readonly Method[]): Promise<Outcome[]> {
  const whole = await dense(net);
  const truth = Array.from({ length: clip.count }, (_, i) => whole(toInt8(clip, i)).output.slice());
  const denseMacs = whole(toInt8(clip, 0)).macs;
  const outcomes: Outcome[] = [];
  for (const method of methods) {
    const watch = await method.watch(net);
    const histogram = new ScoreHistogram();
    let [macs, dirty, told, worst, otherwise, cells] = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < clip.count; i++) {
      const seen = watch(toInt8(clip, i));
      macs += seen.macs;
      if (i > 0) worst = Math.max(worst, seen.macs);
      if (seen.dirty !== undefined) {
        dirty += seen.dirty;
        told++;
      }
      if (clip.boxes) histogram.add(seen.output, occupiedCells(clip.boxes[i] ?? [], clip.width, clip.height));
      truth[i]!.forEach((logit, k) => {
        if (logit > 0 !== seen.output[k]! > 0) otherwise++;
      });
      cells += seen.output.length;
    }
    outcomes.push({
      method: method.name,
      dirty: told > 0 ? dirty / told : null,
      macs: macs / clip.count / denseMacs,
      worstMacs: worst / denseMacs,
      averagePrecision: clip.boxes ? histogram.averagePrecision() : null,
      otherwise: otherwise / cells,
    });
  }
  return outcomes;
}

/** Guest instructions of PASS on a Cortex-M4, by frame. */
export interface Counted {
  method: string;
  mean: number;
  p95: number;
  /** Of all frames after the first one, which is dense whatever the policy. */
  worst: number;
  /** Bytes of linear memory that the module uses, weights included; bytes of the module. */
  linear: number;
  module: number;
  frames: number;
}

export async function count(
  name: string,
  net: Net,
  clip: Clip,
  methods: readonly Method[],
): Promise<Counted[]> {
  const counted: Counted[] = [];
  const all = methods.filter(({ options }) => options !== undefined);
  const first: Method = passMethod("dense", { policy: "dense" });
  for (const { name: method, options } of [first, ...all]) {
    // Dense frames are alike.
    const part = method === "dense" ? cutClip(clip, 0, Math.min(2, clip.count)) : clip;
    const run: GuestFrames = await countFrames(`${name}-${method}`, net, part, options!);
    const later = run.instructions.slice(1).sort((a, b) => a - b);
    counted.push({
      method,
      mean: run.instructions.reduce((sum, one) => sum + one, 0) / run.instructions.length,
      p95: later[Math.min(later.length - 1, Math.floor(0.95 * later.length))]!,
      worst: later.at(-1)!,
      linear: run.linear,
      module: run.module,
      frames: part.count,
    });
  }
  return counted;
}
