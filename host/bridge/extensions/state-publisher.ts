// `octomote/<device>`: what a device says of itself, retained. Devices may say it ten times a second; the broker gets the
// latest, a few times a second.

import type { BridgeDevice } from "../device.ts";
import type { BridgeContext, Extension } from "../extension.ts";

/** Least time between two states of a device. */
const INTERVAL_MS = 250;
/** MQTT 5: a state that nobody renewed for a day is of no use. */
const EXPIRY_S = 86_400;

interface Pace {
  last: number;
  timer?: NodeJS.Timeout;
}

export class StatePublisher implements Extension {
  readonly name = "state-publisher";
  readonly #context: BridgeContext;
  readonly #paces = new Map<string, Pace>();
  #undo: (() => void)[] = [];

  constructor(context: BridgeContext) {
    this.#context = context;
  }

  start(): void {
    const { bus, devices, mqtt, topics } = this.#context;
    this.#undo = [
      bus.on("deviceState", ({ device }) => this.#schedule(device)),
      bus.on("deviceOffline", ({ device }) => this.#publish(device)),
      bus.on("mqttUp", () => {
        for (const device of devices.all()) this.#publish(device);
      }),
      bus.on("deviceRemoved", ({ id }) => {
        clearTimeout(this.#paces.get(id)?.timer);
        this.#paces.delete(id);
        mqtt.publish(topics.state(id), "", { qos: 1, retain: true });
      }),
    ];
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
    for (const pace of this.#paces.values()) clearTimeout(pace.timer);
    this.#paces.clear();
    for (const device of this.#context.devices.all()) this.#publish(device);
  }

  #schedule(device: BridgeDevice): void {
    const pace = this.#paces.get(device.id) ?? { last: 0 };
    this.#paces.set(device.id, pace);
    if (pace.timer) return;
    const wait = pace.last + INTERVAL_MS - Date.now();
    if (wait <= 0) this.#publish(device);
    else pace.timer = setTimeout(() => this.#publish(device), wait);
  }

  #publish(device: BridgeDevice): void {
    const { mqtt, topics } = this.#context;
    const pace = this.#paces.get(device.id);
    if (pace) {
      clearTimeout(pace.timer);
      pace.timer = undefined;
      pace.last = Date.now();
    }
    const state = device.stateJson();
    if (state)
      mqtt.publish(topics.state(device.id), JSON.stringify(state), { retain: true, expiry: EXPIRY_S });
  }
}
