// The tail of what bridge and devices log. Lines are appended and dropped at the top, never drawn anew.

import { formatClock } from "../model/format.ts";
import type { LogLevel } from "../model/parse.ts";
import { LOG_LINES, type LogLine, type Store } from "../model/store.ts";
import { byId, element, show } from "./dom.ts";

const SEVERITY: Readonly<Record<LogLevel, number>> = { error: 0, warning: 1, info: 2, debug: 3 };
/** Pixels from the end within which the tail is followed. */
const NEAR_END = 24;

export class Log {
  readonly #store: Store;
  readonly #list = byId("log-lines", HTMLElement);
  readonly #level = byId("log-level", HTMLSelectElement);
  readonly #empty = byId("log-empty", HTMLElement);
  #next = 0;

  constructor(store: Store, redraw: () => void) {
    this.#store = store;
    this.#level.addEventListener("change", () => {
      this.#list.replaceChildren();
      this.#next = 0;
      redraw();
    });
  }

  draw(): void {
    const level = SEVERITY[this.#level.value as LogLevel] ?? SEVERITY.info;
    const fresh = this.#store.log.filter((line) => line.number >= this.#next);
    this.#next = (this.#store.log.at(-1)?.number ?? -1) + 1;
    const shown = fresh.filter((line) => SEVERITY[line.level] <= level);
    if (shown.length > 0) {
      const follow = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < NEAR_END;
      this.#list.append(...shown.map(lineElement));
      while (this.#list.childElementCount > LOG_LINES) this.#list.firstElementChild?.remove();
      if (follow) this.#list.scrollTop = this.#list.scrollHeight;
    }
    show(this.#empty, this.#list.childElementCount === 0);
  }
}

function lineElement({ at, source, level, message }: LogLine): HTMLElement {
  return element(
    "li",
    `log-${level}`,
    {},
    element("time", "", { datetime: new Date(at).toISOString() }, formatClock(at)),
    element("span", "log-level", {}, level),
    element("span", "log-source", { title: source }, source),
    element("span", "log-text", {}, message),
  );
}
