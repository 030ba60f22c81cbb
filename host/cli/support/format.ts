// Numbers as a person reads them.

const thousands = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 1234567 → `1,234,567`; `–` when unknown. */
export function count(value: number | undefined): string {
  return value === undefined ? "–" : thousands.format(value);
}

/** Bytes → `512 B`, `61.0 KB`, `3.2 MB` (1 KB = 1,024 bytes); `–` when unknown. */
export function bytes(value: number | undefined): string {
  if (value === undefined) return "–";
  if (value < 1024) return `${value} B`;
  if (value < 1024 * 1024) return `${(value / 1024).toFixed(1)} KB`;
  return `${(value / 1024 / 1024).toFixed(1)} MB`;
}

/** 0.7123 → `71.2 %`. */
export function percent(value: number | undefined): string {
  return value === undefined ? "–" : `${(value * 100).toFixed(1)} %`;
}

/** `0.8124`, four digits after the point. */
export function decimal(value: number | undefined): string {
  return value === undefined ? "–" : value.toFixed(4);
}

/** Samples per second: one digit below 100. */
export function rate(value: number | undefined): string {
  if (value === undefined) return "–";
  return value < 100 ? value.toFixed(1) : thousands.format(value);
}

/** Milliseconds → `0.4 s`, `12 s`, `3 min 05 s`. */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

const BARS = "▁▂▃▄▅▆▇█";

/** The course of a quantity in `width` characters, scaled from zero to its largest value. */
export function sparkline(values: readonly number[], width: number): string {
  if (values.length === 0) return " ".repeat(width);
  const columns = Math.min(width, values.length);
  const top = Math.max(...values) || 1;
  let line = "";
  for (let i = 0; i < columns; i++) {
    const from = Math.floor((i * values.length) / columns);
    const to = Math.max(from + 1, Math.floor(((i + 1) * values.length) / columns));
    const part = values.slice(from, to);
    const mean = part.reduce((sum, value) => sum + value, 0) / part.length;
    line += BARS[Math.min(BARS.length - 1, Math.max(0, Math.round((mean / top) * (BARS.length - 1))))];
  }
  return line.padEnd(width);
}

/** A histogram as bars, one for each bin; the tallest is full. */
export function bars(bins: readonly number[]): string {
  const most = Math.max(1, ...bins);
  return bins.map((n) => (n === 0 ? " " : BARS[Math.ceil((n / most) * BARS.length) - 1])).join("");
}
