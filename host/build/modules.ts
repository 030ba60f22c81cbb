// Compiles apps (assembly/apps/*.ts, or a user's file) to modules, portable and device, and intrinsics.wasm.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "assemblyscript/asc";

/** The package's own folder. */
export const ROOT = resolve(fileURLToPath(import.meta.url), "../../..");

export type Target = "portable" | "device";

export interface BuiltModule {
  /** App name: its file without the ending. */
  app: string;
  target: Target;
  path: string;
  bytes: number;
}

export interface BuildModulesOptions {
  /** Source files; default: every assembly/apps/*.ts of the package. */
  apps?: string[];
  targets?: Target[];
  /** Folder that gets portable/ and device/; default: build/ of the package. */
  out?: string;
  /** Further asc options, such as `--initialMemory`. */
  options?: string[];
  onProgress?(message: string): void;
}

/** Pages of 64 KiB that a module can have. */
const MOST_PAGES = 65536;

/** The compiler refused a source file; the message is the compiler's own. */
export class CompileError extends Error {
  override name = "CompileError";
}

/**
 * Exports of every module, compiled beside the app. It reaches them by the package's name, as the app does: asc tells
 * files apart by the path they were imported by, and a module must not get two arenas.
 */
const MODULE_ENTRY = "octomote-module.ts";
const MODULE_SOURCE = 'export * from "octomote/assembly/device/module";\n';

/**
 * Reads a source file for asc. Wherever asc looks for the package (node_modules of any folder above), it finds this
 * one: an app compiles in Octomote's own tree, beside an installed copy and in a folder that has none.
 */
async function readSource(name: string, folder: string): Promise<string | null> {
  const path = resolve(folder, name);
  if (basename(path) === MODULE_ENTRY) return MODULE_SOURCE;
  const own = /[\\/]node_modules[\\/]octomote[\\/](assembly[\\/].*)$/.exec(path)?.[1];
  return readFile(own === undefined ? path : join(ROOT, own), "utf8").catch(() => null);
}

/** The name under which asc hands over a module's text, which stays in memory. */
const TEXT = "module-text.wat";

/** Where a module's text has floating point, which the firmware's wasm3 is built without; undefined: nowhere. */
function findFloat(whole: string): string | undefined {
  // bytes of data are escaped: \f3 and a 2 behind it are no type
  const text = whole.replace(/^ \(data .*$/gm, "");
  const float = /\bf(32|64)\b/;
  if (!float.test(text)) return undefined;
  const inside = text
    .split(/^ \(func \$/m)
    .slice(1)
    .find((it) => float.test(it));
  return inside?.match(/^\S+/)?.[0] ?? "a global variable";
}

/**
 * Compiles one module. @throws CompileError with asc's diagnostics, or when floating point is left in a module that a device
 * could get
 */
async function asc(entries: string[], out: string, options: string[], hostOnly = false): Promise<number> {
  await mkdir(dirname(out), { recursive: true });
  const messages: string[] = [];
  const sink = { write: (chunk: string | Uint8Array) => void messages.push(String(chunk)) };
  let text = "";
  const keep = async (name: string, contents: string | Uint8Array, folder: string): Promise<void> => {
    if (basename(name) === TEXT) text = String(contents);
    else {
      // whole or not at all: another process may compile the same module, or read it, at this moment
      const path = resolve(folder, name);
      const own = `${path}.${process.pid}`;
      await writeFile(own, contents);
      await rename(own, path);
    }
  };
  // asc names files relative to the folder that it is called from
  const local = (path: string) => relative(process.cwd(), path);
  const args = [...entries.map(local), "--outFile", local(out), "--textFile", TEXT, ...options];
  const { error } = await main(args, {
    stdout: sink as never,
    stderr: sink as never,
    readFile: readSource,
    writeFile: keep,
  });
  const names = entries.map(local).join(", ");
  if (error)
    throw new CompileError(`${names} does not compile:\n${messages.join("").trim() || error.message}`);
  const float = hostOnly ? undefined : findFloat(text);
  if (float) {
    await rm(out, { force: true });
    throw new CompileError(
      `${names}: a module is integer only, but there is floating point in ${float}; write decimals as constants in param() or fixed()`,
    );
  }
  return (await stat(out)).size;
}

/** asc options of a target, from asconfig.json, which plain asc reads too. */
async function optionsOf(target: Target): Promise<string[]> {
  const config = JSON.parse(await readFile(join(ROOT, "asconfig.json"), "utf8"));
  const merged: Record<string, unknown> = { ...config.options, ...config.targets[target] };
  const args: string[] = [];
  for (const [name, value] of Object.entries(merged)) {
    if (value === false) continue;
    args.push(`--${name}`);
    if (value !== true) args.push(...(Array.isArray(value) ? [value.join(",")] : [String(value)]));
  }
  return [...args, "--transform", join(ROOT, "assembly/device/link-arena.mjs")];
}

/** An app that needs more than one page of 64 KiB says so in a line of its own: `// @memory 128 KiB`. @throws CompileError */
function memoryOf(source: string, text: string): string[] {
  const found = /^\/\/ @memory\b[ \t]*(.*)$/m.exec(text);
  if (found === null) return [];
  const [, kib] = /^(\d{1,6}) KiB\s*$/.exec(found[1] as string) ?? [];
  const pages = Number(kib) / 64;
  if (!(Number.isInteger(pages) && pages >= 1 && pages <= MOST_PAGES)) {
    throw new CompileError(
      `${source}: "${found[0].trim()}" is no amount of memory; write a multiple of 64 up to ${64 * MOST_PAGES}: // @memory 128 KiB`,
    );
  }
  return ["--initialMemory", String(pages), "--maximumMemory", String(pages)];
}

/**
 * Builds every app for every target into `<out>/<target>/<app>.wasm`; what is newer than its sources is kept.
 * @throws CompileError
 */
export async function buildModules(options: BuildModulesOptions = {}): Promise<BuiltModule[]> {
  const apps = options.apps?.map((path) => resolve(path)) ?? (await ownApps());
  const out = options.out ?? join(ROOT, "build");
  const key = await sourceKey(apps, options.options ?? []);
  const built: BuiltModule[] = [];
  for (const target of options.targets ?? (["portable", "device"] as const)) {
    for (const source of apps) {
      const app = basename(source, ".ts");
      const path = join(out, target, `${app}.wasm`);
      const bytes = await cached(path, key, async () => {
        options.onProgress?.(`compiling ${app} (${target})`);
        const asked = [...memoryOf(source, await readFile(source, "utf8")), ...(options.options ?? [])];
        return asc([resolve(MODULE_ENTRY), source], path, [...(await optionsOf(target)), ...asked]);
      });
      built.push({ app, target, path, bytes });
    }
  }
  return built;
}

/** Builds the AssemblyScript twins for hosts that are not firmware; returns the path of `intrinsics.wasm`. */
export async function buildIntrinsics(onProgress?: (message: string) => void): Promise<string> {
  const path = join(ROOT, "dist/intrinsics.wasm");
  // the memory is as large as that of the module that they work for
  const memory = ["--importMemory", "--maximumMemory", "65536"];
  const options = [...memory, "--runtime", "stub", "-O3", "--converge", "--noAssert"];
  await cached(path, await sourceKey([], options), async () => {
    onProgress?.("compiling intrinsics");
    return asc([join(ROOT, "assembly/twins.ts")], path, options);
  });
  return path;
}

/** Builds SGQ's codec for Node and browsers; returns the path of `sgq.wasm`. */
export async function buildSgq(onProgress?: (message: string) => void): Promise<string> {
  const path = join(ROOT, "dist/sgq.wasm");
  await cached(path, await sourceKey([], []), async () => {
    onProgress?.("compiling sgq");
    // a host has memory to give: more than asconfig.json, which asc reads too, lets an app have
    const memory = ["--maximumMemory", "16384"];
    const options = ["--runtime", "stub", "-O3", "--converge", "--noAssert", ...memory];
    return asc([join(ROOT, "assembly/sgq/host.ts")], path, options);
  });
  return path;
}

/** Builds the f32 kernels of the cloud half (assembly/cloud), which only Node runs; returns the path of `cloud.wasm`. */
export async function buildCloudKernels(onProgress?: (message: string) => void): Promise<string> {
  const path = join(ROOT, "dist/cloud.wasm");
  await cached(path, await sourceKey([], []), async () => {
    onProgress?.("compiling the kernels of the cloud half");
    // the memory is as large as a network needs
    const memory = ["--importMemory", "--maximumMemory", "65536"];
    const options = [...memory, "--runtime", "stub", "--enable", "simd", "-O3", "--converge", "--noAssert"];
    return asc([join(ROOT, "assembly/cloud/kernels.ts")], path, options, true);
  });
  return path;
}

async function ownApps(): Promise<string[]> {
  const folder = join(ROOT, "assembly/apps");
  const names = await readdir(folder);
  return names.filter((name) => name.endsWith(".ts")).map((name) => join(folder, name));
}

/** Digest of all sources that a module is made of. */
async function sourceKey(apps: string[], options: string[]): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(options));
  const entries = await readdir(join(ROOT, "assembly"), { recursive: true });
  const own = entries.filter((name) => /\.(ts|mjs)$/.test(name) && !name.includes("__tests__")).sort();
  const files = [...own.map((name) => join(ROOT, "assembly", name)), join(ROOT, "asconfig.json"), ...apps];
  // an app may consist of several files: all TypeScript beside it counts
  for (const app of apps) {
    for (const name of (await readdir(dirname(app))).sort()) {
      if (name.endsWith(".ts")) files.push(join(dirname(app), name));
    }
  }
  for (const file of files) hash.update(`${relative(ROOT, file)}\0`).update(await readFile(file));
  return hash.digest("hex");
}

/** Runs `make` unless `path` was made from the same sources; the key is kept outside the output folder. */
async function cached(path: string, key: string, make: () => Promise<number>): Promise<number> {
  const note = join(ROOT, "dist/keys", createHash("sha256").update(path).digest("hex").slice(0, 16));
  const known = await readFile(note, "utf8").catch(() => "");
  if (known === key) {
    const found = await stat(path).catch(() => undefined);
    if (found) return found.size;
  }
  await rm(note, { force: true });
  const bytes = await make();
  await mkdir(dirname(note), { recursive: true });
  await writeFile(note, key);
  return bytes;
}
