// Numbers as a person reads them. Every function takes undefined for "not told" and shows an en dash for it.

const ABSENT = "–";

function group(value: number, digits: number): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let power = 0;
  let rest = value;
  // Half a last digit below the next unit would round to "1000 kB".
  while (rest >= step * 0.9995 && power < units.length - 1) {
    rest /= step;
    power++;
  }
  const digits = power === 0 || rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return `${group(rest, digits)} ${units[power]}`;
}

/** 60,000 */
export function formatCount(value: number | undefined): string {
  return value === undefined ? ABSENT : group(value, 0);
}

/** Cross-entropy in nats: 0.482 */
export function formatLoss(value: number | null | undefined): string {
  if (value === undefined || value === null) return ABSENT;
  return value >= 1000 ? value.toExponential(1) : value.toFixed(3);
}

/** 0…1 as a percentage: 86.4 % */
export function formatAccuracy(value: number | null | undefined): string {
  return value === undefined || value === null ? ABSENT : `${(value * 100).toFixed(1)} %`;
}

/** Per second: 12.4, 1,240 */
export function formatRate(value: number | undefined): string {
  if (value === undefined) return ABSENT;
  return group(value, value < 9.95 ? 2 : value < 99.5 ? 1 : 0);
}

/** Traffic, decimal units: 1.24 MB */
export function formatBytes(value: number | undefined): string {
  return value === undefined ? ABSENT : scaled(value, 1000, ["B", "kB", "MB", "GB", "TB"]);
}

/** Memory, binary units: 47.2 KiB */
export function formatMemory(value: number | undefined): string {
  return value === undefined ? ABSENT : scaled(value, 1024, ["B", "KiB", "MiB", "GiB"]);
}

/** Seconds as 42 s, 3 min 12 s, 5 h 03 min, 2 d 4 h */
export function formatDuration(seconds: number | undefined): string {
  if (seconds === undefined) return ABSENT;
  const s = Math.floor(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${String(Math.floor(s / 60) % 60).padStart(2, "0")} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor(s / 3600) % 24} h`;
}

/** Milliseconds since 1970 as the person's own time of day: 14:03:59 */
export function formatClock(ms: number, seconds = true): string {
  const date = new Date(ms);
  const parts = seconds
    ? [date.getHours(), date.getMinutes(), date.getSeconds()]
    : [date.getHours(), date.getMinutes()];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}
