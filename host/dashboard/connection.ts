// The page's connection to the broker: opens it, keeps it, and says what a person can do when it cannot. MQTT 5 where the
// broker has it, 3.1.1 otherwise. It knows topics as texts only.

import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import type { Settings } from "./settings.ts";

export type ConnectionState =
  | { phase: "connecting" }
  | { phase: "online"; mqtt: 4 | 5 }
  /** Lost or never had; the next try is at `retryAt` (ms since 1970). */
  | { phase: "waiting"; retryAt: number; reached: boolean }
  /** The broker said no, and would say it again. */
  | { phase: "refused"; reason: string; credentials: boolean };

export interface ConnectionHandlers {
  state(state: ConnectionState): void;
  message(topic: string, payload: Uint8Array, retained: boolean): void;
}

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 15_000;
const CONNECT_TIMEOUT = 8000;
/** Seconds; short, because a laptop that slept should notice soon. */
const KEEPALIVE = 30;

/** Reason codes of MQTT 3.1.1 and 5 that mean the same. */
const WRONG_VERSION: readonly number[] = [1, 0x84];
const WRONG_CREDENTIALS: readonly number[] = [4, 5, 0x86, 0x87];
const REFUSED: readonly number[] = [2, 0x85, 0x8a, 0x8c];

export class Connection {
  readonly #handlers: ConnectionHandlers;
  #settings: Settings | undefined;
  #topics: readonly string[] = [];
  #client: MqttClient | undefined;
  #version: 4 | 5 = 5;
  #failures = 0;
  #reached = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(handlers: ConnectionHandlers) {
    this.#handlers = handlers;
  }

  /** Drops what was open, then connects and subscribes to `topics`; goes on trying until `close`. */
  open(settings: Settings, topics: readonly string[]): void {
    this.close();
    this.#settings = settings;
    this.#topics = topics;
    this.#version = 5;
    this.#failures = 0;
    this.#reached = false;
    this.#connect();
  }

  /** Tries at once instead of at the announced time. */
  retry(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#drop();
  }

  /** Publishes JSON at QoS 1. @returns false when there is no connection. */
  publish(topic: string, value: unknown): boolean {
    if (this.#client?.connected !== true) return false;
    this.#client.publish(topic, JSON.stringify(value), { qos: 1 });
    return true;
  }

  #connect(): void {
    const settings = this.#settings;
    if (settings === undefined) return;
    this.#timer = undefined;
    this.#handlers.state({ phase: "connecting" });
    const options: IClientOptions = {
      protocolVersion: this.#version,
      clean: true,
      clientId: `octomote-page-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`,
      keepalive: KEEPALIVE,
      connectTimeout: CONNECT_TIMEOUT,
      reconnectPeriod: 0,
      queueQoSZero: false,
    };
    if (settings.username !== "") {
      options.username = settings.username;
      options.password = settings.password;
    }
    let client: MqttClient;
    try {
      client = mqtt.connect(settings.broker, options);
    } catch (error) {
      // The browser throws when the page is not allowed to open the address at all (ws:// from an https:// page).
      const reason = error instanceof Error ? error.message : String(error);
      this.#handlers.state({ phase: "refused", reason, credentials: false });
      return;
    }
    this.#client = client;
    let answered = false;
    client.on("connect", () => {
      answered = true;
      this.#failures = 0;
      this.#reached = true;
      this.#handlers.state({ phase: "online", mqtt: this.#version });
      client.subscribe([...this.#topics], { qos: 0 }, (error) => {
        if (error && this.#client === client && client.connected)
          this.#refuse(`The broker refused the subscription: ${error.message}`, true);
      });
    });
    client.on("message", (topic, payload, packet) => this.#handlers.message(topic, payload, packet.retain));
    client.on("error", (error) => {
      const code = "code" in error && typeof error.code === "number" ? error.code : undefined;
      // Without a code it is the transport's; "close" follows and tells the rest.
      if (answered || code === undefined || this.#client !== client) return;
      if (this.#version === 5 && WRONG_VERSION.includes(code)) {
        this.#version = 4;
        this.#drop();
        this.#connect();
      } else if (WRONG_CREDENTIALS.includes(code)) {
        const who = settings.username === "" ? "without a user" : `for user "${settings.username}"`;
        this.#refuse(`The broker refused the connection ${who}.`, true);
      } else if (REFUSED.includes(code)) {
        this.#refuse(`The broker refused the connection: ${error.message}.`, false);
      }
    });
    client.on("close", () => {
      if (this.#client !== client) return;
      // Some brokers hang up on a version they do not speak, without a word: until one has worked, try both in turn.
      if (!this.#reached) this.#version = this.#version === 5 ? 4 : 5;
      this.#wait();
    });
  }

  #refuse(reason: string, credentials: boolean): void {
    this.#drop();
    this.#handlers.state({ phase: "refused", reason, credentials });
  }

  #wait(): void {
    this.#drop();
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures++);
    // Jitter, so that a hundred open pages do not come back to a restarted broker in one moment.
    const delay = pause * (0.75 + Math.random() * 0.5);
    this.#handlers.state({ phase: "waiting", retryAt: Date.now() + delay, reached: this.#reached });
    this.#timer = setTimeout(() => this.#connect(), delay);
  }

  #drop(): void {
    const client = this.#client;
    this.#client = undefined;
    if (client === undefined) return;
    client.removeAllListeners();
    // An error after this moment is of a connection that nobody wants any more.
    client.on("error", () => {});
    client.end(true);
  }
}
