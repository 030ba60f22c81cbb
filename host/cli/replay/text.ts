// What octomote replay prints.

import type { Elsewhere } from "../../replay/elsewhere.ts";
import type { LayerSnapshot } from "../../replay/inspector.ts";
import type { TensorDifference } from "../../replay/layout.ts";
import type { Difference, ReplayResult } from "../../replay/replayer.ts";
import type { Run, Session } from "../../replay/session.ts";
import { bars, count, decimal, percent } from "../support/format.ts";
import { harmless, style } from "../support/style.ts";
import { tableLines } from "../support/table.ts";

/** What is known after a step. */
export interface Row {
  step: number;
  /** Running mean that the app tells; cross-entropy of the last sample. */
  loss?: number;
  stepLoss?: number;
  accuracy?: number;
  layers: LayerSnapshot[];
}

export function whyEmpty(session: Session): string {
  if (session.damage) return `it was not read past byte ${session.damage.offset}: ${session.damage.reason}`;
  return "record from before the device is started: octomote start --record FILE";
}

export function heading(session: Session, run: Run, number: number): string[] {
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

export function rowLines({ step, loss, stepLoss, accuracy, layers }: Row, columns: number): string[] {
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

export function ending(session: Session, run: Run, result: ReplayResult): string[] {
  const { difference, equal, early, digest, steps } = result;
  const compared = `${count(equal.digests)} digests and ${count(equal.states)} states`;
  const lines = [""];
  if (difference) {
    lines.push(...parting(session, difference), style.dim(`  before that ${compared} were equal`));
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

function parting({ info }: Session, { steps, agreed, what, got, want, place }: Difference): string[] {
  const exact = steps === agreed + 1;
  const since = exact ? "after the step before it" : `after step ${count(agreed)}`;
  const lines = [
    `${style.red("✗")} after step ${count(steps)} the ${what === "block" ? "learned state" : what} differs; ${since} all was equal`,
  ];
  if (what !== "block") lines.push(`  here    ${harmless(got)}`, `  device  ${harmless(want)}`);
  if (place) {
    const when = place.steps === steps ? "" : ` after step ${count(place.steps)}`;
    lines.push(`  seen first${when}: ${tensorText(place, "device")}`);
  } else if (what === "digest" && info.module.length > 0) {
    lines.push(
      style.dim(
        "  the log holds no piece of the learned state that differs: --on posix shows where engines part",
      ),
    );
  }
  return lines;
}

/** `dense 256 → 10, biases [3] here 12, device 13; 4 of 10 differ`. */
function tensorText({ tensor, first, got, want, differ, of }: TensorDifference, whose: string): string {
  const place = first.length > 0 ? ` [${first.join(", ")}]` : "";
  const many = of > 1 ? `; ${count(differ)} of ${count(of)} differ` : "";
  return `${harmless(tensor)}${place} here ${harmless(got)}, ${whose} ${harmless(want)}${many}`;
}

/** What another engine made of it. */
export function elsewhereLines(
  { board, engine, steps, difference }: Elsewhere,
  result: ReplayResult,
): string[] {
  const where = harmless([board, engine].filter(Boolean).join(" · "));
  if (!difference) {
    const lines = [`${style.green("✓")} ${where} computes the same bits as V8 in all ${count(steps)} steps`];
    if (result.difference)
      lines.push(
        "  so the engines agree, and the device that was recorded does not: it ran another module, saw or was told",
        "  something that is not in the log, or its memory was changed",
      );
    return lines;
  }
  const lines = [
    `${style.red("✗")} ${where} differs from V8 in step ${count(difference.step)}, and not before`,
  ];
  if (difference.fault) lines.push(`  it stopped: ${harmless(difference.fault)}`);
  for (const tensor of difference.tensors) {
    const { got, want } = tensor;
    lines.push(`  ${tensorText({ ...tensor, got: want, want: got }, board)}`);
  }
  return lines;
}
