/** Everything that `npm run bench:kernels` tells, measured: guest instructions, bytes, RAM. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type BuiltModule, buildModules, ROOT, type Target } from "../../host/build/modules.ts";
import { findWasm3 } from "../../host/build/toolchain.ts";
import { CountError } from "../count/plugin.ts";
import { type BenchRun, type GuestMemory, runBench } from "../count/run.ts";
import { type FeatureBytes, find, measureFeatures } from "./features.ts";
import { BENCH_APPS, type BenchApp, type Part } from "./parts.ts";
import { bytesByPart, type ModuleBytes } from "./sections.ts";

export const TARGETS: readonly Target[] = ["portable", "device"];

export interface CountedPart extends Part {
  /** Guest instructions, less those of an empty region. */
  instructions: number;
  /** Estimated Cortex-M4 cycles, likewise. */
  cycles: number;
}

export interface CountedApp {
  app: string;
  title: string;
  targets: Partial<Record<Target, CountedModule>>;
}

export interface CountedModule {
  bytes: number;
  /** Everything that a device needs to run it, firmware included. */
  ram: number;
  parts: CountedPart[];
}

/** A module that the board refused, with the firmware's words. */
export interface Failure {
  app: string;
  target: Target;
  why: string;
}

export interface KernelsResult {
  tools: { gcc: string; qemu: string; engine: string };
  apps: CountedApp[];
  /** The trainer app (assembly/apps/trainer.ts). */
  trainer: { bytes: Record<Target, number>; code: Record<Target, ModuleBytes[]> };
  features: FeatureBytes[];
  /** RAM and flash of the trainer app on mps2-an386. */
  memory: Partial<Record<Target, GuestMemory>>;
  failures: Failure[];
}

export interface MeasureOptions {
  /** Which builds are counted; module bytes are told for both. */
  targets?: readonly Target[];
  /** Only these apps of bench/apps. */
  apps?: readonly string[];
  onProgress?(message: string): void;
}

export async function measureKernels(options: MeasureOptions = {}): Promise<KernelsResult> {
  const targets = options.targets ?? TARGETS;
  const say = options.onProgress ?? (() => {});
  const chosen = BENCH_APPS.filter(({ app }) => options.apps?.includes(app) ?? true);
  say("compiling modules");
  const built = await buildModules({
    apps: BENCH_APPS.map(({ app }) => join(ROOT, "bench/apps", `${app}.ts`)),
    out: join(ROOT, "dist/bench/modules"),
  });
  const trainer = await buildModules();
  const failures: Failure[] = [];
  const run = async (app: string, target: Target, module: BuiltModule): Promise<BenchRun | undefined> => {
    say(`counting ${app} (${target})`);
    return runBench(module.path).catch((error: unknown) => {
      if (!(error instanceof CountError)) throw error;
      failures.push({ app, target, why: error.message });
      return undefined;
    });
  };
  const apps: CountedApp[] = [];
  for (const bench of chosen) {
    const counted: CountedApp = { app: bench.app, title: bench.title, targets: {} };
    for (const target of targets) {
      const module = find(built, bench.app, target);
      const counts = await run(bench.app, target, module);
      if (counts) {
        counted.targets[target] = {
          bytes: module.bytes,
          ram: counts.memory.ram,
          parts: lessTheCall(bench, counts.regions),
        };
      }
    }
    apps.push(counted);
  }
  const memory: KernelsResult["memory"] = {};
  for (const target of targets) {
    const counts = await run("trainer", target, find(trainer, "trainer", target));
    if (counts) memory[target] = counts.memory;
  }
  return {
    tools: {
      gcc: await firstLine("arm-none-eabi-gcc"),
      qemu: await firstLine("qemu-system-arm"),
      engine: await engineVersion(),
    },
    apps,
    trainer: { bytes: bytesOf(trainer), code: await codeOf() },
    features: await measureFeatures(),
    memory,
    failures,
  };
}

/** The first region is empty: what it costs is the call, which is no part of the others. */
function lessTheCall(
  { app, parts }: BenchApp,
  regions: readonly { instructions: number; cycles: number }[],
): CountedPart[] {
  if (regions.length !== parts.length) {
    throw new Error(
      `bench/apps/${app}.ts has ${regions.length} regions, bench/kernels/parts.ts names ${parts.length}`,
    );
  }
  const call = regions[0]!;
  return parts.slice(1).map((part, i) => ({
    ...part,
    instructions: regions[i + 1]!.instructions - call.instructions,
    cycles: regions[i + 1]!.cycles - call.cycles,
  }));
}

function bytesOf(trainer: readonly BuiltModule[]): Record<Target, number> {
  return {
    portable: find(trainer, "trainer", "portable").bytes,
    device: find(trainer, "trainer", "device").bytes,
  };
}

async function codeOf(): Promise<Record<Target, ModuleBytes[]>> {
  const named = await buildModules({
    apps: [join(ROOT, "assembly/apps/trainer.ts")],
    out: join(ROOT, "dist/bench/named"),
    options: ["--debug"],
  });
  const of = async (target: Target): Promise<ModuleBytes[]> =>
    bytesByPart(new Uint8Array(await readFile(find(named, "trainer", target).path)));
  return { portable: await of("portable"), device: await of("device") };
}

/** The version of the engine that the firmware is built with. */
async function engineVersion(): Promise<string> {
  const header = await readFile(join(findWasm3(ROOT).folder, "wasm3.h"), "utf8");
  const version = /#define M3_VERSION\s+"([^"]+)"/.exec(header)?.[1];
  if (version === undefined) throw new Error("wasm3.h does not tell its version");
  return `wasm3-${version}`;
}

async function firstLine(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ["--version"]);
  return stdout.split("\n")[0]!.trim();
}
