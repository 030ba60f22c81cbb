// One connection to a broker, whatever its version: MQTT 5 first, 3.1.1 when the broker refuses that, the same topics
// on both. What exists on MQTT 5 only (properties, topic aliases) is added there and left out elsewhere. MQTT.js does
// the protocol and the reconnecting; this adds the choice of version, the in-flight window and errors that help.

import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from "mqtt";
import { messageOf, OctomoteError } from "../errors.ts";
import { matchesFilter } from "../topics.ts";
import { explainRefusal, isVersionRefusal, normaliseBrokerUrl, withoutCredentials } from "./broker-url.ts";
import { readTlsFiles, refuseUselessTls } from "./tls.ts";
import type {
  Delivery,
  Message,
  MessageHandler,
  MqttOptions,
  MqttStats,
  MqttVersion,
  PublishOptions,
} from "./types.ts";
import { InFlightWindow } from "./window.ts";

export type { Delivery, Message, MqttOptions, MqttVersion } from "./types.ts";

/** Version of the payload formats, sent as a user property on MQTT 5. */
const SCHEMA = "1";
/** At most this many QoS 1 messages are in flight, whatever the broker would allow. */
const OWN_WINDOW = 32;
/** At most this many QoS 1 messages wait while the broker is away. */
const QUEUE = 1000;
/** Bytes that may wait for a broker that does not keep up; beyond, QoS 0 is lost as it is while the broker is away. */
const HIGH_WATER = 1 << 20;
/** MQTT 5, PUBACK: No matching subscribers. */
const NO_SUBSCRIBER = 0x10;

interface Subscription {
  filter: string;
  handler: MessageHandler;
}

type ConnectionEvent = "up" | "down" | "trouble";

export class MqttConnection {
  /** The broker's address, without user and password. */
  readonly broker: string;
  readonly stats: MqttStats = { in: 0, out: 0, dropped: 0 };
  readonly #options: MqttOptions;
  readonly #window = new InFlightWindow(OWN_WINDOW, QUEUE);
  readonly #subscriptions = new Set<Subscription>();
  readonly #listeners = new Map<ConnectionEvent, Set<(text: string) => void>>();
  #client: MqttClient | null = null;
  #version: MqttVersion;
  #connected = false;
  #closed = false;
  #trouble = "";
  /** Packet numbers of messages that no subscription matched, until their sender is told. */
  readonly #unheard = new Set<number | undefined>();
  /** What the handlers of the message at hand have promised. */
  #promised: Promise<void>[] = [];

  /** Does nothing but check the URL; throws `OctomoteError` when it is not one of a broker, or not one for TLS files. */
  constructor(options: MqttOptions) {
    this.#options = { ...options, url: normaliseBrokerUrl(options.url) };
    refuseUselessTls(this.#options.url, options);
    this.broker = withoutCredentials(this.#options.url);
    this.#version = options.version ?? 5;
  }

  /** 5, or 4 for MQTT 3.1.1. */
  get version(): MqttVersion {
    return this.#version;
  }
  get connected(): boolean {
    return this.#connected;
  }

  /** `up` and `down` follow the connection; `trouble` tells, once per cause, why it does not come back. */
  on(event: ConnectionEvent, listener: (text: string) => void): () => void {
    const set = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, set.add(listener));
    return () => {
      set.delete(listener);
    };
  }

  /** Connects for the first time; throws `OctomoteError` that names the fix. Afterwards it comes back by itself. */
  async connect(): Promise<void> {
    try {
      await this.#open(this.#version);
    } catch (error) {
      if (this.#options.version !== undefined || !isVersionRefusal(error)) throw this.#explain(error);
      await this.#open(4).catch((second) => {
        throw this.#explain(second);
      });
    }
  }

  /** Sends, or with QoS 1 queues; text is JSON unless told otherwise. QoS 0 is lost while the broker is away or overrun. */
  publish(topic: string, payload: string | Uint8Array, options: PublishOptions = {}): void {
    if (this.#closed) return;
    if (!options.qos) {
      const waiting = this.#client?.stream?.writableLength ?? 0;
      if (this.#connected && waiting < HIGH_WATER) this.#send(topic, payload, options, () => {});
      else this.stats.dropped++;
      return;
    }
    this.#window.push({
      key: options.retain ? topic : undefined,
      send: (done) => this.#send(topic, payload, options, done),
    });
  }

  /**
   * Hears every message that one of the filters selects, on this connection and every later one. Filters of one call must
   * not overlap each other; they are subscribed to together. A handler that returns a promise holds back the messages behind
   * its own, answers to this connection's QoS 1 included; if the promise is broken, the connection is, and the broker sends again.
   */
  async subscribe(filter: string | string[], handler: MessageHandler): Promise<() => void> {
    const entries = [filter].flat().map((one): Subscription => ({ filter: one, handler }));
    for (const entry of entries) this.#subscriptions.add(entry);
    if (this.#connected) await this.#subscribeAtBroker(entries.map((entry) => entry.filter));
    return () => {
      for (const entry of entries) this.#subscriptions.delete(entry);
      const wanted = new Set([...this.#subscriptions].map((other) => other.filter));
      const unwanted = entries.map((entry) => entry.filter).filter((one) => !wanted.has(one));
      if (this.#connected && unwanted.length > 0) this.#client?.unsubscribe(unwanted);
    };
  }

  /** Sends with QoS 1; resolves when the broker has taken it, also after breaks, and rejects when it is given up. */
  deliver(
    topic: string,
    payload: string | Uint8Array,
    options: Omit<PublishOptions, "qos"> = {},
  ): Promise<Delivery> {
    return new Promise((resolve, reject) => {
      const lost = () =>
        reject(new OctomoteError(`A message on ${topic} did not reach ${this.broker}`, "try again"));
      if (this.#closed) return lost();
      this.#window.push({
        send: (done) =>
          this.#send(topic, payload, { ...options, qos: 1 }, (error, heard = true) => {
            done();
            if (error) lost();
            else resolve({ heard });
          }),
        drop: lost,
      });
    });
  }

  /** Waits until everything queued was acknowledged, at most `timeoutMs`. */
  async flush(timeoutMs = 2000): Promise<void> {
    if (!this.#connected) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.#window.idle(), late]);
    clearTimeout(timer);
  }

  /** Says goodbye to the broker (which then does not publish the will). */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.flush();
    this.#closed = true;
    this.#window.close();
    await this.#drop(!this.#connected);
  }

  /** Dies as a crash would: no goodbye, so the broker publishes the will. */
  destroy(): void {
    this.#closed = true;
    this.#window.close();
    const client = this.#client;
    this.#client = null;
    client?.removeAllListeners("close");
    client?.stream.destroy();
    client?.end(true);
  }

  async #open(version: MqttVersion): Promise<void> {
    await this.#drop(true);
    this.#version = version;
    const client = mqtt.connect(this.#options.url, this.#clientOptions(version));
    this.#client = client;
    this.#listen(client);
    await new Promise<void>((resolve, reject) => {
      const fail = (error: unknown) => {
        client.removeListener("connect", resolve as () => void);
        client.removeListener("close", closed);
        client.on("error", () => {}); // a late one has nobody left to tell
        client.end(true);
        this.#client = null;
        reject(error);
      };
      const closed = () =>
        fail(Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" }));
      client.once("error", fail);
      client.once("close", closed);
      client.once("connect", () => {
        client.removeListener("error", fail);
        client.removeListener("close", closed);
        resolve();
      });
    });
    this.#wire(client);
    await this.#up(client);
  }

  #clientOptions(version: MqttVersion): IClientOptions {
    const { will, reconnectPeriod = 1000, connectTimeout = 10_000, username, password } = this.#options;
    return {
      protocolId: "MQTT",
      protocolVersion: version,
      clientId: this.#options.clientId,
      username,
      password,
      ...readTlsFiles(this.#options),
      clean: this.#options.sessionExpiry === undefined,
      ...(version === 5 && this.#options.sessionExpiry !== undefined
        ? { properties: { sessionExpiryInterval: this.#options.sessionExpiry } }
        : {}),
      keepalive: 30,
      reconnectPeriod,
      connectTimeout,
      resubscribe: false, // #up() does it, for the first connection and all others alike
      queueQoSZero: false,
      reconnectOnConnackError: true,
      autoAssignTopicAlias: version === 5,
      will: will && { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true },
    };
  }

  #wire(client: MqttClient): void {
    client.on("connect", () => {
      this.#up(client).catch((error) => this.#tell("trouble", messageOf(error)));
    });
    client.on("close", () => {
      if (!this.#connected) return;
      this.#connected = false;
      this.#window.close();
      this.#tell("down", this.broker);
    });
    client.on("error", (error) => {
      // Another broker may answer at this address now, one that speaks the other version.
      if (this.#options.version === undefined && isVersionRefusal(error)) {
        this.#open(this.#version === 5 ? 4 : 5).catch((second) => this.#retry(second));
        return;
      }
      const text = messageOf(this.#explain(error));
      if (text !== this.#trouble) this.#tell("trouble", text);
      this.#trouble = text;
    });
  }

  /** A session's messages may come right behind the broker's greeting. */
  #listen(client: MqttClient): void {
    client.on("message", (topic, payload, packet) => this.#receive(topic, payload, packet));
    // MQTT.js calls back as if all were well
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "puback" && packet.reasonCode === NO_SUBSCRIBER) this.#unheard.add(packet.messageId);
    });
    // MQTT.js acknowledges when this calls back.
    client.handleMessage = (_packet, done) => {
      const promised = this.#promised.splice(0);
      if (promised.length === 0) return done();
      Promise.all(promised).then(
        () => done(),
        (error) => {
          this.#tell("trouble", messageOf(error));
          client.stream.destroy();
        },
      );
    };
  }

  #retry(error: unknown): void {
    this.#tell("trouble", messageOf(this.#explain(error)));
    setTimeout(() => {
      if (!this.#closed && !this.#client) {
        this.connect().catch((again) => this.#retry(again));
      }
    }, this.#options.reconnectPeriod ?? 1000).unref();
  }

  async #up(client: MqttClient): Promise<void> {
    this.#connected = true;
    this.#trouble = "";
    const filters = [...new Set([...this.#subscriptions].map((entry) => entry.filter))];
    if (filters.length > 0) await this.#subscribeAtBroker(filters);
    if (client !== this.#client || !this.#connected) return;
    const receiveMaximum = client.serverProperties?.receiveMaximum ?? 65_535;
    this.#window.open(Math.min(OWN_WINDOW, receiveMaximum));
    this.#tell("up", this.broker);
  }

  async #subscribeAtBroker(filters: string[]): Promise<void> {
    await this.#client?.subscribeAsync(filters, { qos: 1 });
  }

  #send(
    topic: string,
    payload: string | Uint8Array,
    options: PublishOptions,
    done: (error?: Error, heard?: boolean) => void,
  ): void {
    const client = this.#client;
    if (!client) {
      this.stats.dropped++;
      done(new Error("not connected"));
      return;
    }
    const text = typeof payload === "string";
    const packet = {
      qos: options.qos ?? 0,
      retain: options.retain ?? false,
      properties:
        this.#version === 5
          ? {
              contentType: options.contentType ?? (text ? "application/json" : "application/octet-stream"),
              payloadFormatIndicator: text,
              userProperties: { schema: SCHEMA },
              ...(options.expiry === undefined ? {} : { messageExpiryInterval: options.expiry }),
              ...(options.correlationData === undefined ? {} : { correlationData: options.correlationData }),
            }
          : undefined,
    };
    const bytes = text ? payload : Buffer.from(payload);
    if (packet.qos === 0) {
      // Nobody waits for it. With a callback the client would wait for the stream to drain, once for each message.
      client.publish(topic, bytes, packet);
      this.stats.out++;
      done();
      return;
    }
    client.publish(topic, bytes, packet, (error, sent) => {
      if (error) this.stats.dropped++;
      else this.stats.out++;
      const unheard = this.#unheard.delete(sent?.messageId);
      done(error ?? undefined, !unheard);
    });
  }

  #receive(topic: string, payload: Buffer, packet: IPublishPacket): void {
    this.stats.in++;
    const message: Message = {
      topic,
      payload,
      retained: packet.retain,
      responseTopic: packet.properties?.responseTopic,
      correlationData: packet.properties?.correlationData,
    };
    for (const entry of [...this.#subscriptions]) {
      if (!matchesFilter(entry.filter, topic)) continue;
      const promise = entry.handler(message);
      if (promise instanceof Promise) this.#promised.push(promise);
    }
  }

  async #drop(force: boolean): Promise<void> {
    const client = this.#client;
    this.#client = null;
    this.#connected = false;
    if (client) await client.endAsync(force);
  }

  #tell(event: ConnectionEvent, text: string): void {
    if (this.#closed) return;
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(text);
  }

  #explain(error: unknown): OctomoteError {
    return error instanceof OctomoteError ? error : explainRefusal(this.broker, error);
  }
}
