// Byte streams to devices: a child process's standard streams, a TCP connection. A transport knows no frames. Serial
// ports, which need a package of their own, are in serial-transport.ts.

import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";

export interface TransportEvents {
  /** The stream is there again after `lost`. */
  open: [];
  data: [Uint8Array];
  /** The stream is gone for now; the transport tries to bring it back. */
  lost: [];
  /** The stream is gone for good. */
  close: [];
  /** Why it was lost or closed, or could not be opened; followed by `lost` or `close` where that is new. */
  error: [Error];
}

export interface Transport extends EventEmitter<TransportEvents> {
  /** For people and logs, such as `tcp 127.0.0.1:7000`. */
  readonly name: string;
  /** Queues all of `bytes`, or none if the stream is down or does not keep up: then the result is false. */
  send(bytes: Uint8Array): boolean;
  close(): Promise<void>;
}

/** Bytes that may wait in a stream before `send` refuses. */
export const HIGH_WATER = 64 * 1024;

/**
 * A link over the standard input and output of a child process, which the caller has spawned with pipes for both.
 * Closing ends the child's standard input, which is the sign for it to end; the process belongs to the caller.
 */
export class ChildProcessTransport extends EventEmitter<TransportEvents> implements Transport {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #closed: Promise<void>;

  constructor(child: ChildProcess, name = `process ${child.pid ?? "(not started)"}`) {
    super();
    if (child.stdin === null || child.stdout === null) {
      throw new TypeError(`${name}: standard input and output must be pipes`);
    }
    this.name = name;
    this.#child = child;
    child.stdout.on("data", (bytes: Uint8Array) => this.emit("data", bytes));
    child.stdin.on("error", (error) => report(this, error));
    child.stdout.on("error", (error) => report(this, error));
    child.on("error", (error) => report(this, error));
    // A child that could not be started has no exit, only an error; its streams close all the same.
    this.#closed = new Promise((resolve) => child.once("close", () => resolve()));
    this.#closed.then(() => this.emit("close"));
  }

  send(bytes: Uint8Array): boolean {
    const input = this.#child.stdin;
    if (input === null || !input.writable || input.writableLength + bytes.length > HIGH_WATER) return false;
    input.write(bytes);
    return true;
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    await this.#closed;
  }
}

/** Emits an error; an error event without a listener would end the process. */
export function report(transport: EventEmitter<TransportEvents>, error: Error): void {
  if (transport.listenerCount("error") > 0) transport.emit("error", error);
}

export interface TcpAddress {
  host: string;
  port: number;
}

/** Tries to connect again after 0.25 s, doubling up to 5 s. */
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5000;

/** A link over TCP: an address that is dialled again and again, or a connection that was accepted. */
export class TcpTransport extends EventEmitter<TransportEvents> implements Transport {
  readonly name: string;
  readonly #address: TcpAddress | null;
  #socket: Socket | null = null;
  #retry: NodeJS.Timeout | null = null;
  #delay = RETRY_FIRST_MS;
  #closed = false;

  /** @param peer an address to dial, or a socket that is connected already and is gone for good when it closes. */
  constructor(peer: TcpAddress | Socket) {
    super();
    if ("write" in peer) {
      this.#address = null;
      this.name = `tcp ${peer.remoteAddress}:${peer.remotePort}`;
      this.#attach(peer);
    } else {
      this.#address = peer;
      this.name = `tcp ${peer.host}:${peer.port}`;
      this.#dial(peer);
    }
  }

  send(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket === null || socket.connecting || !socket.writable) return false;
    if (socket.writableLength + bytes.length > HIGH_WATER) return false;
    socket.write(bytes);
    return true;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#retry !== null) clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#closed = true;
    if (socket !== null && !socket.closed) {
      const gone = new Promise((resolve) => socket.once("close", resolve));
      socket.destroy();
      await gone;
    } else this.emit("close");
  }

  #dial(address: TcpAddress): void {
    this.#retry = null;
    const socket = createConnection(address);
    socket.once("connect", () => {
      this.#delay = RETRY_FIRST_MS;
      this.emit("open");
    });
    this.#attach(socket);
  }

  #attach(socket: Socket): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 10_000);
    let connected = this.#address === null;
    socket.once("connect", () => {
      connected = true;
    });
    socket.on("data", (bytes) => this.emit("data", bytes));
    socket.on("error", (error) => report(this, error));
    socket.once("close", () => this.#lost(connected));
  }

  #lost(connected: boolean): void {
    this.#socket = null;
    const address = this.#address;
    if (this.#closed || address === null) {
      this.#closed = true;
      this.emit("close");
      return;
    }
    if (connected) this.emit("lost");
    this.#retry = setTimeout(() => this.#dial(address), this.#delay);
    this.#delay = Math.min(this.#delay * 2, RETRY_MAX_MS);
  }
}

export interface TcpListener extends TcpAddress {
  close(): Promise<void>;
}

/**
 * Listens for devices that connect by themselves; each connection is a transport of its own.
 * @param address port 0 takes a free one; the result says which.
 * @throws the system's error if the address is taken or does not exist.
 */
export async function listenTcp(
  address: TcpAddress,
  accept: (transport: TcpTransport) => void,
): Promise<TcpListener> {
  const open = new Set<TcpTransport>();
  const server: Server = createServer((socket) => {
    const transport = new TcpTransport(socket);
    open.add(transport);
    transport.once("close", () => open.delete(transport));
    accept(transport);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.port, address.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const bound = server.address();
  const port = bound !== null && typeof bound === "object" ? bound.port : address.port;
  return {
    host: address.host,
    port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await Promise.all([...open].map((transport) => transport.close()));
      await closed;
    },
  };
}
