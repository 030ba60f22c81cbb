/**
 * A second task with the same gate and planner: what is in the frame, told of the whole frame (nothing, people, vehicles,
 * both). How often is it right, and how often does it change its mind while nothing changes but the noise?
 */
import { cutClip } from "../../host/data/clip.ts";
import { KINDS } from "../../host/data/scene/actors.ts";
import { drawScene } from "../../host/data/scene.ts";
import type { Net } from "../../host/pass/net.ts";
import { FRAME, sceneOf } from "../camera/tasks.ts";
import { METHODS, type Method, passMethod, toInt8 } from "./measure.ts";
import { loadNet } from "./nets.ts";

/** A kind is in the frame from this logit on, in tenths: as in the camera app. */
const PRESENT = 10;
/** Scenes that no net was trained on: seeds from here. */
const TESTED = 200;
const NOISE = [1, 2, 4] as const;

export interface Stability {
  method: string;
  /** Share of frames whose class is right, on moving scenes. */
  accuracy: number;
  /** Of a dense frame's multiplications, on moving scenes. */
  macs: number;
  /** Changes of the class per 100 static frames, by noise σ. */
  flips: Record<string, number>;
}

/** The net of kinds per cell, and the largest of all cells behind it. */
async function wholeFrameNet(): Promise<Net> {
  const { net } = await loadNet("kinds");
  const [height, width] = net.input;
  return { input: net.input, layers: [...net.layers, { kind: "maxPool", kernel: [height / 8, width / 8] }] };
}

/** One bit for each kind. */
const classOf = (output: Int8Array): number =>
  output.reduce((bits, logit, kind) => bits | (logit > PRESENT ? 1 << kind : 0), 0);

export async function measureStability(frames: number, scenes: number): Promise<Stability[]> {
  const net = await wholeFrameNet();
  const methods = [passMethod("dense", { policy: "dense" }), ...METHODS.filter(({ options }) => options)];
  const results: Stability[] = [];
  for (const method of methods) {
    let [right, seen, macs] = [0, 0, 0];
    for (let s = 0; s < scenes; s++) {
      const clip = sceneOf(TESTED + s, frames);
      const watch = await method.watch(net);
      for (let i = 0; i < clip.count; i++) {
        const told = watch(toInt8(clip, i));
        const boxes = clip.boxes?.[i] ?? [];
        const truth = KINDS.reduce(
          (bits, kind, k) => bits | (boxes.some((box) => box.kind === kind) ? 1 << k : 0),
          0,
        );
        if (classOf(told.output) === truth) right++;
        macs += told.macs;
        seen++;
      }
    }
    const flips: Record<string, number> = {};
    for (const noise of NOISE) flips[noise] = await flipsOf(net, method, noise, frames, scenes);
    results.push({ method: method.name, accuracy: right / seen, macs: macs / seen, flips });
  }
  const dense = results[0]!.macs;
  return results.map((one) => ({ ...one, macs: one.macs / dense }));
}

/** Somebody stands still, in a place of its own for each scene. */
async function flipsOf(
  net: Net,
  method: Method,
  noise: number,
  frames: number,
  scenes: number,
): Promise<number> {
  let [flips, steps] = [0, 0];
  for (let s = 0; s < scenes; s++) {
    const options = { ...FRAME, scenario: "leave", seed: TESTED + s, noise } as const;
    // It leaves after half of the frames: these are the ones before.
    const clip = cutClip(drawScene({ ...options, frames: 2 * frames }), 0, frames);
    const watch = await method.watch(net);
    let before = classOf(watch(toInt8(clip, 0)).output);
    for (let i = 1; i < clip.count; i++) {
      const now = classOf(watch(toInt8(clip, i)).output);
      if (now !== before) flips++;
      before = now;
      steps++;
    }
  }
  return (100 * flips) / steps;
}
