// Progress of long work: a line for each step, with a spinner while it runs. Steps may run side by side.

import { duration } from "./format.ts";
import type { Screen } from "./screen.ts";
import { pad, style } from "./style.ts";

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;
const NAME_WIDTH = 10;
/** Steps that were quicker show no time. */
const QUICK_MS = 100;

interface Running {
  name: string;
  doing: string;
  began: number;
}

export class Progress {
  readonly #screen: Screen;
  readonly #running = new Set<Running>();
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /**
   * Runs `work` and shows what it does (it may tell more by calling `tell`); then the summary that it returned and the
   * time it took. What `work` throws is thrown on.
   */
  async step(
    name: string,
    doing: string,
    work: (tell: (doing: string) => void) => Promise<string>,
  ): Promise<void> {
    const step: Running = { name, doing, began: performance.now() };
    this.#running.add(step);
    if (!this.#screen.live) this.note(name, style.dim(`${doing} …`), "·");
    this.#timer ??= setInterval(() => this.#draw(), FRAME_MS);
    this.#draw();
    try {
      const summary = await work((text) => {
        step.doing = text;
      });
      this.#end(step);
      const elapsed = performance.now() - step.began;
      const time = elapsed < QUICK_MS ? "" : style.dim(`  ${duration(elapsed)}`);
      this.note(name, `${summary}${time}`);
    } catch (error) {
      this.#end(step);
      this.note(name, step.doing, style.red("✗"));
      throw error;
    }
  }

  /** A line in the same columns, for what needed no work. */
  note(name: string, text: string, mark = style.green("✓")): void {
    this.#screen.line(`  ${mark} ${pad(name, NAME_WIDTH)} ${text}`);
  }

  #end(step: Running): void {
    this.#running.delete(step);
    if (this.#running.size > 0) {
      this.#draw();
      return;
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#screen.clear();
  }

  #draw(): void {
    const spinner = style.cyan(FRAMES[this.#frame++ % FRAMES.length] as string);
    const lines = [...this.#running].map(({ name, doing, began }) => {
      const time = duration(performance.now() - began);
      return `  ${spinner} ${pad(name, NAME_WIDTH)} ${style.dim(`${doing} … ${time}`)}`;
    });
    this.#screen.block(lines);
  }
}
