// One card for each device: what it is, whether it lives, what it learns, what it costs, and its switch.

import {
  formatAccuracy,
  formatBytes,
  formatCount,
  formatDuration,
  formatLoss,
  formatMemory,
  formatRate,
} from "../model/format.ts";
import type { Device, Presence, Store } from "../model/store.ts";
import { isCamera } from "./cameras.ts";
import { arrange, byId, element, Swatch, setAttribute, show, Text } from "./dom.ts";
import { MemoryBar } from "./memory-bar.ts";
import { type Scheme, seriesStyle } from "./palette.ts";

const PRESENCE: Readonly<Record<Presence, string>> = {
  online: "online",
  offline: "offline",
  unknown: "not seen",
};
const FIGURES = ["Step", "Samples/s", "Bytes out", "Module", "Uptime", "Dropped"] as const;

export type Switch = (device: Device, running: boolean) => void;

class Card {
  readonly node: HTMLElement;
  readonly device: Device;
  readonly #swatch = new Swatch();
  readonly #presence = new Text();
  readonly #about = new Text();
  readonly #aboutLine = element("p", "card-about", {}, this.#about.node);
  /** What matters most of this device: names and values. */
  readonly #metrics = [
    { label: new Text(), value: new Text() },
    { label: new Text(), value: new Text() },
  ];
  readonly #figures = FIGURES.map(() => new Text());
  readonly #memory = new MemoryBar();
  readonly #error = element("p", "card-error", { role: "alert" });
  readonly #errorText = new Text();
  readonly #switchText = new Text();
  readonly #switch: HTMLButtonElement;
  #drawn = -1;
  #drawnKey = "";

  constructor(device: Device, onSwitch: Switch) {
    this.device = device;
    const title = element("h3", "", { title: device.id }, device.id);
    this.#switch = element("button", "switch", {
      type: "button",
      role: "switch",
      "aria-label": `Learning on ${device.id}`,
    });
    this.#switch.append(
      element("span", "switch-track"),
      element("span", "switch-text", {}, this.#switchText.node),
    );
    this.#switch.addEventListener("click", () =>
      onSwitch(device, this.#switch.getAttribute("aria-checked") !== "true"),
    );
    this.#error.append(this.#errorText.node);
    const presence = element("span", "presence", {}, this.#presence.node);
    const metric = (label: string | Node, text: Text) =>
      element("div", "metric", {}, element("dt", "", {}, label), element("dd", "", {}, text.node));
    this.node = element(
      "article",
      "card",
      { "data-device": device.id },
      element("header", "", {}, this.#swatch.node, title, presence, this.#switch),
      this.#aboutLine,
      this.#error,
      element("dl", "metrics", {}, ...this.#metrics.map(({ label, value }) => metric(label.node, value))),
      element(
        "dl",
        "figures",
        {},
        ...FIGURES.map((label, i) => metric(label, this.#figures[i] ?? new Text())),
      ),
      this.#memory.node,
    );
  }

  /** Whether it ever showed anything. */
  get drawn(): boolean {
    return this.#drawn >= 0;
  }

  /** @param connected whether the page hears and reaches the broker */
  draw(presence: Presence, scheme: Scheme, connected: boolean): void {
    const key = `${presence} ${scheme} ${connected}`;
    if (this.#drawn === this.device.revision && this.#drawnKey === key) return;
    this.#drawn = this.device.revision;
    this.#drawnKey = key;
    const { state, listed, slot } = this.device;
    const { color, dash } = seriesStyle(slot, scheme);
    this.#swatch.paint(color, dash);
    // Without a connection nobody knows what lives: what is shown is how things stood.
    setAttribute(this.node, "data-presence", connected ? presence : "unknown");
    this.#presence.set(connected ? PRESENCE[presence] : `was ${PRESENCE[presence]}`);
    this.#about.set(about(this.device));
    setAttribute(
      this.#aboutLine,
      "title",
      listed?.transport === undefined ? "" : `Connected by ${listed.transport}`,
    );
    metricsOf(this.device).forEach(([label, value], i) => {
      this.#metrics[i]?.label.set(label);
      this.#metrics[i]?.value.set(value);
    });
    const figures = [
      formatCount(state?.step),
      formatRate(state?.samplesPerSecond),
      formatBytes(state?.bytesOut),
      formatMemory(listed?.moduleBytes),
      formatDuration(state?.uptime),
      formatCount(state?.dropped),
    ];
    figures.forEach((text, i) => {
      this.#figures[i]?.set(text);
    });
    this.#memory.draw(state?.memory ?? listed?.memory);
    this.#drawError();
    this.#drawSwitch(presence, connected);
  }

  #drawError(): void {
    const error = this.device.state?.error;
    show(this.#error, error !== undefined);
    if (error === undefined) return;
    const code = error.code === undefined ? "" : ` (code ${error.code})`;
    this.#errorText.set(`${error.name ?? "Error"}${code}: ${error.message ?? "the device gave no message"}`);
  }

  #drawSwitch(presence: Presence, connected: boolean): void {
    const { state, wanted } = this.device;
    const running = wanted?.running ?? state?.running;
    show(this.#switch, running !== undefined && presence !== "offline");
    setAttribute(this.#switch, "aria-checked", String(running === true));
    setAttribute(this.#switch, "aria-busy", String(wanted !== undefined));
    this.#switch.disabled = !connected || wanted !== undefined;
    const does = isCamera(this.device) ? "watching" : "learning";
    this.#switchText.set(
      wanted === undefined ? (running ? does : "paused") : wanted.running ? "starting" : "pausing",
    );
  }
}

/** The two numbers that matter most: what a learner has learned, or what a camera skips. */
function metricsOf({ state }: Device): [label: string, value: string][] {
  const pass = state?.pass;
  if (state?.loss === undefined && pass !== undefined) {
    const saved = pass.macs === undefined ? undefined : Math.max(0, 1 - pass.macs);
    return [
      ["Occupied cells", formatCount(state?.occupied)],
      ["Saved", formatAccuracy(saved)],
    ];
  }
  return [
    ["Loss", formatLoss(state?.loss)],
    ["Accuracy", formatAccuracy(state?.accuracy)],
  ];
}

/** Board, engine, firmware: what is known of them. */
function about({ listed }: Device): string {
  if (listed === undefined) return "not in the bridge's list";
  const firmware = listed.firmware === undefined ? undefined : `firmware ${listed.firmware}`;
  return [listed.board, listed.engine, firmware].filter((part) => part !== undefined).join(" · ");
}

export class Cards {
  readonly #store: Store;
  readonly #onSwitch: Switch;
  readonly #grid = byId("cards", HTMLElement);
  readonly #filter = byId("filter", HTMLInputElement);
  readonly #filterBox = byId("filter-box", HTMLElement);
  readonly #noMatch = byId("no-match", HTMLElement);
  readonly #cards = new Map<string, Card>();
  readonly #visible = new Set<Element>();
  readonly #observer: IntersectionObserver;
  #arranged = "";

  constructor(store: Store, onSwitch: Switch, redraw: () => void) {
    this.#store = store;
    this.#onSwitch = onSwitch;
    this.#filter.addEventListener("input", redraw);
    this.#observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          if (isIntersecting) this.#visible.add(target);
          else this.#visible.delete(target);
        }
        redraw();
      },
      { rootMargin: "200px" },
    );
  }

  /** Draws the cards that can be seen, and new ones; the others wait until they are scrolled to. */
  draw(scheme: Scheme, connected: boolean): void {
    const wanted = this.#filter.value.trim().toLowerCase();
    const arrangement = `${this.#store.devicesRevision} ${wanted}`;
    if (arrangement !== this.#arranged) {
      this.#arranged = arrangement;
      this.#arrange(wanted);
    }
    for (const device of this.#store.devices.values()) {
      const card = this.#cards.get(device.id);
      if (card === undefined || (card.drawn && !this.#visible.has(card.node))) continue;
      card.draw(this.#store.presence(device), scheme, connected);
    }
  }

  #arrange(wanted: string): void {
    for (const [id, card] of this.#cards) {
      if (this.#store.devices.get(id) === card.device) continue;
      this.#observer.unobserve(card.node);
      this.#visible.delete(card.node);
      this.#cards.delete(id);
    }
    const shown: HTMLElement[] = [];
    const byName = (a: Device, b: Device) => a.id.localeCompare(b.id, undefined, { numeric: true });
    for (const device of [...this.#store.devices.values()].sort(byName)) {
      let card = this.#cards.get(device.id);
      if (card === undefined) {
        card = new Card(device, this.#onSwitch);
        this.#cards.set(device.id, card);
        this.#observer.observe(card.node);
      }
      const searched = `${device.id} ${about(device)}`.toLowerCase();
      if (searched.includes(wanted)) shown.push(card.node);
    }
    show(this.#filterBox, this.#store.devices.size > 6);
    show(this.#noMatch, shown.length === 0 && this.#store.devices.size > 0);
    arrange(this.#grid, shown);
  }
}
