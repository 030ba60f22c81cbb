// What one part of `npm run check` is and returns, and how it runs a tool. Which parts exist: tests/check.ts.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

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
}

export interface ToolResult {
  code: number;
  /** Standard output and standard error, in the order in which they came. */
  output: string;
}

/** Runs a tool to its end. A tool that cannot be started is code 127, with the reason as its output. */
export function runTool(file: string, args: string[], cwd: string): Promise<ToolResult> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    let output = "";
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", (error) => resolve({ code: 127, output: `${file}: ${error.message}` }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/** One problem that carries a tool's whole output, or none when the tool was content. */
export function problemsOf(result: ToolResult): string[] {
  return result.code === 0 ? [] : [result.output.trim() || `exit code ${result.code}, without a word`];
}

const NOT_SOURCE = new Set(["node_modules", "build", "dist", ".git"]);

/** Paths below `root/folder` (relative to root, with forward slashes) that end in one of `endings`, sorted. */
export function filesBelow(root: string, folder: string, endings: string[]): string[] {
  const found: string[] = [];
  const walk = (path: string): void => {
    for (const entry of readdirSync(join(root, path), { withFileTypes: true })) {
      if (NOT_SOURCE.has(entry.name)) continue;
      const child = path === "" ? entry.name : `${path}/${entry.name}`;
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
