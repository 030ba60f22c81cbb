// The fuzz targets: which sources of the firmware each is built over, how long its inputs are, and how often CI runs it.
import { readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compileProgram } from "../../../host/build/compile-c.ts";
import { wasm3Defines, wasm3Flags } from "../../../host/build/firmware.ts";
import { FirmwareError, findProgram, findWasm3 } from "../../../host/build/toolchain.ts";
import { COUNTER, compileModule } from "../../boards/support/modules.ts";

export const ROOT = join(import.meta.dirname, "../../..");
/** Everything that fuzzing builds or finds; not in git. */
export const OUT = join(ROOT, "dist/tests/fuzz");

interface TargetOptions {
  about: string;
  /** Sources besides the target's own, relative to the project. */
  parts: string[];
  /** With wasm3 and a module that runs. */
  engine?: boolean;
  /** Longest input, bytes. */
  longest: number;
  /** Executions in CI. */
  runs: number;
  /** Edges that those reach at the least: less, and the target has lost its way into the code. */
  edges: number;
}

const runtime = (...names: string[]) => names.map((name) => `boards/runtime/${name}`);

/** All of boards/runtime, as firmware has it, and a board for it. */
const wholeRuntime = () => [
  ...["boards/runtime", "boards/runtime/intrinsics"].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith(".c"))
      .sort()
      .map((name) => `${folder}/${name}`),
  ),
  "tests/fuzz/targets/board.c",
];

export const TARGETS = {
  link: {
    about: "bytes, frames, time and back-pressure at the device's end of the link",
    parts: runtime("link.c", "cobs.c", "crc32c.c", "cbor.c"),
    longest: 4096,
    runs: 40_000,
    edges: 230,
  },
  requests: {
    about: "CBOR requests, carried out on a module that runs",
    parts: wholeRuntime(),
    engine: true,
    longest: 2048,
    runs: 4_000,
    edges: 1000,
  },
  module: {
    about: "modules: scan, parser, linker and compiler in a bounded pool",
    parts: wholeRuntime(),
    engine: true,
    longest: 16_384,
    runs: 4_000,
    edges: 900,
  },
  imports: {
    about: "host functions and intrinsics with arbitrary arguments on arbitrary memory",
    parts: wholeRuntime(),
    engine: true,
    longest: 8192,
    runs: 40_000,
    edges: 540,
  },
  samples: {
    about: "sample files",
    parts: runtime("samples.c"),
    longest: 4096,
    runs: 40_000,
    edges: 35,
  },
  "boot-block": {
    about: "the boot block of mps2-an386, and the sample file that it points to",
    parts: ["boards/mps2-an386/boot_block.c", ...runtime("samples.c")],
    longest: 4096,
    runs: 40_000,
    edges: 45,
  },
} satisfies Record<string, TargetOptions>;

export type TargetName = keyof typeof TARGETS;
export const TARGET_NAMES = Object.keys(TARGETS) as TargetName[];

/** Inputs that are kept: found by coverage, or named for what they once broke. */
export const corpusOf = (target: TargetName) => join(import.meta.dirname, "../corpus", target);

const SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
// The engine keeps many values on its stack at once; 256 is what the posix board gives it.
const STACK_HEIGHT = 256;

/**
 * Builds a target, if need be, and returns its path.
 * @throws FirmwareError without clang, or with its words
 */
export async function buildTarget(name: TargetName): Promise<string> {
  const { parts, engine }: TargetOptions = TARGETS[name];
  return build(name, parts, engine ?? false);
}

/** The target that has a fault on purpose. */
export const buildTripwire = () => build("tripwire", [], false);

async function build(name: string, parts: string[], engine: boolean): Promise<string> {
  const compiler = findProgram("clang");
  if (compiler === undefined)
    throw new FirmwareError(
      "fuzzing needs clang and its libFuzzer: npm run setup, or apt-get install clang libclang-rt-dev",
    );
  const wasm3 = findWasm3(ROOT);
  const module = engine ? await writeModule() : "";
  const coverage = ["-g", "-O1", "-fsanitize=fuzzer-no-link"];
  const defines = [...wasm3Defines(STACK_HEIGHT), '-DOM_VERSION="fuzz"', `-DFUZZ_MODULE="${module}"`];
  const own = [
    ...["-std=c11", "-Wall", "-Wextra", "-Werror", "-fwrapv", ...coverage, ...SANITIZE, ...defines],
    ...["boards/runtime", "boards/mps2-an386", "tests/fuzz/targets"].map(
      (folder) => `-I${join(ROOT, folder)}`,
    ),
    ...["-isystem", wasm3.folder],
  ];
  // wasm3 is not ours to mend where it leans on behaviour that compilers define; what it does to memory counts
  const theirs = ["-g", "-O2", "-fsanitize=fuzzer-no-link,address", ...wasm3Defines(STACK_HEIGHT)];
  const output = join(OUT, name, "target");
  await mkdir(join(OUT, name), { recursive: true });
  await compileProgram({
    compiler,
    jobs: [
      ...[`tests/fuzz/targets/${name}.c`, ...parts].map((path) => ({ source: join(ROOT, path), flags: own })),
      ...(engine
        ? wasm3.sources.map((source) => ({ source, flags: [...theirs, ...wasm3Flags(source)] }))
        : []),
    ],
    linkFlags: ["-fsanitize=fuzzer,address,undefined"],
    // targets that share flags share objects
    objects: join(OUT, engine ? "objects-engine" : "objects"),
    output,
    root: ROOT,
  });
  return output;
}

/** The module that runs: counts samples, and does on request what modules should not. */
async function writeModule(): Promise<string> {
  const path = join(OUT, "counter.wasm");
  await mkdir(OUT, { recursive: true });
  await writeFile(path, await compileModule(COUNTER));
  return path;
}
