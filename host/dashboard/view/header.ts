// The page's head: broker, MQTT version, data set, connection, warnings; below it the summary of all devices.

import type { ConnectionState } from "../connection.ts";
import { formatAccuracy, formatCount, formatLoss, formatRate } from "../model/format.ts";
import type { Device, Metric, Store } from "../model/store.ts";
import type { Settings } from "../settings.ts";
import { byId, element, setAttribute, show, Text } from "./dom.ts";

const MQTT_NAMES: Readonly<Record<number, string>> = { 3: "3.1", 4: "3.1.1", 5: "5" };

const PHASES: Readonly<Record<ConnectionState["phase"], string>> = {
  connecting: "Connecting…",
  online: "Connected",
  waiting: "Not connected",
  refused: "Refused",
};

class Fact {
  readonly #node: HTMLElement;
  readonly #text = new Text();

  constructor(parent: HTMLElement, label: string) {
    this.#node = element("div", "", {}, element("dt", "", {}, label), element("dd", "", {}, this.#text.node));
    parent.append(this.#node);
  }

  set(text: string | undefined): void {
    show(this.#node, text !== undefined);
    this.#text.set(text ?? "");
    setAttribute(this.#node, "title", text ?? "");
  }
}

class Tile {
  readonly #value = new Text();
  readonly #note = new Text();

  constructor(parent: HTMLElement, label: string) {
    const value = element("dd", "", {}, this.#value.node);
    const note = element("dd", "tile-note", {}, this.#note.node);
    parent.append(element("div", "tile", {}, element("dt", "", {}, label), value, note));
  }

  set(value: string, note = ""): void {
    this.#value.set(value);
    this.#note.set(note);
  }
}

export class Header {
  readonly #store: Store;
  readonly #settings: Settings;
  readonly #facts = byId("facts", HTMLElement);
  readonly #broker = new Fact(this.#facts, "Broker");
  readonly #mqtt = new Fact(this.#facts, "MQTT");
  readonly #dataset = new Fact(this.#facts, "Data set");
  readonly #bridge = new Fact(this.#facts, "Bridge");
  readonly #connection = byId("connection", HTMLButtonElement);
  readonly #phase = new Text();
  readonly #warnings = byId("warnings", HTMLDetailsElement);
  readonly #warningCount = new Text();
  readonly #warningList = byId("warning-list", HTMLElement);
  readonly #summary = byId("tiles", HTMLElement);
  readonly #online = new Tile(this.#summary, "Devices online");
  readonly #best = new Tile(this.#summary, "Best accuracy");
  readonly #lowest = new Tile(this.#summary, "Lowest loss");
  readonly #rate = new Tile(this.#summary, "Samples/s");
  readonly #messages = new Tile(this.#summary, "Messages/s");
  #drawnWarnings = 0;
  #counted: { at: number; messages: number } | undefined;
  #perSecond = 0;

  constructor(store: Store, settings: Settings) {
    this.#store = store;
    this.#settings = settings;
    byId("connection-phase", HTMLElement).append(this.#phase.node);
    byId("warning-count", HTMLElement).append(this.#warningCount.node);
  }

  draw(connection: ConnectionState, now: number): void {
    const { info, bridgeOnline } = this.#store;
    const own = connection.phase === "online" ? connection.mqtt : undefined;
    const version = info?.mqtt ?? own;
    this.#broker.set(info?.broker ?? this.#settings.broker);
    this.#mqtt.set(version === undefined ? undefined : (MQTT_NAMES[version] ?? String(version)));
    this.#dataset.set(info?.dataset);
    this.#bridge.set(
      bridgeOnline === undefined ? info?.version : bridgeOnline ? (info?.version ?? "online") : "offline",
    );
    this.#phase.set(PHASES[connection.phase]);
    setAttribute(this.#connection, "data-phase", connection.phase);
    setAttribute(this.#connection, "title", `${this.#settings.broker}, base topic ${this.#settings.base}`);
    this.#drawWarnings();
    this.#drawSummary(connection.phase === "online", now);
  }

  #drawWarnings(): void {
    const { warningCount, warnings } = this.#store;
    if (warningCount === this.#drawnWarnings) return;
    this.#drawnWarnings = warningCount;
    show(this.#warnings, true);
    this.#warningCount.set(
      `${formatCount(warningCount)} malformed ${warningCount === 1 ? "message" : "messages"}`,
    );
    const lines = warnings.map(({ topic, why }) =>
      element("li", "", {}, element("b", "", {}, topic), ` ${why}`),
    );
    this.#warningList.replaceChildren(...lines.reverse());
  }

  #drawSummary(connected: boolean, now: number): void {
    const devices = [...this.#store.devices.values()];
    show(this.#summary, devices.length > 0);
    const online = devices.filter((device) => this.#store.presence(device) === "online");
    const running = online.filter(({ state }) => state?.running === true).length;
    if (connected) this.#online.set(`${online.length} / ${devices.length}`, `${running} running`);
    else this.#online.set(`– / ${devices.length}`, "not connected");
    // where devices only send features, the cloud half is what learns
    const { cloud } = this.#store;
    const best = extreme(devices, "accuracy", (a, b) => a > b);
    if (best || !cloud) this.#best.set(formatAccuracy(best?.state?.accuracy), best?.id);
    else this.#best.set(formatAccuracy(cloud.accuracy), "cloud half");
    const lowest = extreme(devices, "loss", (a, b) => a < b);
    if (lowest || !cloud) this.#lowest.set(formatLoss(lowest?.state?.loss), lowest?.id);
    else this.#lowest.set(formatLoss(cloud.loss), "cloud half");
    const rates = online.flatMap(({ state }) => state?.samplesPerSecond ?? []);
    this.#rate.set(
      rates.length === 0 ? "–" : formatRate(rates.reduce((sum, rate) => sum + rate, 0)),
      "all devices",
    );
    this.#countMessages(now);
    this.#messages.set(formatRate(this.#perSecond), `${formatCount(this.#store.messageCount)} in all`);
  }

  /** Messages per second, over a second at least. */
  #countMessages(now: number): void {
    const messages = this.#store.messageCount;
    const since = this.#counted;
    if (since === undefined) this.#counted = { at: now, messages };
    else if (now - since.at >= 1000) {
      this.#perSecond = ((messages - since.messages) * 1000) / (now - since.at);
      this.#counted = { at: now, messages };
    }
  }
}

function extreme(devices: readonly Device[], metric: Metric, better: (a: number, b: number) => boolean) {
  let found: Device | undefined;
  for (const device of devices) {
    const value = device.state?.[metric];
    const record = found?.state?.[metric];
    if (value !== undefined && (record === undefined || better(value, record))) found = device;
  }
  return found;
}
