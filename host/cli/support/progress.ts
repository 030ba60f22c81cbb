// Progress of long work: one line a step, with a spinner while it runs.

import { duration } from "./format.ts";
import type { Screen } from "./screen.ts";
import { pad, style } from "./style.ts";

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const NAME_WIDTH = 10;

/** Runs `work`; shows `name` and what is being done, then the summary that `work` returned and the time it took. */
export async function step(
  screen: Screen,
  name: string,
  doing: string,
  work: () => Promise<string>,
): Promise<void> {
  const began = performance.now();
  const title = pad(name, NAME_WIDTH);
  let frame = 0;
  let timer: NodeJS.Timeout | undefined;
  if (screen.live) {
    const draw = () => {
      const spinner = style.cyan(FRAMES[frame++ % FRAMES.length] as string);
      const time = duration(performance.now() - began);
      screen.block([`  ${spinner} ${title} ${style.dim(`${doing} … ${time}`)}`]);
    };
    draw();
    timer = setInterval(draw, 100);
  } else {
    screen.line(`  · ${title} ${doing} …`);
  }
  try {
    const summary = await work();
    clearInterval(timer);
    screen.clear();
    const elapsed = performance.now() - began;
    const time = elapsed < 100 ? "" : style.dim(`  ${duration(elapsed)}`);
    screen.line(`  ${style.green("✓")} ${title} ${summary}${time}`);
  } catch (error) {
    clearInterval(timer);
    screen.clear();
    screen.line(`  ${style.red("✗")} ${title} ${doing}`);
    throw error;
  }
}

/** A line in the same columns, for what needed no work. */
export function note(screen: Screen, name: string, text: string, mark = style.green("✓")): void {
  screen.line(`  ${mark} ${pad(name, NAME_WIDTH)} ${text}`);
}
