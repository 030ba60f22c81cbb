// What a verb writes to the terminal: lines that stay, and below them a block that is redrawn in place. Where there is no
// terminal, the block is left out and whoever owns it prints plain lines instead.

import { clip } from "./style.ts";

const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";

export interface ScreenStream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

export class Screen {
  readonly #stream: ScreenStream;
  #block: string[] = [];
  #drawn = 0;

  constructor(stream: ScreenStream = process.stdout) {
    this.#stream = stream;
  }

  /** Whether a block can be redrawn in place. */
  get live(): boolean {
    return this.#stream.isTTY === true && process.env.TERM !== "dumb";
  }

  /** Columns of the terminal; 100 where there is none. */
  get columns(): number {
    return this.#stream.columns || 100;
  }

  /** Prints a line that stays, above the block. */
  line(text = ""): void {
    this.#stream.write(`${this.#erase()}${text}\n`);
    this.#draw();
  }

  /** Replaces the block; nothing happens without a terminal. */
  block(lines: string[]): void {
    if (!this.live) return;
    this.#block = lines;
    const erase = this.#erase();
    this.#draw(erase);
  }

  /** Leaves the block on the screen as it is and goes on below it. */
  settle(): void {
    if (this.#drawn > 0) this.#stream.write(SHOW_CURSOR);
    this.#block = [];
    this.#drawn = 0;
  }

  /** Removes the block. */
  clear(): void {
    const erase = this.#erase();
    if (erase) this.#stream.write(erase + SHOW_CURSOR);
    this.#block = [];
  }

  #erase(): string {
    if (this.#drawn === 0) return "";
    const up = `\x1b[${this.#drawn}A\r\x1b[J`;
    this.#drawn = 0;
    return up;
  }

  #draw(before = ""): void {
    if (this.#block.length === 0) {
      if (before) this.#stream.write(before);
      return;
    }
    // A line that wraps would break the count of lines; so would a block higher than the screen.
    const room = Math.max(1, (this.#stream.rows || 50) - 1);
    const lines = this.#block.slice(0, room).map((line) => clip(line, this.columns));
    this.#stream.write(`${before}${HIDE_CURSOR}${lines.join("\n")}\n`);
    this.#drawn = lines.length;
  }
}
