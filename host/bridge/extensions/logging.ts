// `bridge/logging` and `octomote/<device>/log`: logs, as many as a reader can follow.

import type { LogLevel } from "../events.ts";
import type { BridgeContext, Extension } from "../extension.ts";

/** MQTT 5: logs are for those who listen now. */
const EXPIRY_S = 60;
/** Lines a second and topic; a device that logs in a loop must not drown the broker. */
const LINES_PER_SECOND = 50;
/** Longest text that is passed on, in characters. */
const LONGEST = 2000;

export class Logging implements Extension {
  readonly name = "logging";
  readonly #context: BridgeContext;
  readonly #counts = new Map<string, number>();
  #undo: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(context: BridgeContext) {
    this.#context = context;
  }

  start(): void {
    const { bus, topics } = this.#context;
    this.#timer = setInterval(() => this.#newSecond(), 1000);
    this.#timer.unref();
    this.#undo = [
      bus.on("log", ({ level, message }) => this.#publish(topics.bridgeLogging, level, message)),
      bus.on("deviceLog", ({ device, level, message }) =>
        this.#publish(topics.log(device.id), level, message),
      ),
    ];
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
    clearInterval(this.#timer);
    this.#counts.clear();
  }

  #publish(topic: string, level: LogLevel, message: string): void {
    const count = (this.#counts.get(topic) ?? 0) + 1;
    this.#counts.set(topic, count);
    if (count > LINES_PER_SECOND) return;
    const text = message.length > LONGEST ? `${message.slice(0, LONGEST)}…` : message;
    this.#context.mqtt.publish(topic, JSON.stringify({ level, message: text }), { expiry: EXPIRY_S });
  }

  #newSecond(): void {
    const counts = [...this.#counts];
    this.#counts.clear();
    for (const [topic, count] of counts) {
      const left = count - LINES_PER_SECOND;
      if (left > 0) this.#publish(topic, "warning", `${left} more lines within a second were left out`);
    }
  }
}
