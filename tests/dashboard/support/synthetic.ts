// Devices that exist in MQTT only: they publish what a bridge would (docs/mqtt.md), with learning curves of a plausible
// shape, and answer their switch. For tests and pictures of the page, where no real device is wanted.

import mqtt, { type MqttClient } from "mqtt";

export interface SyntheticDevice {
  id: string;
  board: string;
  engine: string;
  transport: string;
  moduleBytes: number;
  /** Steps per second. */
  speed: number;
  memory: Record<string, number>;
  step: number;
  running: boolean;
  online: boolean;
  /** What its loss tends to, and its own seed of noise. */
  floor: number;
  seed: number;
}

const BATCH = 1;

/** Three devices like those of `npm start`. */
export function threeDevices(): SyntheticDevice[] {
  const pool = { poolSize: 131_072, poolUsed: 61_840, linear: 37_120, metacode: 21_504 };
  const common = { step: 0, running: true, online: true, moduleBytes: 4_812 };
  return [
    {
      ...common,
      id: "posix-1",
      board: "posix",
      engine: "wasm3-0.5.0",
      transport: "pipe",
      speed: 410,
      memory: { ...pool, stack: 8192, static: 6_310 },
      floor: 0.34,
      seed: 11,
    },
    {
      ...common,
      id: "posix-2",
      board: "posix",
      engine: "wasm3-0.5.0",
      transport: "pipe",
      speed: 385,
      memory: { ...pool, stack: 8192, static: 6_310 },
      floor: 0.41,
      seed: 23,
    },
    {
      ...common,
      id: "mps2-an386",
      board: "mps2-an386",
      engine: "wasm3-0.5.0",
      transport: "tcp",
      speed: 96,
      memory: { ...pool, stack: 4096, static: 5_204 },
      floor: 0.38,
      seed: 5,
    },
  ];
}

/** As many devices as wanted, all a little different. */
export function manyDevices(count: number): SyntheticDevice[] {
  const [first] = threeDevices();
  if (first === undefined) return [];
  return Array.from({ length: count }, (_, i) => ({
    ...first,
    id: `sensor-${String(i + 1).padStart(3, "0")}`,
    speed: 60 + ((i * 37) % 300),
    floor: 0.3 + ((i * 29) % 100) / 160,
    seed: i + 1,
  }));
}

function noise(seed: number, step: number): number {
  let x = (seed * 0x9e37 + step * 0x85eb) >>> 0;
  x = Math.imul(x ^ (x >>> 15), 0x7feb352d) >>> 0;
  x = Math.imul(x ^ (x >>> 13), 0x846ca68b) >>> 0;
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32 - 0.5;
}

/** Loss (nats) and accuracy of a device after its steps: 2.3 and one in ten at first, then a curve with a little noise. */
export function measure({ step, floor, seed }: SyntheticDevice): { loss: number; accuracy: number } {
  const progress = 1 / (1 + (step / 1400) ** 0.75);
  const wave = (scale: number) => noise(seed, Math.floor(step / scale)) * 0.06 * (0.25 + progress);
  const loss = floor + (Math.LN10 - floor) * progress + wave(60) + wave(17) * 0.6;
  const best = 1 - floor * 0.36;
  const accuracy = 0.1 + (best - 0.1) * (1 - progress ** 1.35) + wave(200) * 0.5;
  return { loss: Math.max(0.02, loss), accuracy: Math.min(0.99, Math.max(0.05, accuracy)) };
}

/** Publishes for all of its devices, as their bridge. */
export class SyntheticBridge {
  readonly devices: SyntheticDevice[];
  readonly #base: string;
  readonly #client: MqttClient;
  readonly #started = Date.now();
  #timer: NodeJS.Timeout | undefined;

  private constructor(client: MqttClient, base: string, devices: SyntheticDevice[]) {
    this.#client = client;
    this.#base = base;
    this.devices = devices;
    client.on("message", (topic, payload) => this.#set(topic, payload));
  }

  /** Connects to a broker (mqtt://…) and announces the devices. */
  static async connect(url: string, devices: SyntheticDevice[], base = "octomote"): Promise<SyntheticBridge> {
    const client = await mqtt.connectAsync(url, { protocolVersion: 4 });
    const bridge = new SyntheticBridge(client, base, devices);
    await client.subscribeAsync(`${base}/+/set`);
    await bridge.publish("bridge/state", { state: "online" }, true);
    await bridge.publish(
      "bridge/info",
      { version: "0.1.0", protocol: 1, broker: url, mqtt: 4, base, dataset: "fashion-mnist" },
      true,
    );
    await bridge.announce();
    return bridge;
  }

  /** Publishes one JSON value below the base topic. */
  async publish(topic: string, value: unknown, retain = false): Promise<void> {
    await this.raw(topic, JSON.stringify(value), retain);
  }

  /** Publishes any bytes below the base topic. */
  async raw(topic: string, payload: string | Buffer, retain = false): Promise<void> {
    await this.#client.publishAsync(`${this.#base}/${topic}`, payload, { qos: 1, retain });
  }

  /** The list of devices and the availability of each, retained. */
  async announce(): Promise<void> {
    const list = this.devices.map(({ id, board, engine, transport, moduleBytes, memory, online }) => ({
      id,
      board,
      engine,
      transport,
      firmware: "0.1.0",
      abi: 1,
      imports: ["octomote_1", "octo_int8_1"],
      module: { bytes: moduleBytes, sha256: "00".repeat(32) },
      memory,
      online,
      since: this.#started,
    }));
    await this.publish("bridge/devices", list, true);
    for (const { id, online } of this.devices) {
      await this.publish(`${id}/availability`, { state: online ? "online" : "offline" }, true);
    }
  }

  /** Publishes the state of one device, with `changes` laid over it. */
  async state(device: SyntheticDevice, changes: Record<string, unknown> = {}): Promise<void> {
    const state = {
      step: device.step,
      ...measure(device),
      learningRate: 0.005,
      evaluated: Math.floor(device.step / 10),
      saturated: Math.floor(device.step / 900),
      samples: device.step * BATCH,
      samplesPerSecond: device.running ? device.speed * (1 + noise(device.seed, device.step) * 0.06) : 0,
      bytesOut: 4200 + device.step * 3,
      dropped: 0,
      uptime: (Date.now() - this.#started) / 1000,
      running: device.running,
      memory: device.memory,
      time: Date.now(),
      ...changes,
    };
    await this.publish(device.id, state, true);
  }

  /** Trains: every `interval` ms each running device advances and tells its state, until `stop`. */
  run(interval = 100, speedUp = 1): void {
    this.#timer = setInterval(() => {
      for (const device of this.devices) {
        if (!device.online || !device.running) continue;
        device.step += Math.max(1, Math.round((device.speed * interval * speedUp) / 1000));
        void this.state(device);
      }
    }, interval);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#client.endAsync();
  }

  #set(topic: string, payload: Buffer): void {
    const id = topic.slice(this.#base.length + 1, -"/set".length);
    const device = this.devices.find((candidate) => candidate.id === id);
    const { running } = JSON.parse(payload.toString()) as { running?: boolean };
    if (device === undefined || running === undefined) return;
    device.running = running;
    void this.state(device);
    void this.publish(`${id}/log`, {
      level: "info",
      message: running ? "training resumed" : "training paused",
    });
  }
}
