// Columns of text.

import { pad, style, widthOf } from "./style.ts";

export interface Column<Row> {
  title: string;
  value(row: Row): string;
  /** Numbers stand at the right. */
  right?: boolean;
  /** Columns that go first when the screen is narrow: the highest number leaves first. */
  optional?: number;
}

const GAP = 2;

/** Lines of a table, its head first; columns that do not fit into `width` and may go are left out. */
export function tableLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
): string[] {
  const cells = columns.map((column) => ({
    column,
    texts: rows.map((row) => column.value(row)),
    width: 0,
  }));
  for (const cell of cells) cell.width = Math.max(widthOf(cell.column.title), ...cell.texts.map(widthOf));
  let shown = cells;
  const total = () => shown.reduce((sum, cell) => sum + cell.width + GAP, 0) - GAP;
  while (total() > width) {
    const leaving = shown
      .filter((cell) => cell.column.optional !== undefined)
      .sort((a, b) => (b.column.optional ?? 0) - (a.column.optional ?? 0))[0];
    if (!leaving) break;
    shown = shown.filter((cell) => cell !== leaving);
  }
  const line = (texts: string[]) => texts.join(" ".repeat(GAP)).trimEnd();
  const head = line(shown.map((cell) => style.dim(pad(cell.column.title, cell.width, cell.column.right))));
  const body = rows.map((_, i) =>
    line(shown.map((cell) => pad(cell.texts[i] as string, cell.width, cell.column.right))),
  );
  return [head, ...body];
}
