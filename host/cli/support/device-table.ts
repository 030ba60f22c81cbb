// The live table of devices, for `start` and `monitor`.

import { bytes, count, decimal, percent, rate, sparkline } from "./format.ts";
import { harmless, style } from "./style.ts";
import { type Column, tableLines } from "./table.ts";

/** One device; what it has not told is absent. */
export interface DeviceRow {
  id: string;
  board: string;
  online: boolean;
  running?: boolean;
  step?: number;
  loss?: number;
  accuracy?: number;
  /** Of cameras: share of patches that had changed, share of multiplications saved, occupied cells. */
  dirty?: number;
  saved?: number;
  occupied?: number;
  samplesPerSecond?: number;
  bytesOut?: number;
  ramBytes?: number;
  error?: string;
}

const CURVE_WIDTH = 12;
/** Points kept of each loss curve; when full, every second one goes. */
const CURVE_POINTS = 240;

/** The course of each device's loss since the start, in bounded memory. */
export class LossCurves {
  readonly #curves = new Map<string, { points: number[]; every: number; skipped: number; step: number }>();

  add(id: string, step: number | undefined, loss: number | undefined): void {
    if (step === undefined || loss === undefined) return;
    const curve = this.#curves.get(id) ?? { points: [], every: 1, skipped: 0, step: -1 };
    this.#curves.set(id, curve);
    if (step < curve.step) {
      curve.points = [];
      curve.every = 1;
    } else if (step === curve.step) return;
    curve.step = step;
    if (++curve.skipped < curve.every) return;
    curve.skipped = 0;
    curve.points.push(loss);
    if (curve.points.length >= CURVE_POINTS) {
      curve.points = curve.points.filter((_, i) => i % 2 === 0);
      curve.every *= 2;
    }
  }

  of(id: string): readonly number[] {
    return this.#curves.get(id)?.points ?? [];
  }
}

/** Head and rows of the table, as wide as the screen allows; below them what went wrong on a device. */
export function deviceTable(rows: readonly DeviceRow[], curves: LossCurves, width: number): string[] {
  const cameras = rows.length > 0 && rows.every((row) => row.dirty !== undefined && row.loss === undefined);
  const learning: Column<DeviceRow>[] = [
    { title: "loss", value: (row) => decimal(row.loss), right: true },
    {
      title: "",
      value: (row) => style.cyan(sparkline(curves.of(row.id), CURVE_WIDTH)),
      optional: 5,
    },
    { title: "accuracy", value: (row) => style.green(percent(row.accuracy)), right: true },
  ];
  const watching: Column<DeviceRow>[] = [
    { title: "occupied", value: (row) => count(row.occupied), right: true },
    { title: "changed", value: (row) => percent(row.dirty), right: true },
    { title: "saved", value: (row) => style.green(percent(row.saved)), right: true },
  ];
  const columns: Column<DeviceRow>[] = [
    { title: "device", value: (row) => `${mark(row)} ${style.bold(harmless(row.id))}` },
    { title: "board", value: (row) => harmless(row.board), optional: 1 },
    { title: "step", value: (row) => count(row.step), right: true },
    ...(cameras ? watching : learning),
    { title: "samples/s", value: (row) => rate(row.samplesPerSecond), right: true, optional: 2 },
    { title: "bytes out", value: (row) => bytes(row.bytesOut), right: true, optional: 3 },
    { title: "memory", value: (row) => bytes(row.ramBytes), right: true, optional: 4 },
  ];
  const lines = tableLines(columns, rows, width - 2).map((line) => `  ${line}`);
  for (const row of rows) {
    if (row.error) lines.push(`  ${style.red(`${harmless(row.id)}: ${harmless(row.error)}`)}`);
  }
  return lines;
}

function mark(row: DeviceRow): string {
  if (row.error) return style.red("✗");
  if (!row.online) return style.dim("○");
  return row.running === false ? style.yellow("‖") : style.green("●");
}

/** One line about a device, where no table can be redrawn. */
export function deviceLine(row: DeviceRow): string {
  const state = row.online ? (row.running === false ? ", paused" : "") : ", offline";
  return [
    `${harmless(row.id)} (${harmless(row.board)}${state})`,
    `step ${count(row.step)}`,
    ...(row.dirty !== undefined && row.loss === undefined
      ? [
          `${count(row.occupied)} cells occupied`,
          `changed ${percent(row.dirty)}`,
          `saved ${percent(row.saved)}`,
        ]
      : [`loss ${decimal(row.loss)}`, `accuracy ${percent(row.accuracy)}`]),
    `${rate(row.samplesPerSecond)} samples/s`,
    `${bytes(row.bytesOut)} out`,
    `${bytes(row.ramBytes)} RAM`,
    ...(row.error ? [harmless(row.error)] : []),
  ].join(" · ");
}
