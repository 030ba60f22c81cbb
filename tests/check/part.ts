// What one part of `npm run check` is and returns, and how it finds files. Which parts exist: tests/check.ts.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ProgramResult, runProgram } from "../support/runner.ts";

/** A check: looks at the tree below `root`, and repairs what it can when `fix` is set. */
export interface Check {
  name: string;
  run(context: CheckContext): Promise<Finding>;
}

export interface CheckContext {
  /** Absolute path of the tree that is looked at. */
  root: string;
  /** Absolute path of node_modules/.bin of the project that has the tools. */
  bin: string;
  /** Rewrite what can be rewritten (formatting). */
  fix: boolean;
}

/** What a check found. `problems` is empty when all is well; `skipped` says why the check could not run. */
export interface Finding {
  problems: string[];
  skipped?: string;
  /** Debian packages that would let it run. */
  packages?: string[];
}

/** Runs a tool in `cwd` to its end, without colours. */
export function runTool(file: string, args: string[], cwd: string): Promise<ProgramResult> {
  return runProgram(file, args, { cwd, env: { NO_COLOR: "1" } });
}

/** One problem that carries a tool's whole output, or none when the tool was content. */
export function problemsOf(result: ProgramResult): string[] {
  return result.code === 0 ? [] : [result.output.trim() || `exit code ${result.code}, without a word`];
}

const NOT_SOURCE = new Set(["node_modules", "build", "dist", ".git"]);

/** Paths below `root/folder` (relative to root, with forward slashes) that end in one of `endings`, sorted. */
export function filesBelow(root: string, folder: string, endings: string[]): string[] {
  const found: string[] = [];
  const walk = (path: string): void => {
    for (const entry of readdirSync(join(root, path), { withFileTypes: true })) {
      const child = path === "" ? entry.name : `${path}/${entry.name}`;
      if (NOT_SOURCE.has(child)) continue;
      if (entry.isDirectory()) walk(child);
      else if (entry.isFile() && endings.some((ending) => entry.name.endsWith(ending))) found.push(child);
    }
  };
  if (existsSync(join(root, folder))) walk(folder);
  return found.sort();
}

/** The text of a file of the tree. */
export function textOf(root: string, path: string): string {
  return readFileSync(join(root, path), "utf8");
}
