// `octomote/<device>/availability`: whether a device answers, retained.

import type { BridgeContext, Extension } from "../extension.ts";

export class Availability implements Extension {
  readonly name = "availability";
  readonly #context: BridgeContext;
  #undo: (() => void)[] = [];

  constructor(context: BridgeContext) {
    this.#context = context;
  }

  start(): void {
    const { bus, devices, mqtt, topics } = this.#context;
    this.#undo = [
      bus.on("deviceOnline", ({ device }) => this.#publish(device.id, true)),
      bus.on("deviceOffline", ({ device }) => this.#publish(device.id, false)),
      bus.on("mqttUp", () => {
        for (const device of devices.all()) this.#publish(device.id, device.online);
      }),
      bus.on("deviceRemoved", ({ id }) => {
        mqtt.publish(topics.availability(id), "", { qos: 1, retain: true });
      }),
    ];
  }

  /** Nobody can reach a device when the bridge is gone. */
  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
    for (const device of this.#context.devices.all()) this.#publish(device.id, false);
  }

  #publish(id: string, online: boolean): void {
    const { mqtt, topics } = this.#context;
    const payload = JSON.stringify({ state: online ? "online" : "offline" });
    mqtt.publish(topics.availability(id), payload, { qos: 1, retain: true });
  }
}
