// A device for the bridge's tests: the real protocol on both ends, in memory, with a module that only pretends.

import { EventEmitter } from "node:events";
import { DeviceEndpoint, DeviceFault, type Handlers } from "../../../host/devices/device-endpoint.ts";
import { DeviceLink } from "../../../host/link/device-link.ts";
import type { Transport, TransportEvents } from "../../../host/link/transport.ts";
import type { Hello, State } from "../../../host/protocol/messages.ts";
import type { Verb } from "../../../host/protocol/requests.ts";

class MemoryTransport extends EventEmitter<TransportEvents> implements Transport {
  readonly name = "memory";
  deliver: (bytes: Uint8Array) => void = () => {};
  #open = true;

  send(bytes: Uint8Array): boolean {
    if (this.#open) queueMicrotask(() => this.deliver(bytes));
    return this.#open;
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.emit("close");
  }
}

export interface SimulatedDevice {
  link: DeviceLink;
  endpoint: DeviceEndpoint;
  /** What it tells next; change it as the test likes. */
  state: State;
  /** Requests that arrived, in order. */
  requests: { verb: Verb; args: unknown }[];
  /** Replaces what a verb does. */
  handlers: Handlers;
  close(): Promise<void>;
}

export interface SimulatedOptions {
  board?: string;
  engine?: string;
}

let epoch = 1;

/** A device that greets at once and, when started, says that it runs. */
export function simulateDevice(id: string, options: SimulatedOptions = {}): SimulatedDevice {
  const transport = new MemoryTransport();
  const requests: SimulatedDevice["requests"] = [];
  const state: State = {
    record: { class: 3, loss: 1.25, accuracy: 0.5, steps: 7, evaluated: 40, saturated: 0 },
    uptime: 1500,
    steps: 9,
    bytesSent: 1234,
    dropped: 0,
    memory: {
      linear: 40_000,
      metacode: 20_000,
      poolUsed: 70_000,
      poolSize: 98_304,
      stack: 4096,
      static: 2048,
    },
    running: false,
    samples: 9,
  };
  const note = <V extends Verb, A>(verb: V, answer: () => A) => {
    return (args: unknown) => {
      requests.push({ verb, args });
      return answer();
    };
  };
  const run = (running: boolean) => () => {
    state.running = running;
    return undefined;
  };
  const handlers: Handlers = {
    start: note("start", run(true)),
    pause: note("pause", run(false)),
    resume: note("resume", () => {
      if (requests.every(({ verb }) => verb !== "start")) throw new DeviceFault({ code: 62 });
      return run(true)();
    }),
    read: note("read", () => ({ bytes: new Uint8Array(0), total: 0 })),
    write: note("write", () => ({})),
    selfTest: note("selfTest", () => 0x1234),
    message: note("message", () => ({})),
    status: note("status", () => state),
    digest: note("digest", () => ({ sha256: new Uint8Array(32), steps: state.steps })),
  };
  const device: Hello = {
    protocol: 1,
    epoch: 0,
    id,
    board: options.board ?? "posix",
    firmware: "0.1.0",
    engine: options.engine ?? "wasm3-0.5.0",
    abi: 1,
    imports: ["octomote_1", "octo_int8_1"],
    moduleBytes: 4096,
    moduleSha256: new Uint8Array(32).fill(0xab),
    memory: { poolSize: 98_304 },
    running: false,
  };
  const endpoint = new DeviceEndpoint(
    {
      send: (bytes) => {
        queueMicrotask(() => transport.emit("data", bytes));
        return true;
      },
      hello: () => ({ ...device, running: state.running }),
      state: () => ({ ...state }),
      handlers: new Proxy(handlers, { get: (now, verb) => now[verb as Verb] }),
    },
    epoch++,
  );
  transport.deliver = (bytes) => endpoint.receive(bytes);
  const link = new DeviceLink(transport);
  endpoint.start();
  return {
    link,
    endpoint,
    state,
    requests,
    handlers,
    close: async () => {
      endpoint.stop();
      await link.close();
    },
  };
}
