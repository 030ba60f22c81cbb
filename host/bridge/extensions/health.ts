// `bridge/health`: how the bridge itself is doing, every ten seconds.

import type { FrameCounts } from "../device-registry.ts";
import type { BridgeContext, Extension } from "../extension.ts";

const INTERVAL_MS = 10_000;
/** MQTT 5: the next one makes it useless. */
const EXPIRY_S = 30;

export interface Health {
  /** Seconds since this process started. */
  uptime: number;
  /** Resident memory of this process, bytes. */
  rss: number;
  /** MQTT messages since the start. */
  messages: { in: number; out: number };
  /** Devices online. */
  devices: number;
  /** Frames of all links since the start. */
  frames: FrameCounts;
}

export function healthOf({ mqtt, devices }: BridgeContext): Health {
  return {
    uptime: Math.round(process.uptime()),
    rss: process.memoryUsage.rss(),
    messages: { in: mqtt.stats.in, out: mqtt.stats.out },
    devices: devices.all().filter((device) => device.online).length,
    frames: devices.frames(),
  };
}

export class HealthReport implements Extension {
  readonly name = "health";
  readonly #context: BridgeContext;
  #undo: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(context: BridgeContext) {
    this.#context = context;
  }

  start(): void {
    this.#undo = [this.#context.bus.on("mqttUp", () => this.#publish())];
    this.#timer = setInterval(() => this.#publish(), INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
    clearInterval(this.#timer);
  }

  #publish(): void {
    const { mqtt, topics } = this.#context;
    mqtt.publish(topics.bridgeHealth, JSON.stringify(healthOf(this.#context)), { expiry: EXPIRY_S });
  }
}
