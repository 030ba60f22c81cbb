// The virtual devices of `octomote start`: given data, started, told to learn, and ended.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bridge } from "../../bridge/bridge.ts";
import { messageOf } from "../../bridge/errors.ts";
import { startVirtualDevice, type VirtualDevice } from "../../devices/virtual-device.ts";
import { SessionRecorder } from "../../replay/recorder.ts";
import { openLog } from "../support/files.ts";
import type { Lifetime } from "../support/lifetime.ts";
import { logPath } from "../support/recordings.ts";
import type { PlannedDevice } from "./plan.ts";
import type { SampleSource } from "./source.ts";

/** Loading a module takes its time on an emulated board. */
const START_MS = 60_000;

export interface FleetOptions {
  devices: readonly PlannedDevice[];
  /** Device module. */
  module: string;
  source: SampleSource;
  /** Writes a session log of each device to this file; of several, to one each with the device's id in its name. */
  record?: string;
}

type Tell = (level: "error" | "warning", message: string) => void;

interface Recording {
  recorder: SessionRecorder;
  close(): void;
}

export class Fleet {
  readonly #bridge: Bridge;
  readonly #lifetime: Lifetime;
  /** Devices and the seeds they learn with. */
  readonly #running = new Map<VirtualDevice, number>();
  readonly #starting = new Set<Promise<void>>();
  readonly #over = new AbortController();
  readonly #tell: Tell;
  readonly #recordings: Recording[] = [];

  /** Does nothing. `tell` hears of devices that end by themselves. */
  constructor(bridge: Bridge, lifetime: Lifetime, tell: Tell) {
    this.#bridge = bridge;
    this.#lifetime = lifetime;
    this.#tell = tell;
  }

  /** Starts all devices, side by side, and waits for their hello; they end with the lifetime. */
  async start(options: FleetOptions): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), "octomote-"));
    this.#lifetime.atEnd(() => rm(folder, { recursive: true, force: true }));
    this.#lifetime.atEnd(() => this.#stop());
    const starts = options.devices.map((device) => {
      const start = this.#startOne(device, options, folder);
      this.#starting.add(start);
      return start;
    });
    await Promise.all(starts);
  }

  async #startOne(planned: PlannedDevice, options: FleetOptions, folder: string): Promise<void> {
    const samples = join(folder, `${planned.id}.samples`);
    const file = options.source.samples(planned.seed);
    await writeFile(samples, file);
    const device = await startVirtualDevice({
      id: planned.id,
      board: planned.board,
      module: options.module,
      samples,
      signal: this.#over.signal,
    });
    this.#running.set(device, planned.seed);
    if (options.record !== undefined) await this.#record(device, file, options);
    const detach = this.#bridge.attach(
      device.link,
      device.pid === undefined ? "virtual" : `virtual, process ${device.pid}`,
    );
    void device.exited.then(({ code, signal, output }) => {
      this.#running.delete(device);
      detach();
      if (this.#lifetime.signal.aborted) return;
      this.#tell(
        "error",
        `${planned.id} ended by itself (${signal ?? `code ${code}`})${output && `: ${output}`}`,
      );
      if (this.#running.size === 0) this.#lifetime.leave("all devices ended");
    });
  }

  /** Tells all devices to learn; resolves to whether all of them do. What keeps one from it is told. */
  async learn(params: Readonly<Record<string, number>>): Promise<boolean> {
    const answers = [...this.#running].map(async ([device, seed]) => {
      try {
        await device.link.request("start", { seed, params }, { timeoutMs: START_MS });
        return true;
      } catch (error) {
        if (this.#running.has(device)) this.#tell("error", messageOf(error));
        return false;
      }
    });
    return (await Promise.all(answers)).every((learns) => learns);
  }

  async #record(device: VirtualDevice, samples: Uint8Array, options: FleetOptions): Promise<void> {
    const record = options.record as string;
    const path = options.devices.length === 1 ? record : logPath(record, device.id);
    const log = openLog(path, (error) => this.#tell("error", messageOf(error)));
    const recorder = new SessionRecorder({
      module: await readFile(options.module),
      samples,
      source: options.source.name,
      write: (entry) => log.write(entry),
    });
    recorder.attach(device.link);
    this.#recordings.push({ recorder, close: () => log.close() });
  }

  async #stop(): Promise<void> {
    await Promise.all(
      this.#recordings.splice(0).map(async ({ recorder, close }) => {
        await recorder.end();
        close();
      }),
    );
    const ends = [...this.#running.keys()].map((device) =>
      device.stop().catch((error) => this.#tell("error", `${device.id}: ${messageOf(error)}`)),
    );
    this.#over.abort();
    await Promise.all(ends);
    await Promise.allSettled(this.#starting);
  }
}
