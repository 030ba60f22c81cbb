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
import type { PersonalState } from "../model/parse.ts";
import type { CloudState } from "../model/parse-cloud.ts";
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
/** Names and values. */
type Terms = [label: string, value: string][];
/** Large and small ones of a card, at most. */
const METRICS = 3;
const FIGURES = 6;

export type Switch = (device: Device, running: boolean) => void;

class Card {
  readonly node: HTMLElement;
  readonly device: Device;
  readonly #swatch = new Swatch();
  readonly #presence = new Text();
  readonly #about = new Text();
  readonly #aboutLine = element("p", "card-about", {}, this.#about.node);
  /** What matters most of this device, and what else there is to know. */
  readonly #metrics = terms(METRICS);
  readonly #figures = terms(FIGURES);
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
    this.node = element(
      "article",
      "card",
      { "data-device": device.id },
      element("header", "", {}, this.#swatch.node, title, presence, this.#switch),
      this.#aboutLine,
      this.#error,
      element("dl", "metrics", {}, ...this.#metrics.map(({ node }) => node)),
      element("dl", "figures", {}, ...this.#figures.map(({ node }) => node)),
      this.#memory.node,
    );
  }

  /** Whether it ever showed anything. */
  get drawn(): boolean {
    return this.#drawn >= 0;
  }

  /** @param connected whether the page hears and reaches the broker, @param cloud how the other half of a split model is doing */
  draw(presence: Presence, scheme: Scheme, connected: boolean, cloud: CloudState | undefined): void {
    const key = `${presence} ${scheme} ${connected} ${cloud?.accuracy} ${cloud?.loss}`;
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
    drawTerms(this.#metrics, metricsOf(this.device, cloud));
    drawTerms(this.#figures, figuresOf(this.device));
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

interface Term {
  readonly node: HTMLElement;
  readonly label: Text;
  readonly value: Text;
}

function terms(count: number): Term[] {
  return Array.from({ length: count }, () => {
    const [label, value] = [new Text(), new Text()];
    const node = element(
      "div",
      "metric",
      {},
      element("dt", "", {}, label.node),
      element("dd", "", {}, value.node),
    );
    return { node, label, value };
  });
}

function drawTerms(places: readonly Term[], values: Terms): void {
  places.forEach(({ node, label, value }, i) => {
    const [name, text] = values[i] ?? [];
    show(node, name !== undefined);
    if (name === undefined || text === undefined) return;
    label.set(name);
    value.set(text);
  });
}

/** A device that sends features to another half of its network, which is what learns. */
const sendsFeatures = ({ state }: Device): boolean =>
  state?.loss === undefined && state?.featureBytes !== undefined;

/** The numbers that matter most: what a learner has learned, what a camera skips, or what becomes of features that are sent. */
function metricsOf(device: Device, cloud: CloudState | undefined): Terms {
  const { state } = device;
  const pass = state?.pass;
  if (state?.loss === undefined && pass !== undefined) {
    const saved = pass.macs === undefined ? undefined : Math.max(0, 1 - pass.macs);
    return [
      ["Occupied cells", formatCount(state?.occupied)],
      ["Saved", formatAccuracy(saved)],
    ];
  }
  if (sendsFeatures(device)) {
    const ratio = device.smaller?.ratio;
    return [
      ["Cloud accuracy", formatAccuracy(cloud?.accuracy)],
      ["Cloud loss", formatLoss(cloud?.loss)],
      ["Smaller by", ratio === undefined ? "–" : `${ratio.toFixed(1)}×`],
    ];
  }
  return [
    ["Loss", formatLoss(state?.loss)],
    ["Accuracy", formatAccuracy(state?.accuracy)],
    ...(state?.personal ? [["Labels", labelsOf(state.personal)] as [string, string]] : []),
  ];
}

/** Of a device that learns from its user: whether it wants to be told what it sees, or was. */
function labelsOf({ due, labelsLeft = 0 }: PersonalState): string {
  if (labelsLeft > 0) return `${formatCount(labelsLeft)} more`;
  return due === undefined ? "–" : due ? "wanted" : "no need";
}

function figuresOf(device: Device): Terms {
  const { state, listed } = device;
  const features: Terms = [
    ["Features as int8", formatBytes(state?.featureBytesRaw)],
    ["Sent", formatBytes(state?.featureBytes)],
  ];
  const personal = state?.personal;
  const others: Terms = personal
    ? [
        ["Samples kept", formatCount(personal.kept)],
        ["Doubt", formatLoss(personal.doubt)],
      ]
    : [
        ["Bytes out", formatBytes(state?.bytesOut)],
        ["Module", formatMemory(listed?.moduleBytes)],
      ];
  return [
    ["Step", formatCount(state?.step)],
    ["Samples/s", formatRate(state?.samplesPerSecond)],
    ...(sendsFeatures(device) ? features : others),
    ["Uptime", formatDuration(state?.uptime)],
    ["Dropped", formatCount(state?.dropped)],
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
      card.draw(this.#store.presence(device), scheme, connected, this.#store.cloud);
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
