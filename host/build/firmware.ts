// Builds firmware: the runtime, a board's own files and wasm3, with nothing but a C compiler. What a board needs is told
// by its board.json; the result lies in dist/boards/<board>/.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type CompileJob, compileProgram } from "./compile-c.ts";
import { FirmwareError, findCompiler, findProgram, findWasm3, runTool, sanitizerFlags } from "./toolchain.ts";

export { FirmwareError, findCompiler, findProgram };

/** The package's own folder. */
const ROOT = resolve(fileURLToPath(import.meta.url), "../../..");

export type Board = "posix" | "mps2-an386";
export const BOARDS: readonly Board[] = ["posix", "mps2-an386"];

export interface BuildFirmwareOptions {
  /**
   * With address and undefined-behaviour sanitizers in our own code, for tests (boards of the host's compiler). Without a
   * word OCTOMOTE_SANITIZE=1 decides, so that programs which tests start build it too (docs/testing.md).
   */
  sanitize?: boolean;
  /** The variant that counts: instead of the link it runs the module's `bench` exports between markers. */
  bench?: boolean;
  /** The variant that paints its stack and tells, for a script of requests, how deep each entry point goes. */
  stack?: boolean;
  /** Another main.c in place of the board's, for tests; its name tells the variants apart. */
  main?: string;
  /** Largest number of values on a function's stack in wasm3; more costs RAM. */
  functionStackHeight?: number;
  onProgress?(message: string): void;
}

/** Sizes of a cross build, in bytes. */
export interface FirmwareBytes {
  text: number;
  data: number;
  /** Zeroed static data, without the pool and the C stack. */
  bss: number;
  stack: number;
  pool: number;
  /** text + data. */
  flash: number;
  /** Everything that is not left to a module: data + bss + stack. */
  ram: number;
}

export interface BuiltFirmware {
  board: Board;
  path: string;
  /** Absent for a process of this machine. */
  bytes?: FirmwareBytes;
}

type Dispatch = "thumb2";

/** What boards/<board>/board.json tells the build. */
interface BoardFile {
  name: Board;
  /** `host`, or the prefix of a cross toolchain such as `arm-none-eabi`. */
  toolchain: string;
  program: string;
  /** For this board's CPU, at every step. */
  flags?: string[];
  /** Optimisation of our own code, in its place that of what runs seldom or all the time (RUNS), and of wasm3. */
  optimise: { own: string[]; seldom?: string[]; often?: string[]; wasm3: string[] };
  /** How wasm3's operations hand on to each other (boards/runtime/dispatch), instead of wasm3's own way. */
  dispatch?: Dispatch;
  linkFlags?: string[];
  linkerScript?: string;
  defines?: Record<string, string>;
  functionStackHeight: number;
  /** The program that runs an emulated board. */
  emulator?: { program: string; args: string[] };
  /** Debian packages that bring toolchain and emulator. */
  packages: string[];
}

const WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Werror"];

// wasm3 gets its memory from our pool, and nothing else of it is changed. Floats are left out: no module has any, and
// they are a third of the engine.
const WASM3_FLAGS = [
  "-std=gnu11",
  "-w",
  ...["malloc", "calloc", "realloc", "free"].map(
    (name) => `-D${name}=pool${name[0]?.toUpperCase()}${name.slice(1)}`,
  ),
];

/**
 * Files that a board may want smaller, or faster, than the others: what works once for a module or a request and never for a byte or
 * an element; and loops over bits that gain more from it than they grow.
 */
const RUNS = {
  seldom: ["abi.c", "cbor.c", "loop.c", "pool.c", "requests.c", "samples.c", "wasm_scan.c"],
  often: ["sgq_encode.c"],
};

/**
 * Flags of one of wasm3's own files, besides its configuration. Its m3_FreeModule, which runs when a module cannot be
 * parsed, follows pointers that were never allocated, and its compiler calls itself without a bound: engine_wasm3.c has
 * something in their place.
 */
export const wasm3Flags = (source: string) => [...WASM3_FLAGS, ...(REPLACED[basename(source)] ?? [])];

const REPLACED: Record<string, string[]> = {
  "m3_module.c": ["-Dm3_FreeModule=m3_FreeModuleOfWasm3"],
  "m3_compile.c": ["-DRead_opcode=octomoteReadOpcode"],
};

/** Our configuration of wasm3: the same for its own files and for those that include its headers. */
export const wasm3Defines = (height: number) => [
  "-Dd_m3HasFloat=0",
  "-Dd_m3CascadedOpcodes=0",
  "-Dd_m3VerboseErrorMessages=0",
  `-Dd_m3MaxFunctionStackHeight=${height}`,
  "-Dd_m3CodePageAlignSize=2048",
  "-Dd_m3MaxConstantTableSize=64",
  "-Dd_m3MaxDuplicateFunctionImpl=2",
  // of later versions: parts that no module of ours may use. Without typed references there are neither stack
  // switching nor snapshots, without atomics no threads.
  "-Dd_m3GuardedMemory=0",
  "-Dd_m3HasRefTypes=0",
  "-Dd_m3HasMultiMemory=0",
  "-Dd_m3HasMemory64=0",
  "-Dd_m3HasCompactImports=0",
  "-Dd_m3HasWideArithmetic=0",
  "-Dd_m3HasExceptionHandling=0",
  "-Dd_m3HasTypedRefs=0",
  "-Dd_m3HasAtomics=0",
  "-Dd_m3HasGasMetering=0",
  // of later versions: what asks the operating system (files, time, stack), and a bound for the C stack that takes it
  // for 8 MB, where a board has a few KB. Ours is engineSetStackBound's.
  "-Dd_m3HasPosixHost=0",
  "-Dd_m3MaxNativeStack=0",
];

/** Files and flags of a dispatch: of wasm3's own files, and of the one of them that has the operations. */
function dispatchOf(name: Dispatch) {
  const folder = join(ROOT, "boards/runtime/dispatch");
  const header = ["-include", join(folder, `${name}.h`)];
  const registers = [4, 5, 6, 8].map((register) => `-fcall-used-r${register}`);
  const ofFile: Record<string, string[]> = {
    "m3_compile.c": [...registers, "-DOM_DISPATCH_INSIDE"],
    [`${name}_ops.c`]: registers,
    // it asks for wasm3.h in another way than others, and the dispatch has included it by then
    "m3_core.c": ["-DM3_IMPLEMENT_ERROR_STRINGS="],
  };
  return {
    sources: [`${name}.c`, `${name}_ops.c`].map((file) => join(folder, file)),
    flags: (source: string) => [...(ofFile[basename(source)] ?? []), ...header],
  };
}

/** What a board sets in place of `own` for a file of ours. */
function optimisation({ optimise: { seldom, often } }: BoardFile, name: string): string[] | undefined {
  if (RUNS.seldom.includes(name)) return seldom;
  if (RUNS.often.includes(name)) return often;
  return undefined;
}

function readBoard(board: string): BoardFile {
  return JSON.parse(readFileSync(join(ROOT, "boards", board, "board.json"), "utf8"));
}

function compilerOf(file: BoardFile): string | undefined {
  return file.toolchain === "host" ? findCompiler() : findProgram(`${file.toolchain}-gcc`);
}

/** What is missing to build and run a board, undefined if nothing is. */
function missing(file: BoardFile): string | undefined {
  const program = file.emulator?.program;
  const absent: string[] = [];
  if (compilerOf(file) === undefined) {
    absent.push(file.toolchain === "host" ? "a C compiler" : `${file.toolchain}-gcc`);
  }
  if (program !== undefined && findProgram(program) === undefined) absent.push(program);
  if (absent.length === 0) return undefined;
  return `${absent.join(" and ")} not found: apt-get install ${file.packages.join(" ")}`;
}

/** Every board, and whether this machine can build and run it; `why` says what is missing and how to get it. */
export async function availableBoards(): Promise<{ board: Board; available: boolean; why?: string }[]> {
  return BOARDS.map((board) => {
    const why = missing(readBoard(board));
    return why === undefined ? { board, available: true } : { board, available: false, why };
  });
}

function version(): string {
  return JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version;
}

function sourcesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".c"))
    .sort()
    .map((name) => join(folder, name));
}

/** The board's own files, with one of its main files (a variant has one of its own in place of main.c), or with `main`. */
function boardSources(board: Board, variant: "bench" | "stack" | "", main?: string): string[] {
  const own = variant === "" ? "main.c" : `main_${variant}.c`;
  const sources = sourcesIn(join(ROOT, "boards", board));
  const rest = sources.filter((path) => !/^main(_\w+)?\.c$/.test(basename(path)));
  if (main !== undefined) return [...rest, main];
  const found = sources.find((path) => basename(path) === own);
  if (found === undefined) {
    throw new FirmwareError(`${board} has no ${variant} variant: only boards with ${own} do`);
  }
  return [...rest, found];
}

/**
 * Builds what is out of date.
 * @throws FirmwareError that says what is missing, or carries the compiler's words
 */
export async function buildFirmware(
  board: Board,
  options: BuildFirmwareOptions = {},
): Promise<BuiltFirmware> {
  const file = readBoard(board);
  const compiler = compilerOf(file);
  if (compiler === undefined) throw new FirmwareError(`${board} cannot be built: ${missing(file)}`);
  const wasm3 = findWasm3(ROOT);
  const measuring = options.bench ? "bench" : options.stack ? "stack" : "";
  const sanitize =
    options.sanitize ??
    (process.env.OCTOMOTE_SANITIZE === "1" && file.toolchain === "host" && measuring === "");
  const variant = [board, sanitize && "sanitize", measuring, options.main && basename(options.main, ".c")]
    .filter(Boolean)
    .join("-");
  const out = join(ROOT, "dist/boards", variant);

  const runtime = join(ROOT, "boards/runtime");
  const cpu = file.flags ?? [];
  const defines = Object.entries(file.defines ?? {}).map(([name, value]) => `-D${name}=${value}`);
  const engine = wasm3Defines(options.functionStackHeight ?? file.functionStackHeight);
  const checked = sanitize ? await sanitizerFlags(compiler) : { compile: [], link: [] };
  const own = [
    ...WARNINGS,
    ...cpu,
    ...(sanitize ? checked.compile : file.optimise.own),
    // int32 wraps as it does in WebAssembly
    "-fwrapv",
    ...engine,
    ...defines,
    `-DOM_VERSION="${version()}"`,
    ...(measuring === "" ? [] : ["-DOM_BENCH"]),
    `-I${runtime}`,
    ...(options.main === undefined ? [] : [`-I${join(ROOT, "boards", board)}`]),
    "-isystem",
    wasm3.folder,
  ];
  const ours = [
    ...sourcesIn(runtime),
    ...sourcesIn(join(runtime, "intrinsics")),
    ...boardSources(board, measuring, options.main),
  ];
  // written for one version's operations; another's keep their own way
  const dispatch = file.dispatch && wasm3.version.startsWith("0.5.") ? dispatchOf(file.dispatch) : undefined;
  const jobs: CompileJob[] = [
    ...ours.map((source) => ({
      source,
      flags: sanitize ? own : [...own, ...(optimisation(file, basename(source)) ?? [])],
    })),
    ...(dispatch?.sources ?? []).map((source) => ({ source, flags: [...own, ...dispatch!.flags(source)] })),
    ...wasm3.sources.map((source) => ({
      source,
      flags: [
        ...cpu,
        ...file.optimise.wasm3,
        ...wasm3Flags(source),
        ...engine,
        ...defines,
        ...(dispatch?.flags(source) ?? []),
        "-I",
        wasm3.folder,
      ],
    })),
  ];
  const script = file.linkerScript ? join(ROOT, "boards", board, file.linkerScript) : undefined;
  const path = join(out, file.program);
  const changed = await compileProgram({
    compiler,
    jobs,
    linkFlags: [...cpu, ...checked.link, ...(file.linkFlags ?? []), ...(script ? ["-T", script] : [])],
    linkInputs: script ? [script] : [],
    objects: join(out, "objects"),
    output: path,
    root: ROOT,
    onCompile: (source) => options.onProgress?.(`compiling ${basename(source)}`),
  });
  if (changed) options.onProgress?.(`${basename(path)} is built`);
  if (file.toolchain === "host") return { board, path };
  return { board, path, bytes: await measure(file.toolchain, path) };
}

/** Sizes of an image, from its symbols. */
async function measure(prefix: string, path: string): Promise<FirmwareBytes> {
  const { code, stdout, stderr } = await runTool(`${prefix}-nm`, [path], ROOT);
  if (code !== 0) throw new FirmwareError(`${prefix}-nm cannot read ${path}: ${stderr.trim()}`);
  const symbols = new Map(
    stdout.split("\n").map((line) => {
      const [address, , name] = line.split(" ");
      return [name, Number.parseInt(address ?? "", 16)] as const;
    }),
  );
  const between = (start: string, end: string) => {
    const bytes = (symbols.get(end) ?? Number.NaN) - (symbols.get(start) ?? Number.NaN);
    if (Number.isNaN(bytes)) throw new FirmwareError(`${path} lacks the symbols ${start} and ${end}`);
    return bytes;
  };
  const text = between("__text_start", "__text_end");
  const data = between("__data_start", "__data_end");
  const bss = between("__bss_start", "__bss_end");
  const stack = between("__stack_start", "__stack_end");
  const pool = between("__pool_start", "__pool_end");
  return { text, data, bss, stack, pool, flash: text + data, ram: data + bss + stack };
}
