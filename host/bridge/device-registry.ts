// Which devices there are: takes links, learns from their hello who is behind them, and tells the bus.

import type { Answered, DeviceLink } from "../link/device-link.ts";
import type { Hello, LogMessage, State } from "../protocol/messages.ts";
import { BridgeDevice } from "./device.ts";
import { type BridgeBus, LOG_LEVELS, type LogLevel } from "./events.ts";
import { refuseDeviceId } from "./topics.ts";

/** More devices than this are refused: a flood of names must not fill memory and broker. */
const MAX_DEVICES = 256;

/** Good frames, chunks that were damaged frames, and bytes of these. */
export interface FrameCounts {
  in: number;
  bad: number;
  noise: number;
}

export class DeviceRegistry {
  readonly #bus: BridgeBus;
  readonly #devices = new Map<string, BridgeDevice>();
  readonly #links = new Set<DeviceLink>();
  #past: FrameCounts = { in: 0, bad: 0, noise: 0 };
  #pastFeatures = 0;

  /** Does nothing. */
  constructor(bus: BridgeBus) {
    this.#bus = bus;
  }

  /** All devices, by id. */
  all(): BridgeDevice[] {
    return [...this.#devices.values()].sort((a, b) => a.id.localeCompare(b.id));
  }

  get(id: string): BridgeDevice | undefined {
    return this.#devices.get(id);
  }

  /** Frames of all links that ever were. */
  frames(): FrameCounts {
    return [...this.#links].reduce(addFrames, this.#past);
  }

  /** Features that were left out of all devices that ever were. */
  featuresDropped(): number {
    return this.all().reduce((sum, device) => sum + device.featuresDropped, this.#pastFeatures);
  }

  /**
   * Listens to a link from now on; `transport` says in words what carries it. The device is known from its hello on.
   * The returned function lets go of the link: its device counts as offline, and stays known.
   */
  attach(link: DeviceLink, transport: string): () => void {
    this.#links.add(link);
    let device: BridgeDevice | undefined;
    // Neither a link that another has taken the place of, nor a device that was removed, speaks for the device.
    const mine = () =>
      device?.link === link && this.#devices.get(device.id) === device ? device : undefined;
    const on = {
      hello: (hello: Hello) => {
        device = this.#welcome(link, transport, hello) ?? device;
      },
      up: () => this.#online(mine()),
      down: (reason: string) => this.#offline(mine(), reason),
      state: (state: State) => {
        const known = mine();
        if (!known) return;
        known.setState(state);
        this.#bus.emit("deviceState", { device: known });
      },
      answered: (it: Answered) => mine()?.answered(it),
      log: (log: LogMessage) => this.#log(mine(), LOG_LEVELS[log.level] ?? "info", log.text),
      text: (text: string) => this.#log(mine(), "info", text),
      problem: (error: Error) => this.#log(mine(), "error", error.message),
      features: (bytes: Uint8Array) => {
        const known = mine();
        if (known) this.#bus.emit("deviceFeatures", { device: known, bytes });
      },
      close: () => detach(),
    };
    const names = Object.keys(on) as (keyof typeof on)[];
    const detach = () => {
      if (!this.#links.delete(link)) return;
      for (const name of names) link.off(name, on[name] as () => void);
      this.#past = addFrames(this.#past, link);
      this.#offline(mine(), "the link was let go");
    };
    for (const name of names) link.on(name, on[name] as () => void);
    if (link.hello && link.isUp) on.hello(link.hello);
    return detach;
  }

  /** Forgets a device; true if it was known. It comes back with its next hello. */
  remove(id: string): boolean {
    this.#pastFeatures += this.#devices.get(id)?.featuresDropped ?? 0;
    const known = this.#devices.delete(id);
    this.#bus.emit("deviceRemoved", { id });
    return known;
  }

  #welcome(link: DeviceLink, transport: string, hello: Hello): BridgeDevice | undefined {
    const refusal = refuseDeviceId(hello.id);
    if (refusal) return this.#refuse(transport, `its id ${JSON.stringify(hello.id)} is refused: ${refusal}`);
    let device = this.#devices.get(hello.id);
    if (!device) {
      if (this.#devices.size >= MAX_DEVICES) {
        return this.#refuse(transport, `${MAX_DEVICES} devices are known already; ${hello.id} is refused`);
      }
      device = new BridgeDevice(link, transport, hello);
      this.#devices.set(hello.id, device);
      this.#bus.emit("log", { level: "info", message: `${hello.id} joined: ${hello.board}, ${transport}` });
    } else if (device.link !== link) {
      // A device that was reset may come back on a new connection before the old one is found dead.
      if (device.online && this.#links.has(device.link)) {
        const message = `${hello.id} answers at ${transport} now, and no longer at ${device.transport}; if these are two devices, give one of them another id`;
        this.#bus.emit("log", { level: "warning", message });
      }
      device.link = link;
      device.transport = transport;
    }
    device.hello = hello;
    this.#online(device, true);
    return device;
  }

  #refuse(transport: string, why: string): undefined {
    this.#bus.emit("log", { level: "error", message: `${transport}: ${why}` });
    return undefined;
  }

  #online(device: BridgeDevice | undefined, changed = false): void {
    if (!device) return;
    if (!device.online) {
      device.online = true;
      device.since = Date.now();
    } else if (!changed) return;
    this.#bus.emit("deviceOnline", { device });
    this.#bus.emit("devicesChanged", { device });
  }

  #offline(device: BridgeDevice | undefined, reason: string): void {
    if (!device?.online) return;
    device.online = false;
    device.since = Date.now();
    this.#bus.emit("log", { level: "warning", message: `${device.id} is offline: ${reason}` });
    this.#bus.emit("deviceOffline", { device });
    this.#bus.emit("devicesChanged", { device });
  }

  #log(device: BridgeDevice | undefined, level: LogLevel, text: string): void {
    const message = text.trimEnd();
    if (device && message !== "") this.#bus.emit("deviceLog", { device, level, message });
  }
}

function addFrames(sum: FrameCounts, { stats }: DeviceLink): FrameCounts {
  return { in: sum.in + stats.framesIn, bad: sum.bad + stats.bad, noise: sum.noise + stats.noise };
}
