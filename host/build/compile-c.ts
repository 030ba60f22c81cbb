// Compiles C file by file, two at a time, and only what changed: dependency files (-MMD) and the command line decide.
// Several builds may run at once: every file is written beside its place and moved there when it is whole.
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { FirmwareError, runTool } from "./toolchain.ts";

export interface CompileJob {
  source: string;
  /** Everything but -c, -o and the dependency options. */
  flags: string[];
}

export interface CompileOptions {
  compiler: string;
  jobs: CompileJob[];
  linkFlags: string[];
  /** Files besides the objects that the result is made of, such as a linker script. */
  linkInputs?: string[];
  /** Folder of the object files. */
  objects: string;
  output: string;
  /** Paths in messages are told relative to it. */
  root: string;
  onCompile?(source: string): void;
}

const PARALLEL = 2;
let temporary = 0;

/** Compiles and links what is out of date; true if anything was. @throws FirmwareError with the compiler's words */
export async function compileProgram(options: CompileOptions): Promise<boolean> {
  await mkdir(options.objects, { recursive: true });
  const objects = options.jobs.map((job) => objectPath(options, job));
  const waiting = options.jobs.map((job, i) => ({ job, object: objects[i] as string }));
  let changed = false;
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (await compile(options, next.job, next.object)) changed = true;
    }
  };
  const results = await Promise.allSettled(Array.from({ length: PARALLEL }, work));
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  return (await link(options, objects)) || changed;
}

function objectPath(options: CompileOptions, job: CompileJob): string {
  // files of one name may lie in several folders
  const where = createHash("sha256").update(job.source).digest("hex").slice(0, 8);
  return join(options.objects, `${basename(job.source, ".c")}-${where}.o`);
}

async function compile(options: CompileOptions, job: CompileJob, object: string): Promise<boolean> {
  const dependencies = object.replace(/\.o$/, ".d");
  const key = [options.compiler, ...job.flags, job.source].join("\0");
  if (await isCurrent(object, key, await readDependencies(dependencies))) return false;
  options.onCompile?.(relative(options.root, job.source));
  const unique = `${process.pid}-${temporary++}.tmp`;
  const files = { object: `${object}.${unique}`, dependencies: `${dependencies}.${unique}` };
  await rm(`${object}.key`, { force: true });
  const started = new Date();
  const args = ["-MMD", "-MF", files.dependencies, ...job.flags, "-c", job.source, "-o", files.object];
  const { code, stderr } = await runTool(options.compiler, args, options.root);
  if (code !== 0) {
    await Promise.all(Object.values(files).map((path) => rm(path, { force: true })));
    throw new FirmwareError(`${relative(options.root, job.source)} does not compile:\n${stderr.trim()}`);
  }
  // dated by its start: a source that was edited meanwhile is newer
  await utimes(files.object, started, started);
  await rename(files.dependencies, dependencies);
  await rename(files.object, object);
  await writeKey(object, key);
  return true;
}

async function link(options: CompileOptions, objects: string[]): Promise<boolean> {
  const key = [options.compiler, ...objects, ...options.linkFlags].join("\0");
  if (await isCurrent(options.output, key, [...objects, ...(options.linkInputs ?? [])])) return false;
  const whole = `${options.output}.${process.pid}-${temporary++}.tmp`;
  await rm(`${options.output}.key`, { force: true });
  const { code, stderr } = await runTool(
    options.compiler,
    [...objects, ...options.linkFlags, "-o", whole],
    options.root,
  );
  if (code !== 0) {
    await rm(whole, { force: true });
    throw new FirmwareError(`${basename(options.output)} cannot be linked:\n${stderr.trim()}`);
  }
  await rename(whole, options.output);
  await writeKey(options.output, key);
  return true;
}

function digest(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

async function writeKey(path: string, key: string): Promise<void> {
  await writeFile(`${path}.key`, digest(key));
}

/** Whether `path` was made by the same command and is no older than what it is made of. */
async function isCurrent(path: string, key: string, inputs: string[] | undefined): Promise<boolean> {
  if (inputs === undefined) return false;
  if ((await readFile(`${path}.key`, "utf8").catch(() => "")) !== digest(key)) return false;
  const made = await modified(path);
  if (made === undefined) return false;
  for (const input of inputs) {
    const time = await modified(input);
    if (time === undefined || time > made) return false;
  }
  return true;
}

async function modified(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.mtimeMs;
}

/** The files that a dependency file names, undefined if there is none. */
async function readDependencies(path: string): Promise<string[] | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const names = text.replaceAll("\\\n", " ").replace(/^[^:]*:\s/, "");
  return names
    .split(/(?<!\\)\s+/)
    .filter((name) => name !== "")
    .map((name) => name.replaceAll("\\ ", " "));
}
