// What the runners that tests/run.ts starts have in common.
import { spawn } from "node:child_process";

/** Tests of one runner, or of all. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export function sumOf(parts: Counts[]): Counts {
  const sum: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const part of parts) {
    sum.passed += part.passed;
    sum.failed += part.failed;
    sum.skipped += part.skipped;
  }
  return sum;
}

/** With CI=true whatever did not run is a failure: what was skipped counts as failed. */
export function strict(counts: Counts, ci: boolean): Counts {
  return ci ? { passed: counts.passed, failed: counts.failed + counts.skipped, skipped: 0 } : counts;
}

/** The last line of a run. */
export function lastLine(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

interface RunOptions {
  cwd: string;
  /** Changes to this process's environment; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  /** Let the program print directly, instead of collecting what it prints. */
  show?: boolean;
  /** After this time the program is killed, and its output says so. */
  limitMs?: number;
}

export interface ProgramResult {
  /** 127 when the program could not be started, 1 when a signal ended it. */
  code: number;
  /** Standard output and standard error, in the order in which they came; empty when it was shown. */
  output: string;
}

/** Runs a program to its end. */
export function runProgram(file: string, args: string[], options: RunOptions): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: options.show ? "inherit" : ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    const limit =
      options.limitMs === undefined
        ? undefined
        : setTimeout(() => {
            output += `\nended after ${options.limitMs} ms without a result\n`;
            child.kill("SIGKILL");
          }, options.limitMs);
    const end = (code: number): void => {
      clearTimeout(limit);
      resolve({ code, output });
    };
    child.on("error", (error) => {
      output += `${file}: ${error.message}\n`;
      end(127);
    });
    child.on("close", (code) => end(code ?? 1));
  });
}
