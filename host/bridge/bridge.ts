// The bridge: devices ↔ MQTT. It wires the registry of devices, the connection to the broker and the event bus; every
// concern is an extension that knows only these.

import type { DeviceLink } from "../link/device-link.ts";
import { DeviceRegistry } from "./device-registry.ts";
import { messageOf } from "./errors.ts";
import { EventBus } from "./event-bus.ts";
import type { BridgeBus, BridgeEvents } from "./events.ts";
import type { BridgeContext, BridgeFacts, Extension } from "./extension.ts";
import { Availability } from "./extensions/availability.ts";
import { BridgeInfo } from "./extensions/bridge-info.ts";
import { CloudDownloads } from "./extensions/cloud-downloads.ts";
import { Features } from "./extensions/features.ts";
import { HealthReport } from "./extensions/health.ts";
import { HomeAssistant } from "./extensions/home-assistant.ts";
import { Logging } from "./extensions/logging.ts";
import { Requests } from "./extensions/requests.ts";
import { SetCommand } from "./extensions/set.ts";
import { StatePublisher } from "./extensions/state-publisher.ts";
import { MqttConnection, type MqttOptions } from "./mqtt/connection.ts";
import { Topics } from "./topics.ts";

export interface BridgeOptions {
  mqtt: Omit<MqttOptions, "will">;
  facts: BridgeFacts;
  /** Base topic; `octomote`. */
  base?: string;
  /** Tell Home Assistant of the devices; true. */
  homeAssistant?: boolean;
}

export class Bridge {
  readonly bus: BridgeBus;
  readonly devices: DeviceRegistry;
  readonly mqtt: MqttConnection;
  readonly topics: Topics;
  readonly #extensions: Extension[];
  readonly #started: Extension[] = [];

  /** Checks the options and throws `OctomoteError`; does nothing else. */
  constructor(options: BridgeOptions) {
    this.topics = new Topics(options.base);
    this.mqtt = new MqttConnection({
      ...options.mqtt,
      will: { topic: this.topics.bridgeState, payload: JSON.stringify({ state: "offline" }) },
    });
    this.bus = new EventBus<BridgeEvents>((error, event) => {
      // The log is the way out of here: a failure while logging has none.
      if (event !== "log") this.#log("error", `${event}: ${messageOf(error)}`);
    });
    this.devices = new DeviceRegistry(this.bus);
    const context: BridgeContext = {
      bus: this.bus,
      mqtt: this.mqtt,
      devices: this.devices,
      topics: this.topics,
      facts: options.facts,
    };
    this.#extensions = [
      new BridgeInfo(context),
      new Logging(context),
      new Availability(context),
      new StatePublisher(context),
      new Features(context),
      new CloudDownloads(context),
      ...(options.homeAssistant === false ? [] : [new HomeAssistant(context)]),
      new HealthReport(context),
      new Requests(context),
      new SetCommand(context),
    ];
  }

  /** Connects to the broker; throws `OctomoteError` that names the fix when there is none. */
  async start(): Promise<void> {
    this.mqtt.on("up", () => this.bus.emit("mqttUp", { version: this.mqtt.version }));
    this.mqtt.on("down", (broker) => {
      this.bus.emit("mqttDown", { broker });
      this.#log("warning", `the broker at ${broker} is gone; trying to reach it again`);
    });
    this.mqtt.on("trouble", (text) => this.#log("warning", text));
    for (const extension of this.#extensions) {
      await extension.start();
      this.#started.push(extension);
    }
    await this.mqtt.connect();
  }

  /** Takes a link to a device; `transport` says in words what carries it. The returned function lets go of it. */
  attach(link: DeviceLink, transport: string): () => void {
    return this.devices.attach(link, transport);
  }

  /** Tells the broker that everybody is gone, and leaves. Links belong to who made them. */
  async stop(): Promise<void> {
    for (let extension = this.#started.pop(); extension; extension = this.#started.pop()) {
      try {
        await extension.stop();
      } catch (error) {
        this.#log("error", `${extension.name}: ${messageOf(error)}`);
      }
    }
    await this.mqtt.close();
  }

  #log(level: "error" | "warning", message: string): void {
    this.bus.emit("log", { level, message });
  }
}
