/**
 * What PASS is measured against, on the same kernels: every frame whole; only every kth frame; one mask of changed
 * patches for all layers; changed pixels found anew at each layer's input (as CBinfer does).
 */
import type { Net } from "../../host/pass/net.ts";
import { type Stage, WindowNet } from "./windows.ts";

export interface Seen {
  /** Output of the last layer; valid until the next frame. */
  output: Int8Array;
  /** Multiply-accumulates spent on the frame. */
  macs: number;
  /** Share of patches (or pixels) that counted as changed, where there is such a thing. */
  dirty?: number;
}

/** Sees one frame after the other, int8. */
export type Watcher = (frame: Int8Array) => Seen;

export async function dense(net: Net): Promise<Watcher> {
  const windows = await WindowNet.create(net);
  const macs = windows.denseMacs;
  return (frame) => ({ output: windows.dense(frame), macs });
}

/** Computes every kth frame; in between, the last output stands. */
export async function hold(net: Net, k: number): Promise<Watcher> {
  const windows = await WindowNet.create(net);
  let frames = 0;
  return (frame) => {
    if (frames++ % k === 0) return { output: windows.dense(frame), macs: windows.denseMacs };
    return { output: windows.stages.at(-1)!.data, macs: 0 };
  };
}

/**
 * Patches whose mean absolute difference to the reference exceeds the threshold, and in every layer the positions that
 * lie in them: no halo, no equality stop.
 */
export async function fixedThreshold(net: Net, threshold: number, patch = 8): Promise<Watcher> {
  const windows = await WindowNet.create(net);
  const [height, width] = net.input;
  const across = Math.ceil(width / patch);
  const down = Math.ceil(height / patch);
  const reference = new Int8Array(height * width);
  const mask = new Uint8Array(across * down);
  let fresh = true;
  return (frame) => {
    for (let i = 0; i < mask.length; i++) {
      const [y0, x0] = [Math.floor(i / across) * patch, (i % across) * patch];
      const [y1, x1] = [Math.min(y0 + patch, height), Math.min(x0 + patch, width)];
      let sum = 0;
      for (let y = y0; y < y1; y++) {
        for (let x = x0; x < x1; x++) sum += Math.abs(frame[y * width + x]! - reference[y * width + x]!);
      }
      mask[i] = fresh || sum > threshold * (y1 - y0) * (x1 - x0) ? 1 : 0;
      if (!mask[i]) continue;
      for (let y = y0; y < y1; y++)
        reference.set(frame.subarray(y * width + x0, y * width + x1), y * width + x0);
    }
    fresh = false;
    windows.input.set(reference);
    let macs = 0;
    windows.stages.forEach(({ h, w }, layer) => {
      const set = new Uint8Array(h * w);
      for (let y = 0; y < h; y++) {
        const py = Math.min(down - 1, Math.floor((y * height) / h / patch));
        for (let x = 0; x < w; x++) {
          set[y * w + x] = mask[py * across + Math.min(across - 1, Math.floor((x * width) / w / patch))]!;
        }
      }
      macs += windows.computeSet(layer, set);
    });
    const dirty = mask.reduce((sum, one) => sum + one, 0) / mask.length;
    return { output: windows.stages.at(-1)!.data, macs, dirty };
  };
}

/**
 * CBinfer-like: each layer keeps its last input; pixels where any channel moved by more than a threshold are changed,
 * and the outputs under whose kernel one lies are computed anew.
 * @param pixels threshold of the frame, in grey levels
 * @param features threshold of the layers behind, in units of their input
 */
export async function perPixel(net: Net, pixels: number, features: number): Promise<Watcher> {
  const windows = await WindowNet.create(net);
  const [height, width, channels] = net.input;
  const shapes = [{ h: height, w: width, c: channels }, ...windows.stages.slice(0, -1)];
  /** What each layer saw last, and what the one before it has computed since. */
  const kept = shapes.map(({ h, w, c }) => new Int8Array(h * w * c));
  const computed = shapes.map(({ h, w, c }) => new Int8Array(h * w * c));
  let fresh = true;
  return (frame) => {
    let macs = 0;
    let dirty = 0;
    windows.stages.forEach((stage, i) => {
      const { h, w, c } = shapes[i]!;
      const input = i === 0 ? windows.input : windows.stages[i - 1]!.data;
      const now = i === 0 ? frame : computed[i]!;
      if (i > 0) now.set(input);
      const changed = new Uint8Array(h * w);
      const threshold = i === 0 ? pixels : features;
      for (let p = 0; p < h * w; p++) {
        for (let k = p * c; k < (p + 1) * c && !changed[p]; k++) {
          if (fresh || Math.abs(now[k]! - kept[i]![k]!) > threshold) changed[p] = 1;
        }
        if (changed[p]) kept[i]!.set(now.subarray(p * c, (p + 1) * c), p * c);
      }
      if (i === 0) dirty = changed.reduce((sum, one) => sum + one, 0) / changed.length;
      // The layer computes on what it keeps; what was computed before it must not be lost.
      input.set(kept[i]!);
      macs += windows.computeSet(i, under(changed, w, stage));
      if (i > 0) input.set(now);
    });
    fresh = false;
    return { output: windows.stages.at(-1)!.data, macs, dirty };
  };
}

/** Outputs under whose kernel a changed input lies. */
function under(changed: Uint8Array, w: number, stage: Stage): Uint8Array {
  const { kernel, stride, padding } = stage;
  const set = new Uint8Array(stage.h * stage.w);
  changed.forEach((one, i) => {
    if (!one) return;
    const [y, x] = [Math.floor(i / w), i % w];
    const first = (at: number) => Math.max(0, Math.ceil((at + padding - kernel + 1) / stride));
    const last = (at: number, outputs: number) => Math.min(outputs - 1, Math.floor((at + padding) / stride));
    for (let oy = first(y); oy <= last(y, stage.h); oy++) {
      for (let ox = first(x); ox <= last(x, stage.w); ox++) set[oy * stage.w + ox] = 1;
    }
  });
  return set;
}
