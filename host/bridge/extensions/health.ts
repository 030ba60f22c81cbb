// `bridge/health`: how the bridge itself is doing, every ten seconds.

import type { FrameCounts } from "../device-registry.ts";
import type { BridgeContext, Extension } from "../extension.ts";

const INTERVAL_MS = 10_000;
/** MQTT 5: the next one makes it useless. */
const EXPIRY_S = 30;

export interface Health {
  /** Seconds since this process started. */
  uptime: number;
  /** Resident memory of this process, and what JavaScript holds of it, buffers included; bytes. */
  rss: number;
  heap: number;
  /** MQTT messages since the start. */
  messages: { in: number; out: number };
  /** Given up since the start: features of devices that send too many, messages that the broker did not take. */
  dropped: { features: number; mqtt: number };
  /** Devices online. */
  devices: number;
  /** Frames of all links since the start. */
  frames: FrameCounts;
}

export function healthOf({ mqtt, devices }: BridgeContext): Health {
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    uptime: Math.round(process.uptime()),
    rss,
    heap: heapUsed + external,
    messages: { in: mqtt.stats.in, out: mqtt.stats.out },
    dropped: { features: devices.featuresDropped(), mqtt: mqtt.stats.dropped },
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
