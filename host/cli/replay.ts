// octomote replay: repeats a device's training on this machine, step by step, and shows what its layers did.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { Option } from "commander";
import { OctomoteError } from "../bridge/errors.ts";
import type { VirtualBoard } from "../devices/virtual-device.ts";
import type { Elsewhere } from "../replay/elsewhere.ts";
import type { Replay, ReplayOptions, ReplayResult } from "../replay/replayer.ts";
import type { Run, Session } from "../replay/session.ts";
import { elsewhereLines, ending, heading, type Row, rowLines, whyEmpty } from "./replay/text.ts";
import { buildInThread } from "./support/apps.ts";
import { Exit, UsageError } from "./support/exit.ts";
import { readInput } from "./support/files.ts";
import { count } from "./support/format.ts";
import { Screen } from "./support/screen.ts";
import { harmless, style } from "./support/style.ts";
import { type DefineVerb, whole } from "./support/verb.ts";

/** The line that says how far it is, is drawn again after this time. */
const DRAW_MS = 100;
/** Rows of a replay whose `--every` is not said. */
const ROWS = 10;

interface ReplayCommand {
  log: string;
  run?: number;
  until?: number;
  every?: number;
  on?: VirtualBoard;
  json?: boolean;
}

export const defineReplay: DefineVerb = (program, finish) => {
  program
    .command("replay")
    .description("repeat a recorded training step by step, and look at it")
    .requiredOption("--log <file>", "a session that start, bridge or sim recorded (--record)")
    .option("--run <n>", "which start of the device, from 1; the last if nothing is said", whole(1, 1e6))
    .option("--until <step>", "end after this step", whole(0, 0xffff_ffff))
    .option(
      "--every <n>",
      "show the layers after so many steps; ten times in all if nothing is said",
      whole(1, 1e9),
    )
    .addOption(
      new Option(
        "--on <board>",
        "repeat it on firmware too, and find the step and the tensors in which it differs from V8",
      ).choices(["posix", "mps2-an386", "node"]),
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Ends with 0 if the replay agrees with everything that the device told, with 1 if it does not: then it names the step,
and what differs in the learned state as far as the log tells it.

Examples:
  $ octomote replay --log session.cbor
  $ octomote replay --log session.cbor --until 130 --every 1
  $ octomote replay --log session.cbor --on mps2-an386
  $ octomote replay --log session.cbor --json | jq '.rows[].loss'
`,
    )
    .action(async (options: ReplayCommand) => finish(await replayLog(options)));
};

async function replayLog(options: ReplayCommand): Promise<number> {
  const { SessionError } = await import("../replay/session.ts");
  try {
    return await replaySession(options);
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    throw new OctomoteError(`${options.log}: ${error.message}`, harmless(error.fix), { cause: error });
  }
}

async function replaySession(options: ReplayCommand): Promise<number> {
  const { readSession } = await import("../replay/session.ts");
  const screen = new Screen(options.json ? process.stderr : process.stdout);
  const bytes = await readInput(options.log);
  const session = readSession(bytes);
  const number = options.run ?? session.runs.length;
  const run = session.runs[number - 1];
  if (!run) {
    if (session.runs.length === 0)
      throw new OctomoteError(`${options.log} holds no start of the device`, whyEmpty(session));
    throw new UsageError(`the log has ${session.runs.length} runs`, `--run takes 1 … ${session.runs.length}`);
  }
  if (!options.json) for (const line of heading(session, run, number)) screen.line(line);
  const built = await buildInThread({ intrinsics: true }, () => {});
  const intrinsics = (await readInput(built.intrinsics)) as Uint8Array<ArrayBuffer>;
  const { rows, result, digests } = await repeat({ session, run, intrinsics }, options, screen);
  if (!options.json) for (const line of ending(session, run, result)) screen.line(line);
  const elsewhere =
    options.on === undefined
      ? undefined
      : await repeatOn(options.on, { session, run, intrinsics }, digests, screen);
  if (options.json) {
    const { device, board, engine, source } = session.info;
    const told = { device, board, engine, source, run: number, seed: run.seed, steps: run.steps };
    const all = { session: told, damage: session.damage, rows, result, elsewhere };
    process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
  } else if (elsewhere) for (const line of elsewhereLines(elsewhere, result)) screen.line(line);
  return result.difference || elsewhere?.difference ? Exit.failed : Exit.ok;
}

/** In V8; digests after each step where another engine is to be compared with it. */
async function repeat(
  what: ReplayOptions,
  { until, every: wanted, on, json }: ReplayCommand,
  screen: Screen,
): Promise<{ rows: Row[]; result: ReplayResult; digests: string[] }> {
  const { replay } = await import("../replay/replayer.ts");
  const last = Math.min(what.run.steps, until ?? what.run.steps);
  const every = wanted ?? Math.max(1, Math.ceil(last / ROWS));
  const rows: Row[] = [];
  const digests: string[] = [];
  const progress = new Steps(screen, "replaying", last);
  const result = await replay({
    ...what,
    ...(until !== undefined && { until }),
    stepped: async (step, it) => {
      if (on !== undefined) digests.push(it.digest());
      await progress.at(step);
      if (step !== 0 && step % every !== 0 && step !== last) return;
      const row = rowOf(step, it);
      if (json) rows.push(row);
      else if (step > 0) for (const line of rowLines(row, screen.columns)) screen.line(line);
    },
  });
  screen.clear();
  return { rows, result, digests };
}

/** On a device with the module and the samples of the log. */
async function repeatOn(
  board: VirtualBoard,
  what: ReplayOptions & { session: Session; run: Run },
  digests: readonly string[],
  screen: Screen,
): Promise<Elsewhere> {
  const { replay } = await import("../replay/replayer.ts");
  const { repeatElsewhere } = await import("../replay/elsewhere.ts");
  const { startVirtualDevice } = await import("../devices/virtual-device.ts");
  const { unhurried } = await import("../data/sample-file.ts");
  const steps = digests.length - 1;
  const folder = await mkdtemp(join(tmpdir(), "octomote-replay-"));
  const progress = new Steps(screen, `on ${board}`, steps);
  try {
    const module = join(folder, "module.wasm");
    const samples = join(folder, "samples.bin");
    await writeFile(module, what.session.info.module);
    await writeFile(samples, unhurried(what.session.file ?? new Uint8Array()));
    const device = await startVirtualDevice({ id: "replay", board, module, samples });
    try {
      return await repeatElsewhere({
        run: what.run,
        steps,
        link: device.link,
        digestOf: (step) => digests[step] as string,
        stateOf: async (until) => {
          let found = { state: new Uint8Array(), layout: [] } as Awaited<
            ReturnType<Parameters<typeof repeatElsewhere>[0]["stateOf"]>
          >;
          const stepped = (step: number, it: Replay) => {
            if (step === until) found = { state: it.state(), layout: it.layout() };
          };
          await replay({ ...what, until, stepped });
          return found;
        },
        tell: (step) => void progress.at(step),
      });
    } finally {
      await device.stop();
    }
  } finally {
    screen.clear();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A line that says how far a long log is; on a terminal alone. */
class Steps {
  readonly #screen: Screen;
  readonly #doing: string;
  readonly #all: number;
  #drawn = performance.now();

  constructor(screen: Screen, doing: string, all: number) {
    this.#screen = screen;
    this.#doing = doing;
    this.#all = all;
  }

  async at(step: number): Promise<void> {
    const now = performance.now();
    if (now - this.#drawn < DRAW_MS) return;
    this.#drawn = now;
    this.#screen.block([style.dim(`  ${this.#doing} … step ${count(step)} of ${count(this.#all)}`)]);
    await breathe();
  }
}

function rowOf(step: number, { inspector, record }: Replay): Row {
  return {
    step,
    loss: record?.loss,
    stepLoss: inspector.loss,
    accuracy: record?.evaluated ? record.accuracy : undefined,
    layers: inspector.snapshot(),
  };
}
