// Where the devices of `octomote bridge` come from: serial ports, connections they make, connections made to them, child
// processes.

import { type ChildProcess, spawn } from "node:child_process";
import type { Bridge } from "../../bridge/bridge.ts";
import { messageOf, OctomoteError } from "../../bridge/errors.ts";
import { DeviceLink } from "../../link/device-link.ts";
import { TransportError } from "../../link/errors.ts";
import { loadSerialPort } from "../../link/serial-ports.ts";
import { SerialTransport } from "../../link/serial-transport.ts";
import { silenceText, watchSilence } from "../../link/silence.ts";
import {
  ChildProcessTransport,
  listenTcp,
  type TcpListener,
  TcpTransport,
  type Transport,
} from "../../link/transport.ts";
import type { Address } from "./verb.ts";

/** Connections that devices may have open at a time. */
const MAX_CONNECTIONS = 256;
/** A connection on which no device has introduced itself by then is closed. */
const HELLO_MS = 15_000;
/** A child process that ended is started again after this time, doubling up to the longest. */
const RESTART_FIRST_MS = 1000;
const RESTART_MAX_MS = 30_000;
/** A child process that ran this long has proved itself: the next restart is quick again. */
const PROVEN_MS = 60_000;
/** A child process that has not ended by then, after its input was closed, is ended. */
const GRACE_MS = 2000;

export class DeviceSources {
  readonly #bridge: Bridge;
  readonly #tell: (message: string) => void;
  readonly #listeners: TcpListener[] = [];
  readonly #links = new Set<DeviceLink>();
  readonly #children = new Set<ChildProcess>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #accepted = 0;
  #stopped = false;

  /** Does nothing. */
  constructor(bridge: Bridge, tell: (message: string) => void) {
    this.#bridge = bridge;
    this.#tell = tell;
  }

  /** Lets devices connect; throws `OctomoteError` when the address cannot be had. */
  async listen(address: Address): Promise<TcpListener> {
    const where = `${address.host}:${address.port}`;
    const listener = await listenTcp(address, (transport) => this.#accept(transport)).catch((error) => {
      throw new OctomoteError(
        `Cannot listen on ${where}: ${messageOf(error)}`,
        "choose another port or address with --tcp-listen",
        { cause: error },
      );
    });
    this.#listeners.push(listener);
    this.#tell(`devices may connect to ${listener.host}:${listener.port}`);
    return listener;
  }

  /** Connects to a device, again whenever the connection breaks. */
  connect(address: Address): void {
    this.#take(new TcpTransport(address));
  }

  /** Opens a serial port, again whenever it is back; throws `OctomoteError` when this machine cannot do serial ports. */
  async port(path: string, baud: number): Promise<void> {
    await loadSerialPort().catch((error: TransportError) => {
      throw new OctomoteError(error.message, error.fix, { cause: error });
    });
    const transport = new SerialTransport({ path, baud });
    transport.on("open", () => this.#tell(`${path} is open at ${baud} baud`));
    transport.on("error", (error) => {
      const fix = error instanceof TransportError ? `: ${error.fix}` : "";
      this.#bridge.bus.emit("log", { level: "warning", message: `${messageOf(error)}${fix}` });
    });
    this.#take(transport);
  }

  /** Runs a device; it is started again whenever it ends. */
  exec(command: string, delay = RESTART_FIRST_MS): void {
    const began = Date.now();
    // A process group of its own, so that what the shell starts ends with it.
    const child = spawn(command, { shell: true, detached: true, stdio: ["pipe", "pipe", "inherit"] });
    this.#children.add(child);
    const link = this.#take(new ChildProcessTransport(child, `process ${child.pid ?? command}`));
    child.on("error", (error) => this.#tell(`${command}: ${messageOf(error)}`));
    watchSilence(link, () => {
      this.#tell(`${command} is ended: ${silenceText()}`);
      void endChild(child);
    });
    child.once("close", (code, signal) => {
      this.#children.delete(child);
      void link.close();
      if (this.#stopped) return;
      const wait = Date.now() - began > PROVEN_MS ? RESTART_FIRST_MS : delay;
      this.#tell(`${command} ended (${signal ?? `code ${code}`}); it is started again in ${wait / 1000} s`);
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.exec(command, Math.min(wait * 2, RESTART_MAX_MS));
      }, wait);
      this.#timers.add(timer);
    });
  }

  /** Closes everything; child processes have ended when it resolves. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    const ended = [...this.#children].map((child) => endChild(child));
    await Promise.all([...this.#links].map((link) => link.close()));
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    await Promise.all(ended);
  }

  #accept(transport: TcpTransport): void {
    if (this.#accepted >= MAX_CONNECTIONS) {
      void transport.close();
      return;
    }
    this.#accepted++;
    const link = this.#take(transport);
    const silent = setTimeout(() => void link.close(), HELLO_MS);
    this.#timers.add(silent);
    const done = () => {
      clearTimeout(silent);
      this.#timers.delete(silent);
    };
    link.once("hello", done);
    link.once("close", () => {
      done();
      this.#accepted--;
    });
  }

  #take(transport: Transport): DeviceLink {
    const link = new DeviceLink(transport);
    this.#links.add(link);
    link.once("close", () => this.#links.delete(link));
    this.#bridge.attach(link, transport.name);
    return link;
  }
}

/** Ends a child with everything that it started: closed input first, then signals to its process group. */
async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  child.stdin?.end();
  const signal = (name: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // The group has ended in the meantime.
    }
  };
  const term = setTimeout(() => signal("SIGTERM"), GRACE_MS);
  const kill = setTimeout(() => signal("SIGKILL"), 2 * GRACE_MS);
  await gone;
  clearTimeout(term);
  clearTimeout(kill);
}
