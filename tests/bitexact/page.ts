// The browser's side of the digest test: bundled, put into a page, called from outside.
import { ModuleHost, type Sample } from "../../host/module/module-host.ts";

export interface Run {
  wasm: number[];
  intrinsics: number[];
  seed: number;
  steps: number;
  samples: { data: number[]; label: number; heldOut: boolean }[];
  shape: [number, number, number];
}

/** Trains and returns the learned state. */
async function train(run: Run): Promise<number[]> {
  const [h, w, c] = run.shape;
  let next = 0;
  const sensor = (): Sample => {
    const { data, label, heldOut } = run.samples[next++ % run.samples.length] as Run["samples"][number];
    return { data: Int8Array.from(data), h, w, c, label, heldOut };
  };
  const host = await ModuleHost.load(new Uint8Array(run.wasm), {
    seed: run.seed,
    intrinsics: new Uint8Array(run.intrinsics),
    sensor,
  });
  host.start();
  for (let step = 0; step < run.steps; step++) host.step();
  return [...host.state()];
}

Object.assign(globalThis, { train });
