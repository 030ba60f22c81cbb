// octomote replay: repeats a device's training on this machine, step by step, and shows what its layers did.

import { OctomoteError } from "../bridge/errors.ts";
import type { LayerSnapshot } from "../replay/inspector.ts";
import type { Replay, ReplayResult } from "../replay/replayer.ts";
import type { Run, Session } from "../replay/session.ts";
import { buildInThread } from "./support/apps.ts";
import { Exit, UsageError } from "./support/exit.ts";
import { readInput } from "./support/files.ts";
import { bars, count, decimal, percent } from "./support/format.ts";
import { Screen } from "./support/screen.ts";
import { harmless, style } from "./support/style.ts";
import { tableLines } from "./support/table.ts";
import { type DefineVerb, whole } from "./support/verb.ts";

interface ReplayCommand {
  log: string;
  run?: number;
  until?: number;
  every?: number;
  json?: boolean;
}

export const defineReplay: DefineVerb = (program, finish) => {
  program
    .command("replay")
    .description("repeat a recorded training step by step, and look at it")
    .requiredOption("--log <file>", "a session that start or sim recorded (--record)")
    .option("--run <n>", "which start of the device, from 1; the last if nothing is said", whole(1, 1e6))
    .option("--until <step>", "end after this step", whole(0, 0xffff_ffff))
    .option(
      "--every <n>",
      "show the layers after so many steps; ten times in all if nothing is said",
      whole(1, 1e9),
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Ends with 0 if the replay agrees with everything that the device told, with 1 if it does not: then it names the step.

Examples:
  $ octomote replay --log session.cbor
  $ octomote replay --log session.cbor --until 130 --every 1
  $ octomote replay --log session.cbor --json | jq '.rows[].loss'
`,
    )
    .action(async (options: ReplayCommand) => finish(await replayLog(options)));
};

/** What is known after a step. */
interface Row {
  step: number;
  /** Running mean that the app tells; cross-entropy of the last sample. */
  loss?: number;
  stepLoss?: number;
  accuracy?: number;
  layers: LayerSnapshot[];
}

async function replayLog(options: ReplayCommand): Promise<number> {
  const { readSession } = await import("../replay/session.ts");
  const { replay } = await import("../replay/replayer.ts");
  const screen = new Screen(options.json ? process.stderr : process.stdout);
  const session = readSession(await readInput(options.log));
  const number = options.run ?? session.runs.length;
  const run = session.runs[number - 1];
  if (!run) {
    if (session.runs.length === 0)
      throw new OctomoteError(`${options.log} holds no start of the device`, whyEmpty(session));
    throw new UsageError(`the log has ${session.runs.length} runs`, `--run takes 1 … ${session.runs.length}`);
  }
  const last = Math.min(run.steps, options.until ?? run.steps);
  const every = options.every ?? Math.max(1, Math.ceil(last / 10));
  const rows: Row[] = [];
  if (!options.json) for (const line of heading(session, run, number)) screen.line(line);
  const built = await buildInThread({ intrinsics: true }, () => {});
  const result = await replay({
    session,
    run,
    intrinsics: (await readInput(built.intrinsics)) as Uint8Array<ArrayBuffer>,
    ...(options.until !== undefined && { until: options.until }),
    stepped: (step, it) => {
      if (step !== 0 && step % every !== 0 && step !== last) return;
      const row = rowOf(step, it);
      if (options.json) rows.push(row);
      else if (step > 0) for (const line of rowLines(row, screen.columns)) screen.line(line);
    },
  });
  const agrees = result.difference === undefined;
  if (options.json) {
    const { device, board, engine, source } = session.info;
    const told = { device, board, engine, source, run: number, seed: run.seed, steps: run.steps };
    process.stdout.write(
      `${JSON.stringify({ session: told, damage: session.damage, rows, result }, null, 2)}\n`,
    );
  } else for (const line of ending(session, run, result)) screen.line(line);
  return agrees ? Exit.ok : Exit.failed;
}

function whyEmpty(session: Session): string {
  if (session.damage) return `it was not read past byte ${session.damage.offset}: ${session.damage.reason}`;
  return "record from before the device is started: octomote start --record FILE";
}

function heading(session: Session, run: Run, number: number): string[] {
  const { device, board, engine, module, source } = session.info;
  const runs = session.runs.length > 1 ? `, run ${number} of ${session.runs.length}` : "";
  const about = [board, engine, harmless(source), `module of ${count(module.length)} bytes`].map(harmless);
  const lines = [`${style.bold(harmless(device))} ${style.dim(about.join(" · "))}`];
  lines.push(style.dim(`seed ${run.seed}${runs}, ${count(run.steps)} steps in the log`));
  const { damage } = session;
  if (damage) {
    lines.push(
      `${style.yellow("!")} the log is whole up to byte ${damage.offset} (${damage.reason}): this much is replayed`,
    );
  } else if (!session.ended) lines.push(style.dim("the recording was cut off between two entries"));
  return lines;
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

function rowLines({ step, loss, stepLoss, accuracy, layers }: Row, columns: number): string[] {
  const known = accuracy === undefined ? "" : `, accuracy ${percent(accuracy)}`;
  const head = `${style.bold(`step ${count(step)}`)}  loss ${decimal(loss)} (this sample ${decimal(stepLoss)})${known}`;
  if (layers.length === 0) return [head];
  const table = tableLines<LayerSnapshot>(
    [
      { title: "layer", value: ({ name }) => name },
      { title: "weights −127 … 127", value: ({ weights }) => bars(weights.histogram) },
      { title: "zero", right: true, value: ({ weights }) => percent(weights.zero) },
      { title: "at ±127", right: true, value: ({ weights }) => percent(weights.edge) },
      { title: "unit", right: true, optional: 2, value: ({ weights }) => `2^${Math.log2(weights.unit)}` },
      {
        title: "range",
        right: true,
        value: ({ range }) => (range === null ? "logits" : `±${range.toFixed(2)}`),
      },
      { title: "clipped", right: true, value: ({ saturated }) => percent(saturated ?? undefined) },
      {
        title: "clipped so far",
        right: true,
        optional: 1,
        value: ({ totals }) => (totals.outputs ? percent(totals.saturated / totals.outputs) : "–"),
      },
      { title: "weights stopped", right: true, optional: 3, value: ({ totals }) => count(totals.clamped) },
    ],
    layers,
    columns - 2,
  );
  return ["", head, ...table.map((line) => `  ${line}`)];
}

function ending(session: Session, run: Run, result: ReplayResult): string[] {
  const { difference, equal, early, digest, steps } = result;
  const compared = `${count(equal.digests)} digests and ${count(equal.states)} states`;
  const lines = [""];
  if (difference) {
    const { steps: at, agreed, what, got, want } = difference;
    lines.push(
      `${style.red("✗")} after step ${count(at)} the ${what} differs; after step ${count(agreed)} all was equal`,
      `  here    ${harmless(got)}`,
      `  device  ${harmless(want)}`,
      style.dim(`  before that ${compared} were equal`),
    );
    return lines;
  }
  if (early) lines.push(`${style.yellow("!")} ${early} after step ${count(steps)} of ${count(run.steps)}`);
  lines.push(
    `${style.green("✓")} ${count(steps)} steps, ${compared} of the device equal`,
    `  digest ${style.bold(digest)}`,
  );
  if (session.info.module.length > 0 && equal.digests + equal.states === 0)
    lines.push(`${style.yellow("!")} the log holds nothing to compare with up to here`);
  return lines;
}
