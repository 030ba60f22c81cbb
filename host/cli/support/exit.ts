// How a verb ends: exit codes and what is printed on failure.

import { messageOf, OctomoteError } from "../../bridge/errors.ts";
import { style } from "./style.ts";

/** What the process returns: `ok`, the work `failed`, or the command line was not understood (`usage`). */
export const Exit = { ok: 0, failed: 1, usage: 2 } as const;
export type ExitCode = (typeof Exit)[keyof typeof Exit];

/** The command line is at fault: exit code 2. */
export class UsageError extends OctomoteError {
  constructor(message: string, fix = "") {
    super(message, fix);
    this.name = "UsageError";
  }
}

/** Prints an error for a person: what failed, then what to do. The stack only with `debug`. */
export function printError(error: unknown, debug: boolean): void {
  const fix = error instanceof OctomoteError ? error.fix : "";
  const lines = [`${style.red("error")} ${messageOf(error)}`];
  if (fix) lines.push(`      ${style.dim("→")} ${fix}`);
  if (debug) lines.push(stackOf(error));
  process.stderr.write(`${lines.join("\n")}\n`);
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
