/** Guest instructions per frame on an emulated Cortex-M4: a module with the net in it, fed with the clip's own frames. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildModules, ROOT } from "../../host/build/modules.ts";
import type { Clip } from "../../host/data/clip.ts";
import { encodeFrames } from "../../host/data/sample-file.ts";
import { type Net, netSource } from "../../host/pass/net.ts";
import type { PassOptions } from "../../host/pass/runner.ts";
import { type BenchRun, runBench } from "../count/run.ts";

export interface GuestFrames {
  /** Guest instructions of each frame, in order. */
  instructions: number[];
  /** Bytes of linear memory that the module really uses, weights included. */
  linear: number;
  /** Bytes of the module. */
  module: number;
}

/** Options whose values are decimals in the module's source. */
const DECIMALS: readonly (keyof PassOptions)[] = [
  "tau",
  "quality",
  "denseShare",
  "sumGain",
  "sumOffset",
  "blockGain",
  "blockOffset",
];

/** An app that sees one frame in each region; the first region is empty and tells what a call costs. */
function source(options: PassOptions, frames: number): string {
  const fields = Object.entries(options).map(([name, value]) => {
    if (name === "policy") return `policy: policy.${String(value).toUpperCase()}`;
    if (DECIMALS.includes(name as keyof PassOptions)) return `${name}: fixed(${value})`;
    return `${name}: ${Number(value)}`;
  });
  const decimals = fields.some((field) => field.includes("fixed(")) ? "fixed, " : "";
  return `import { ${decimals}Network, Pass, PassOptions, policy, sensor } from "octomote/assembly";
import { NET } from "./net";

const options: PassOptions = { ${fields.join(", ")} };
const net = new Network(NET);
sensor.open([net.input.h, net.input.w, net.input.c]);
const pass = new Pass(net, options);

export function step(): void {
  pass.infer(sensor.frame());
}

export function benchCount(): i32 {
  return ${frames + 1};
}

export function bench(region: i32): void {
  if (region) step();
}
`;
}

/** Counts every frame of a clip. */
export async function countFrames(
  name: string,
  net: Net,
  clip: Clip,
  options: PassOptions,
): Promise<GuestFrames> {
  const folder = join(ROOT, "dist/bench/pass", name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "net.ts"), netSource(net));
  const app = join(folder, "frames.ts");
  await writeFile(app, source(options, clip.count));
  const [built] = await buildModules({
    apps: [app],
    targets: ["device"],
    out: join(folder, "build"),
    options: ["--initialMemory", "32", "--maximumMemory", "32"],
  });
  const run: BenchRun = await runBench(built!.path, { samples: encodeFrames(clip), timeout: 1800 });
  const [call, ...frames] = run.regions;
  return {
    instructions: frames.map(({ instructions }) => instructions - call!.instructions),
    linear: run.memory.linear,
    module: built!.bytes,
  };
}
