// The broker that comes with Octomote, for `octomote start`: aedes over TCP; the page server brings it WebSockets.
// It speaks MQTT 3.1.1 and keeps everything in memory.

import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Aedes } from "aedes";
import { type Listening, listen, urlHost } from "./listen.ts";

/** A client that does not read is disconnected after this time, so that it cannot hold up the others. */
const DRAIN_TIMEOUT_MS = 10_000;
/** Topics with more levels are refused: nothing of ours comes near. */
const MAX_TOPIC_LEVELS = 16;

export interface EmbeddedBrokerOptions {
  /** Address to listen on; 127.0.0.1. */
  host?: string;
  /** Port to listen on; 1883, and another when that is taken. */
  port?: number;
}

export class EmbeddedBroker {
  readonly #options: EmbeddedBrokerOptions;
  readonly #sockets = new Set<Socket>();
  #aedes: Aedes | null = null;
  #server: Server | null = null;
  #listening: Listening | null = null;

  /** Does nothing. */
  constructor(options: EmbeddedBrokerOptions = {}) {
    this.#options = options;
  }

  async start(): Promise<Listening> {
    const aedes = await Aedes.createBroker({
      drainTimeout: DRAIN_TIMEOUT_MS,
      maxTopicLevels: MAX_TOPIC_LEVELS,
    });
    this.#aedes = aedes;
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      this.handle(socket);
    });
    this.#server = server;
    this.#listening = await listen(server, this.#options.host ?? "127.0.0.1", this.#options.port ?? 1883);
    return this.#listening;
  }

  /** Address for clients on this machine; call after `start`. */
  get url(): string {
    const { host = "127.0.0.1", port = 1883 } = this.#listening ?? {};
    return `mqtt://${urlHost(host)}:${port}`;
  }

  /** Serves one client on any byte stream. */
  handle(stream: Duplex): void {
    stream.on("error", () => stream.destroy()); // a client that vanishes is no error of ours
    if (this.#aedes) this.#aedes.handle(stream);
    else stream.destroy();
  }

  async stop(): Promise<void> {
    const aedes = this.#aedes;
    const server = this.#server;
    this.#aedes = null;
    this.#server = null;
    if (aedes) await new Promise<void>((resolve) => aedes.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
