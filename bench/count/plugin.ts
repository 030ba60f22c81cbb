/** Builds the counting plugin (regions.c) and runs a guest under it. */
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

const SOURCES = fileURLToPath(new URL(".", import.meta.url));
const OUTPUT = fileURLToPath(new URL("../../dist/bench/", import.meta.url));

/** What could not be counted, and what to do about it. */
export class CountError extends Error {
  override name = "CountError";
}

/** One region of a guest, in the order in which its begin marker was executed. */
export interface Region {
  /** Executed between the markers; exact. */
  instructions: number;
  /** First-order estimate for a Cortex-M4 without wait states. */
  cycles: number;
  loads: number;
  stores: number;
  /** Branches taken, exceptions included. */
  taken: number;
  /** Most executed instructions, if asked for: address and how often. */
  hot?: [address: number, executions: number][];
}

export interface GuestOptions {
  /** QEMU's arguments: machine, kernel, devices, serial lines. Semihosting and plugin are added. */
  arguments: string[];
  /** List this many of the most executed instructions of each region. */
  hot?: number;
  /** Ends a guest that hangs, in seconds. */
  timeout?: number;
}

/** Compiles the plugin unless the same sources were compiled before; returns its path. */
export async function buildPlugin(): Promise<string> {
  const digest = createHash("sha256");
  for (const name of (await readdir(SOURCES)).filter((file) => /\.[ch]$/.test(file)).sort()) {
    digest.update(await readFile(join(SOURCES, name)));
  }
  const path = join(OUTPUT, `libregions-${digest.digest("hex").slice(0, 12)}.so`);
  if (existsSync(path)) return path;
  await mkdir(OUTPUT, { recursive: true });
  const glib = await tool("pkg-config", ["--cflags", "glib-2.0"], "pkg-config and libglib2.0-dev");
  // Under a name of its own first: another process may be building it too.
  const unfinished = `${path}.${process.pid}`;
  await tool(
    process.env.CC ?? "gcc",
    ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden"].concat(
      glib.trim().split(/\s+/),
      ["-o", unfinished, join(SOURCES, "regions.c")],
    ),
    "gcc",
  );
  await rename(unfinished, path);
  return path;
}

async function tool(program: string, args: string[], packages: string): Promise<string> {
  try {
    return (await run(program, args)).stdout;
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === "ENOENT") throw new CountError(`${program} is missing: install ${packages} (npm run setup)`);
    throw new CountError(`${program} failed: ${stderr || String(error)}`);
  }
}

/**
 * Runs a Cortex-M guest until it ends by itself (semihosting exit).
 * @returns its regions and what it wrote through semihosting.
 */
export async function countRegions(options: GuestOptions): Promise<{ regions: Region[]; console: string }> {
  const plugin = await buildPlugin();
  const folder = await mkdtemp(join(tmpdir(), "octomote-count-"));
  const counts = join(folder, "counts.jsonl");
  try {
    const text = await runGuest(
      [
        ...options.arguments,
        ...["-semihosting-config", "enable=on,target=native"],
        ...["-plugin", `${plugin},out=${counts},hot=${options.hot ?? 0}`],
      ],
      options.timeout,
    );
    return { regions: parseRegions(await readFile(counts, "utf8")), console: text };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs QEMU to the guest's own end; returns what it wrote through semihosting. `timeout` in seconds ends one that hangs. */
export function runGuest(args: string[], timeout = 300): Promise<string> {
  return new Promise((resolve, reject) => {
    const qemu = spawn("qemu-system-arm", args, { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    let hung = false;
    qemu.stdout.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
    });
    qemu.stderr.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
    });
    const watchdog = setTimeout(() => {
      hung = true;
      qemu.kill("SIGKILL");
    }, timeout * 1000);
    qemu.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(watchdog);
      const missing = error.code === "ENOENT";
      reject(
        new CountError(missing ? "qemu-system-arm is missing: npm run setup" : `QEMU: ${error.message}`),
      );
    });
    qemu.on("close", (code) => {
      clearTimeout(watchdog);
      if (hung)
        reject(
          new CountError(`the guest did not end within ${timeout} s; it said: ${text.trim() || "nothing"}`),
        );
      else if (code !== 0)
        reject(new CountError(`the guest failed (${code}): ${text.trim() || "it said nothing"}`));
      else resolve(text);
    });
  });
}

/** Reads what the plugin wrote (regions.c). */
export function parseRegions(text: string): Region[] {
  const regions: Region[] = [];
  for (const line of text.split("\n").filter((one) => one !== "")) {
    const record = JSON.parse(line) as Region | { hot: Region["hot"] } | { error: string };
    if ("error" in record) throw new CountError(record.error);
    if ("instructions" in record) regions.push(record);
    else regions.at(-1)!.hot = record.hot;
  }
  return regions;
}
