// A device's memory by part, as a bar and in numbers.

import { formatMemory } from "../model/format.ts";
import type { MemoryParts } from "../model/parse.ts";
import { element, setAttribute, show, Text } from "./dom.ts";

export interface MemoryShare {
  readonly part: "linear" | "metacode" | "other" | "stack" | "static" | "free";
  readonly label: string;
  readonly bytes: number;
}

const LABELS: Readonly<Record<MemoryShare["part"], string>> = {
  linear: "linear",
  metacode: "metacode",
  other: "engine",
  stack: "stack",
  static: "firmware",
  free: "pool free",
};

/** Splits what a device told into parts that do not overlap: linear memory and metacode lie in the pool. */
export function memoryShares(memory: MemoryParts): { shares: MemoryShare[]; used: number } {
  const linear = memory.linear ?? 0;
  const metacode = memory.metacode ?? 0;
  const pool = Math.max(memory.poolUsed ?? 0, linear + metacode);
  const bytes: Record<MemoryShare["part"], number> = {
    linear,
    metacode,
    other: pool - linear - metacode,
    stack: memory.stack ?? 0,
    static: memory.static ?? 0,
    free: Math.max(0, (memory.poolSize ?? 0) - pool),
  };
  const parts = Object.keys(LABELS) as MemoryShare["part"][];
  const shares = parts.flatMap((part) =>
    bytes[part] > 0 ? [{ part, label: LABELS[part], bytes: bytes[part] }] : [],
  );
  return { shares, used: pool + bytes.stack + bytes.static };
}

/** A pool with more room than is used (a process has megabytes) would leave a sliver of what matters: it is drawn this wide, fading. */
const CUT = 0.5;

export class MemoryBar {
  readonly node: HTMLElement;
  readonly #total = new Text();
  readonly #bar = element("div", "memory-bar", { role: "img" });
  readonly #legend = element("dl", "memory-legend");
  readonly #parts = new Map<string, { segment: HTMLElement; entry: HTMLElement; text: Text }>();

  constructor() {
    const head = element(
      "div",
      "memory-head",
      {},
      element("span", "label", {}, "Memory"),
      element("span", "", {}, this.#total.node),
    );
    this.node = element("div", "memory", {}, head, this.#bar, this.#legend);
    for (const [part, label] of Object.entries(LABELS)) {
      const text = new Text();
      const segment = element("span", `memory-${part}`);
      const entry = element(
        "div",
        `memory-${part}`,
        {},
        element("dt", "", {}, label),
        element("dd", "", {}, text.node),
      );
      this.#bar.append(segment);
      this.#legend.append(entry);
      this.#parts.set(part, { segment, entry, text });
    }
  }

  draw(memory: MemoryParts | undefined): void {
    const { shares, used } = memoryShares(memory ?? {});
    show(this.node, shares.length > 0);
    this.#total.set(formatMemory(used));
    for (const [part, { segment, entry, text }] of this.#parts) {
      const share = shares.find((candidate) => candidate.part === part);
      show(segment, share !== undefined);
      show(entry, share !== undefined);
      if (share === undefined) continue;
      const cut = part === "free" && share.bytes > used;
      setAttribute(segment, "data-cut", String(cut));
      const grow = String(cut ? used * CUT : share.bytes);
      if (segment.style.flexGrow !== grow) segment.style.flexGrow = grow;
      text.set(formatMemory(share.bytes));
    }
    setAttribute(
      this.#bar,
      "aria-label",
      shares.map(({ label, bytes }) => `${label} ${formatMemory(bytes)}`).join(", "),
    );
  }
}
