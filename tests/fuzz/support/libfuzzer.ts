// Runs a libFuzzer program and reads what it says.
import { spawn } from "node:child_process";
import { cp, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

export interface FuzzOptions {
  /** Folder that inputs with new coverage go to; other folders are only read. */
  found: string;
  corpora: string[];
  /** Where an input goes that broke something. */
  findings: string;
  longest: number;
  /** The end: so many executions, or so many seconds. */
  runs?: number;
  seconds?: number;
  seed?: number;
  onOutput?(text: string): void;
}

export interface FuzzResult {
  /** 0: nothing was found. */
  code: number;
  executions: number;
  /** Edges and features reached, as libFuzzer counts them. */
  coverage: number;
  features: number;
  /** Paths of inputs that broke something. */
  findings: string[];
  /** The last of what it printed: the sanitizer's report when something was found. */
  report: string;
}

// one input may take so long and so much
const LIMITS = ["-timeout=20", "-rss_limit_mb=1024", "-detect_leaks=0"];
const REPORT = 20_000;

/** Runs until the end that the options name, or the first finding. */
export async function fuzz(program: string, options: FuzzOptions): Promise<FuzzResult> {
  await Promise.all([options.found, options.findings].map((folder) => mkdir(folder, { recursive: true })));
  const before = new Set(await readdir(options.findings));
  const { code, output } = await run(
    program,
    [
      `-runs=${options.runs ?? -1}`,
      `-max_total_time=${options.seconds ?? 0}`,
      `-seed=${options.seed ?? 0}`,
      `-max_len=${options.longest}`,
      `-artifact_prefix=${options.findings}/`,
      "-print_final_stats=1",
      ...LIMITS,
      options.found,
      ...options.corpora,
    ],
    options.onOutput,
  );
  const figure = (pattern: RegExp) => Number([...output.matchAll(pattern)].at(-1)?.[1] ?? 0);
  return {
    code,
    executions: figure(/stat::number_of_executed_units:\s*(\d+)/g),
    coverage: figure(/\bcov: (\d+)/g),
    features: figure(/\bft: (\d+)/g),
    findings: (await readdir(options.findings))
      .filter((name) => !before.has(name))
      .map((name) => join(options.findings, name)),
    report: output.slice(-REPORT),
  };
}

/** Runs single inputs. Returns the exit status, 0 if none breaks anything, and what was printed. */
export function reproduce(program: string, inputs: string[]): Promise<{ code: number; output: string }> {
  return run(program, [...LIMITS, ...inputs]);
}

/**
 * Adds to `corpus` those inputs of `found`, at most `longest` bytes long, that reach an edge which neither the seeds nor
 * the corpus reach. `scratch` is a folder that is emptied.
 */
export async function merge(
  program: string,
  folders: { corpus: string; seeds: string; found: string; scratch: string },
  longest: number,
): Promise<void> {
  const { corpus, seeds, found, scratch } = folders;
  await rm(scratch, { recursive: true, force: true });
  await cp(seeds, scratch, { recursive: true });
  await cp(corpus, scratch, { recursive: true });
  const known = new Set(await readdir(scratch));
  // how often an edge was taken does not count: few inputs for all edges
  const how = ["-merge=1", "-set_cover_merge=1", "-use_counters=0"];
  const { code, output } = await run(program, [...how, ...LIMITS, scratch, found]);
  if (code !== 0) throw new Error(`${program} cannot merge:\n${output.slice(-REPORT)}`);
  for (const name of (await readdir(scratch)).filter((name) => !known.has(name))) {
    const { size } = await stat(join(scratch, name));
    if (size <= longest) await cp(join(scratch, name), join(corpus, name));
  }
}

function run(
  program: string,
  args: string[],
  onOutput?: (text: string) => void,
): Promise<{ code: number; output: string }> {
  return new Promise((done, fail) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "ignore", "pipe"],
      // to standard error, and not where tests/support/sanitizers.ts collects: here reports are findings
      env: { ...process.env, ASAN_OPTIONS: "", LSAN_OPTIONS: "", UBSAN_OPTIONS: "print_stacktrace=1" },
    });
    let output = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      onOutput?.(text);
    });
    child.on("error", fail);
    child.on("close", (code) => done({ code: code ?? 128, output }));
  });
}
