// Runs the command line as a user does: a process of its own, in a process group that a test can look into.

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { until } from "../../bridge/support/wait.ts";

export const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const PROGRAM = join(ROOT, "host/cli/octomote.mjs");

export interface Running {
  child: ChildProcess;
  /** Also of its process group. */
  pid: number;
  /** Found in the environment of octomote and of all that it starts. */
  mark: string;
  /** What was printed so far, without colours. */
  stdout(): string;
  stderr(): string;
  /** Standard output as it came. */
  raw(): string;
  /** The first match in standard output, waited for; throws when the process ends before. */
  sees(pattern: RegExp): Promise<RegExpExecArray>;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface RunOptions {
  env?: Record<string, string | undefined>;
  /** Another program that runs octomote, such as a shell. */
  command?: string[];
  cwd?: string;
}

/** Starts `octomote` in a session, and so a process group, of its own. */
export function octomote(args: string[], options: RunOptions = {}): Running {
  const [file = process.execPath, ...rest] = options.command ?? [process.execPath, PROGRAM];
  const mark = `OCTOMOTE_TEST_RUN=${randomUUID()}`;
  const [markName = "", markValue] = mark.split("=");
  const child = spawn(file, [...rest, ...args], {
    cwd: options.cwd ?? ROOT,
    env: {
      ...process.env,
      NO_COLOR: "1",
      FORCE_COLOR: undefined,
      OCTOMOTE_BROKER: undefined,
      ...options.env,
      [markName]: markValue,
    },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk) => {
    text.stdout += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    text.stderr += chunk;
  });
  let over = false;
  const ended: Running["ended"] = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      over = true;
      resolve({ code, signal });
    });
  });
  const stdout = () => stripVTControlCharacters(text.stdout);
  const stderr = () => stripVTControlCharacters(text.stderr);
  return {
    child,
    pid: child.pid as number,
    mark,
    stdout,
    stderr,
    raw: () => text.stdout,
    ended,
    sees: (pattern) =>
      until(() => {
        const match = pattern.exec(stdout());
        if (!match && over) throw new Error(`ended without ${pattern}:\n${stdout()}\n${stderr()}`);
        return match;
      }),
  };
}

/** Runs to the end. */
export async function run(
  args: string[],
  options: RunOptions = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const it = octomote(args, options);
  const { code } = await it.ended;
  return { code, stdout: it.stdout(), stderr: it.stderr() };
}

interface Process {
  pid: number;
  command: string;
}

/**
 * What octomote started and still runs, itself included, zombies left out: everybody who inherited its environment, in
 * whatever process group and whoever the parent is by now.
 */
export function processesOf({ mark }: Running): Process[] {
  const found: Process[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (!readFileSync(`/proc/${name}/environ`, "utf8").includes(mark)) continue;
      // pid (command) state …; the command may hold anything, so what follows its last ")" is read.
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      if (stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z")) continue;
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      found.push({ pid: Number(name), command });
    } catch {
      // It has ended in the meantime, or is somebody else's.
    }
  }
  return found;
}

/** Ends whatever is left. */
export function endAll(running: Running): void {
  for (const { pid } of processesOf(running)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended in the meantime.
    }
  }
}
