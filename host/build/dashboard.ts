// Builds the page (host/dashboard) into dist/dashboard with Vite, when anything that goes into it has changed.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const SOURCE = join(ROOT, "host/dashboard");

/** Most bytes that a visitor may have to fetch, compressed. */
export const PAGE_BUDGET = 250_000;

/** The page could not be built; the cause is Vite's. */
export class DashboardBuildError extends Error {
  override readonly name = "DashboardBuildError";
}

export interface DashboardBuildOptions {
  /** Where the page goes: dist/dashboard of the package. */
  output?: string;
  /** Builds even if nothing has changed. */
  force?: boolean;
  /** Takes one line: what was built and how big it is. */
  log?(line: string): void;
}

export interface PageSize {
  files: { name: string; bytes: number; gzip: number }[];
  bytes: number;
  /** Bytes of all files, each compressed by gzip at its default level. */
  gzip: number;
}

/**
 * Builds the page unless it is up to date, and returns its directory.
 * @throws DashboardBuildError when it does not build, or exceeds PAGE_BUDGET
 */
export async function buildDashboard(options: DashboardBuildOptions = {}): Promise<string> {
  const output = options.output ?? join(ROOT, "dist/dashboard");
  // Beside the page, not in it: digest of what the page was built from.
  const stamp = `${output}.sha256`;
  const digest = digestOfInputs();
  const built = existsSync(join(output, "index.html")) && existsSync(stamp);
  if (!options.force && built && readFileSync(stamp, "utf8") === digest) return output;
  // A page that is being served, or built by another process too, is replaced in one move.
  const fresh = `${output}.${process.pid}`;
  try {
    await compile(fresh);
    const { bytes, gzip } = pageSize(fresh);
    const line = `dashboard: ${kilobytes(bytes)} in all, ${kilobytes(gzip)} compressed`;
    options.log?.(`${line} (budget ${kilobytes(PAGE_BUDGET)})`);
    if (gzip > PAGE_BUDGET) {
      throw new DashboardBuildError(
        `The page takes ${gzip} bytes compressed, ${gzip - PAGE_BUDGET} over its budget`,
      );
    }
    rmSync(stamp, { force: true });
    replace(output, fresh);
    writeFileSync(stamp, digest);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return output;
}

/** Runs Vite. @throws DashboardBuildError */
async function compile(outDir: string): Promise<void> {
  try {
    const { build } = await import("vite");
    await build({
      configFile: false,
      root: SOURCE,
      // Relative addresses: the page works below any path.
      base: "./",
      logLevel: "error",
      build: {
        outDir,
        emptyOutDir: true,
        // light-dark() and what else the style sheets use is in all browsers since May 2024.
        target: ["chrome123", "edge123", "firefox120", "safari17.5"],
        modulePreload: { polyfill: false },
        // The page's Content-Security-Policy takes no inline data.
        assetsInlineLimit: 0,
        reportCompressedSize: false,
        chunkSizeWarningLimit: 1000,
      },
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new DashboardBuildError(`The dashboard does not build: ${why}`, { cause });
  }
}

/** Moves a directory to where another one may be; a second process doing the same is no error. */
function replace(target: string, source: string): void {
  for (let attempt = 1; ; attempt++) {
    rmSync(target, { recursive: true, force: true });
    try {
      renameSync(source, target);
      return;
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}

/** Sizes of a built page's files. */
export function pageSize(directory: string): PageSize {
  const files = filesBelow(directory).map((path) => {
    const content = readFileSync(path);
    return { name: relative(directory, path), bytes: content.length, gzip: gzipSync(content).length };
  });
  const total = (part: "bytes" | "gzip") => files.reduce((sum, file) => sum + file[part], 0);
  return { files, bytes: total("bytes"), gzip: total("gzip") };
}

/** Digest of all that goes into the page: its sources, those of the protocol, this file, and the packages' versions. */
function digestOfInputs(): string {
  const hash = createHash("sha256");
  const sources = [
    ...filesBelow(SOURCE),
    ...filesBelow(join(ROOT, "host/protocol")),
    fileURLToPath(import.meta.url),
  ];
  for (const path of sources.sort()) {
    const content = readFileSync(path);
    hash.update(`${relative(ROOT, path)} ${content.length}\n`).update(content);
  }
  for (const name of ["mqtt", "uplot", "vite"]) hash.update(`${name} ${packageVersion(name)}\n`);
  return hash.digest("hex");
}

function packageVersion(name: string): string {
  // A package may keep its package.json from being imported, so the file is looked up where Node would look.
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const path = join(folder, name, "package.json");
    if (existsSync(path)) return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
  }
  throw new DashboardBuildError(`The package ${name} is not installed; run npm install`);
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile());
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
