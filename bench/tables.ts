/** Tables in Markdown: for the terminal and for docs/benchmarks.md alike. */

export type Cell = string | number;

/** Columns of numbers are aligned to the right: all but those named in `left` (the first one by default). */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  left: readonly number[] = [0],
): string {
  const cells = [head, ...rows.map((row) => row.map(text))];
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (left.includes(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(" | ")} |`;
  const rule = widths.map((width, i) => (left.includes(i) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [line(cells[0]!), `| ${rule.join(" | ")} |`, ...cells.slice(1).map(line)].join("\n");
}

/** Whole numbers with separators, everything else as it is. */
function text(cell: Cell): string {
  return typeof cell === "number" ? cell.toLocaleString("en-US") : cell;
}

export const percent = (share: number): string => (100 * share).toFixed(2);
