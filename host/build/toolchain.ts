// Which C compilers and emulators this machine has, where wasm3's source lies, and running a tool to its end.
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";

/** A firmware cannot be built; the message says what failed and what to do. */
export class FirmwareError extends Error {
  override readonly name = "FirmwareError";
}

/** Where a program lies on PATH (or where `name` itself points to), undefined if it is not there. */
export function findProgram(name: string): string | undefined {
  const folders = name.includes("/") ? [""] : (process.env.PATH ?? "").split(delimiter);
  for (const folder of folders) {
    const path = folder === "" ? resolve(name) : join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not there: try the next folder
    }
  }
  return undefined;
}

/** The host's C compiler: $CC, cc, gcc or clang. */
export function findCompiler(): string | undefined {
  const asked = process.env.CC;
  if (asked) return findProgram(asked);
  return ["cc", "gcc", "clang"].map(findProgram).find((path) => path !== undefined);
}

export interface ToolResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a tool without a shell. @throws FirmwareError if it cannot be started */
export function runTool(program: string, args: string[], cwd: string): Promise<ToolResult> {
  return new Promise((done, fail) => {
    // compilers speak the user's language otherwise, and errors are shown as they come
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const text = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text.stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      text.stderr += chunk;
    });
    child.on("error", (error) => fail(new FirmwareError(`${program} cannot be started: ${error.message}`)));
    child.on("close", (code, signal) => done({ ...text, code: code ?? (signal === null ? 1 : 128) }));
  });
}

export interface SanitizerFlags {
  compile: string[];
  link: string[];
}

/** Flags of the address and undefined-behaviour sanitizers; the first report ends the program. */
export async function sanitizerFlags(compiler: string): Promise<SanitizerFlags> {
  const compile = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"];
  const { stdout } = await runTool(compiler, ["--version"], ".");
  // GCC's shared runtime of the second does not heed where its reports shall go; clang has none that is shared
  const own = stdout.includes("Free Software Foundation") ? ["-static-libubsan"] : [];
  return { compile, link: [...compile, ...own] };
}

export interface Wasm3 {
  folder: string;
  /** As its wasm3.h says, such as `0.5.0`; `unknown` if it does not. */
  version: string;
  /** Its source files, without the parts that reach for an operating system (WASI, libc, tracer). */
  sources: string[];
}

/**
 * wasm3's C source: $WASM3_DIR (the folder itself, or one that has `source/`), else the npm package `wasm3`.
 * @throws FirmwareError
 */
export function findWasm3(root: string): Wasm3 {
  const asked = process.env.WASM3_DIR;
  const folders = asked ? [asked, join(asked, "source")] : packageFolders(root);
  const folder = folders.find((path) => existsSync(join(path, "wasm3.h")));
  if (folder === undefined) {
    throw new FirmwareError(
      asked
        ? `WASM3_DIR is ${asked}, but neither it nor its folder source/ has wasm3.h: give a wasm3 source tree`
        : "wasm3's source is missing: run npm install, or set WASM3_DIR to a wasm3 source tree",
    );
  }
  const sources = readdirSync(folder)
    .filter((name) => /^m3_.*\.c$/.test(name) && !name.startsWith("m3_api_"))
    .sort();
  const header = readFileSync(join(folder, "wasm3.h"), "utf8");
  const version = /#define\s+M3_VERSION\s+"([^"]+)"/.exec(header)?.[1] ?? "unknown";
  return { folder: resolve(folder), version, sources: sources.map((name) => resolve(folder, name)) };
}

/** node_modules/wasm3 of the package and of every folder above it. */
function packageFolders(root: string): string[] {
  const folders: string[] = [];
  for (let folder = root; ; folder = dirname(folder)) {
    folders.push(join(folder, "node_modules/wasm3/cpp"));
    if (dirname(folder) === folder) return folders;
  }
}
