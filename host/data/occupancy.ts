// Presence per cell: the labels of a net that says where somebody is. A cell is 8×8 pixels, as much as one output of a
// net whose strides multiply to 8.

import type { Box } from "./clip.ts";

export const CELL = 8;
/** A cell counts as occupied when one box covers so many of its 64 square pixels. */
const LEAST = 16;

/** 1 for each occupied cell of a frame, row by row; cells that lie only partly in the frame have no place. */
export function occupiedCells(boxes: readonly Box[], width: number, height: number): Uint8Array {
  const columns = Math.floor(width / CELL);
  const rows = Math.floor(height / CELL);
  const cells = new Uint8Array(columns * rows);
  for (const { x, y, w, h } of boxes) {
    const last = (end: number, count: number) => Math.min(count - 1, Math.ceil(end / CELL) - 1);
    for (let row = Math.max(0, Math.floor(y / CELL)); row <= last(y + h, rows); row++) {
      const high = Math.min(y + h, (row + 1) * CELL) - Math.max(y, row * CELL);
      for (let column = Math.max(0, Math.floor(x / CELL)); column <= last(x + w, columns); column++) {
        const wide = Math.min(x + w, (column + 1) * CELL) - Math.max(x, column * CELL);
        if (high * wide >= LEAST) cells[row * columns + column] = 1;
      }
    }
  }
  return cells;
}
