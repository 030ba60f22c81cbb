// `bridge/state`, `bridge/info` and `bridge/devices`: that the bridge is there, what it is, and what it bridges.

import type { BridgeContext, Extension } from "../extension.ts";

/** Changes that come together are told together. */
const SETTLE_MS = 50;

export class BridgeInfo implements Extension {
  readonly name = "bridge-info";
  readonly #context: BridgeContext;
  #undo: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(context: BridgeContext) {
    this.#context = context;
  }

  start(): void {
    const { bus } = this.#context;
    this.#undo = [
      bus.on("mqttUp", () => {
        this.#publishState("online");
        this.#publishInfo();
        this.#publishDevices();
      }),
      bus.on("devicesChanged", () => this.#devicesChanged()),
      bus.on("deviceRemoved", () => this.#devicesChanged()),
    ];
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
    clearTimeout(this.#timer);
    this.#publishDevices();
    this.#publishState("offline");
  }

  #devicesChanged(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#publishDevices(), SETTLE_MS);
  }

  #publishState(state: "online" | "offline"): void {
    const { mqtt, topics } = this.#context;
    mqtt.publish(topics.bridgeState, JSON.stringify({ state }), { qos: 1, retain: true });
  }

  #publishInfo(): void {
    const { mqtt, topics, facts } = this.#context;
    const info = {
      version: facts.version,
      protocol: 1,
      broker: mqtt.broker,
      mqtt: mqtt.version,
      base: topics.base,
      dataset: facts.dataset,
    };
    mqtt.publish(topics.bridgeInfo, JSON.stringify(info), { qos: 1, retain: true });
  }

  #publishDevices(): void {
    const { mqtt, topics, devices } = this.#context;
    const list = devices.all().map((device) => device.listEntry());
    mqtt.publish(topics.bridgeDevices, JSON.stringify(list), { qos: 1, retain: true });
  }
}
