// Runs the command line as a user does: a process of its own, in a process group that a test can look into.

import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { until } from "../../bridge/support/wait.ts";

export const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const PROGRAM = join(ROOT, "host/cli/octomote.mjs");

export interface Running {
  child: ChildProcess;
  pid: number;
  /** What was printed so far, without colours. */
  stdout(): string;
  stderr(): string;
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
  const child = spawn(file, [...rest, ...args], {
    cwd: options.cwd ?? ROOT,
    env: {
      ...process.env,
      NO_COLOR: "1",
      FORCE_COLOR: undefined,
      OCTOMOTE_BROKER: undefined,
      ...options.env,
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
    stdout,
    stderr,
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

/** Ends a process group, whatever is left of it. */
export function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing is left: as it should be.
  }
}

interface Process {
  pid: number;
  command: string;
}

/**
 * Processes of the session that `pid` leads, zombies left out: octomote and all that it started, also what has a process
 * group of its own or lost its parent.
 */
export function processesOf(pid: number): Process[] {
  const found: Process[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // pid (command) state ppid pgrp session …; the command may hold anything, so what follows its last ")" is read.
      const [state, , group, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z" || (Number(session) !== pid && Number(group) !== pid)) continue;
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      found.push({ pid: Number(name), command });
    } catch {
      // It has ended in the meantime.
    }
  }
  return found;
}
