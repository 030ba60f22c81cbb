// A link over a serial port: a USB board, a UART adapter. The port may be unplugged and plugged in at any time.

import { EventEmitter } from "node:events";
import { realpath } from "node:fs/promises";
import type { SerialPort } from "serialport";
import { TransportError } from "./errors.ts";
import { explainSerialError, listSerialPorts, openSerialPort, type SerialPortInfo } from "./serial-ports.ts";
import { HIGH_WATER, report, type Transport, type TransportEvents } from "./transport.ts";

export interface SerialOptions {
  /** Such as `/dev/ttyACM0`, `/dev/serial/by-id/…` or `COM3`. */
  path: string;
  /** Bits per second: 115,200. USB boards do not mind. */
  baud?: number;
  /** Which ports there are; asked after opening, and while a port is gone. Must not reject. */
  list?: () => Promise<SerialPortInfo[]>;
}

export const DEFAULT_BAUD = 115_200;

/** Looks for the port again after 0.25 s, doubling up to 2 s. */
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 2000;

/**
 * A port that is opened, for this process alone, as soon as it is there, and again after it was unplugged: at its path,
 * or wherever the device with the same serial number is plugged in. Why it cannot be opened is an `error` event, a
 * TransportError, once for each reason in a row.
 */
export class SerialTransport extends EventEmitter<TransportEvents> implements Transport {
  readonly name: string;
  readonly #path: string;
  readonly #baud: number;
  readonly #list: () => Promise<SerialPortInfo[]>;
  #port: SerialPort | null = null;
  #serialNumber: string | undefined;
  #retry: NodeJS.Timeout | null = null;
  #delay = RETRY_FIRST_MS;
  #told = "";
  #closed = false;
  #working: Promise<void>;

  /** Listeners that are added in the same turn miss nothing. */
  constructor({ path, baud = DEFAULT_BAUD, list = listSerialPorts }: SerialOptions) {
    super();
    this.name = `serial ${path}`;
    this.#path = path;
    this.#baud = baud;
    this.#list = list;
    this.#working = this.#open();
  }

  send(bytes: Uint8Array): boolean {
    const port = this.#port;
    if (port === null || port.writableLength + bytes.length > HIGH_WATER) return false;
    port.write(Buffer.from(bytes));
    return true;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.#working;
    const port = this.#port;
    this.#port = null;
    if (port?.isOpen) await closed(port);
    this.emit("close");
  }

  async #open(): Promise<void> {
    this.#retry = null;
    const path = await this.#find();
    let port: SerialPort;
    try {
      port = await openSerialPort(path, this.#baud);
    } catch (cause) {
      const error = explainSerialError(path, this.#baud, cause, await this.#list());
      if (!this.#closed) this.#again(error);
      return;
    }
    if (this.#closed) {
      await closed(port);
      return;
    }
    this.#attach(port);
    this.#serialNumber = (await this.#serialNumberOf(path)) ?? this.#serialNumber;
  }

  #attach(port: SerialPort): void {
    this.#port = port;
    this.#delay = RETRY_FIRST_MS;
    this.#told = "";
    port.on("data", (bytes: Uint8Array) => this.emit("data", bytes));
    port.on("error", (error) => report(this, error));
    port.once("close", (cause: Error | null) => {
      if (this.#closed || this.#port !== port) return;
      this.#port = null;
      const error = new TransportError(`${port.path} was unplugged`, "it is opened again when it is back", {
        cause,
      });
      this.#again(error);
      this.emit("lost");
    });
    this.emit("open");
  }

  /** Tells why there is no port, and tries again later. */
  #again(error: TransportError): void {
    if (this.#told !== error.message) report(this, error);
    this.#told = error.message;
    this.#retry = setTimeout(() => {
      this.#working = this.#open();
    }, this.#delay);
    this.#delay = Math.min(this.#delay * 2, RETRY_MAX_MS);
  }

  /** Where the port is now. A board with several ports has one serial number for all: then only its path tells them apart. */
  async #find(): Promise<string> {
    if (this.#serialNumber === undefined) return this.#path;
    const same = (await this.#list()).filter((port) => port.serialNumber === this.#serialNumber);
    return (same.length === 1 ? same[0]?.path : undefined) ?? this.#path;
  }

  async #serialNumberOf(path: string): Promise<string | undefined> {
    const names = [path, await realpath(path).catch(() => path)];
    return (await this.#list()).find((port) => names.includes(port.path))?.serialNumber;
  }
}

function closed(port: SerialPort): Promise<void> {
  return new Promise((resolve) => port.close(() => resolve()));
}
