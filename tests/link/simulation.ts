// A host's link and a simulated device on a wire that loses, repeats, cuts and flips what it carries, in fake time.

import { EventEmitter } from "node:events";
import { Random } from "../../host/data/random.ts";
import { DeviceEndpoint, DeviceFault, type Handlers } from "../../host/devices/device-endpoint.ts";
import type { Transport, TransportEvents } from "../../host/link/transport.ts";
import type { State } from "../../host/protocol/messages.ts";

/** How often, in percent of what is sent, each thing happens. */
export interface Faults {
  drop: number;
  repeat: number;
  flip: number;
  cut: number;
  noise: number;
}

export const CLEAN: Faults = { drop: 0, repeat: 0, flip: 0, cut: 0, noise: 0 };

/** One direction: order is kept, everything else may go wrong. */
class Wire {
  faults: Faults;
  readonly #random: Random;
  readonly #deliver: (bytes: Uint8Array) => void;

  constructor(seed: number, stream: number, faults: Faults, deliver: (bytes: Uint8Array) => void) {
    this.faults = faults;
    this.#random = new Random(seed, stream);
    this.#deliver = deliver;
  }

  send(bytes: Uint8Array): void {
    const { drop, repeat, flip, cut, noise } = this.faults;
    const hit = (percent: number) => this.#random.below(100) < percent;
    if (hit(drop)) return;
    const copies = hit(repeat) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      let piece = bytes.slice();
      if (hit(flip)) {
        const at = this.#random.below(piece.length);
        piece[at] = (piece[at] as number) ^ (1 << this.#random.below(8));
      }
      if (hit(cut)) piece = piece.subarray(0, this.#random.below(piece.length));
      if (hit(noise)) {
        const junk = Uint8Array.from({ length: this.#random.below(40) }, () => this.#random.below(256));
        piece = Uint8Array.from([...junk, ...piece]);
      }
      // In pieces of any size, one millisecond later: timers of equal delay keep their order.
      const split = this.#random.below(piece.length + 1);
      setTimeout(() => {
        this.#deliver(piece.subarray(0, split));
        this.#deliver(piece.subarray(split));
      }, 1);
    }
  }
}

export class SimulatedTransport extends EventEmitter<TransportEvents> implements Transport {
  readonly name = "simulation";
  /** What goes to the device. */
  out: (bytes: Uint8Array) => void = () => {};
  connected = true;

  send(bytes: Uint8Array): boolean {
    if (this.connected) this.out(bytes);
    return this.connected;
  }

  async close(): Promise<void> {
    this.connected = false;
    this.emit("close");
  }
}

/** A device that notes what it carried out, and can be reset. */
export class Simulation {
  readonly transport = new SimulatedTransport();
  readonly toDevice: Wire;
  readonly toHost: Wire;
  /** How often each message was carried out, by its text. */
  readonly carriedOut = new Map<string, number>();
  region = new Uint8Array(0);
  /** Tells no state by itself. */
  quiet = false;
  device!: DeviceEndpoint;
  #epoch: number;
  #steps = 0;

  constructor(seed: number, faults: Faults = CLEAN, epoch = 1) {
    this.#epoch = epoch;
    this.toDevice = new Wire(seed, 1, faults, (bytes) => this.device.receive(bytes));
    this.toHost = new Wire(seed, 2, faults, (bytes) => this.transport.emit("data", bytes));
    this.transport.out = (bytes) => this.toDevice.send(bytes);
    this.boot(epoch);
  }

  /** Of the last boot. */
  get epoch(): number {
    return this.#epoch;
  }

  set faults(faults: Faults) {
    this.toDevice.faults = faults;
    this.toHost.faults = faults;
  }

  /** Resets the device; its epoch is another unless given. */
  boot(epoch = this.#epoch + 7): void {
    this.#epoch = epoch;
    this.device?.stop();
    this.device = new DeviceEndpoint(
      {
        send: (bytes) => {
          this.toHost.send(bytes);
          return true;
        },
        hello: () => ({
          id: "sim-1",
          board: "simulation",
          firmware: "0.0.0",
          engine: "node",
          abi: 1,
          imports: ["octomote_1"],
          moduleBytes: 0,
          memory: {},
          running: false,
        }),
        state: () => (this.quiet ? null : this.#state()),
        handlers: this.#handlers(),
      },
      epoch,
    );
    this.device.start();
  }

  #state(): State {
    return {
      uptime: Date.now(),
      steps: this.#steps++,
      bytesSent: this.device.bytesSent,
      dropped: this.device.dropped,
      running: false,
    };
  }

  #handlers(): Handlers {
    return {
      start: () => undefined,
      pause: () => undefined,
      resume: () => undefined,
      read: ({ offset, length }) => ({
        bytes: this.region.slice(offset, offset + length),
        total: this.region.length,
      }),
      write: ({ offset, bytes }) => {
        if (offset + bytes.length > this.region.length) {
          throw new DeviceFault({ code: 64, got: offset + bytes.length, want: this.region.length });
        }
        this.region.set(bytes, offset);
        return {};
      },
      selfTest: () => 0xfedcba98,
      message: ({ bytes }) => {
        const text = new TextDecoder().decode(bytes);
        this.carriedOut.set(text, (this.carriedOut.get(text) ?? 0) + 1);
        return {};
      },
      status: () => this.#state(),
      digest: () => ({ sha256: new Uint8Array(32), steps: 0 }),
    };
  }
}
