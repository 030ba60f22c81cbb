// A virtual device's inside in Node: loads the module, plays the samples, steps, and carries out requests with the
// meanings that boards/runtime/requests.c gives them. The link is device-endpoint.ts, the process node-device.ts.

import type { Samples } from "../data/sample-file.ts";
import { MAX_PARAMS, ModuleHost } from "../module/module-host.ts";
import { errorCode, type Fault } from "../protocol/errors.ts";
import type { Memory, State } from "../protocol/messages.ts";
import type { Param } from "../protocol/params.ts";
import type { At } from "../protocol/requests.ts";
import { decodeStateRecord, type StateRecord } from "../protocol/state-record.ts";
import { DeviceFault, type Handlers } from "./device-endpoint.ts";
import { moduleFault } from "./module-fault.ts";

export interface RunnerOptions {
  module: Uint8Array<ArrayBuffer>;
  /** `intrinsics.wasm`, for device modules. */
  intrinsics?: Uint8Array<ArrayBuffer>;
  samples: Samples;
  /** Milliseconds since the device started. */
  clock(): number;
  /** False: they do not fit a frame. */
  features(bytes: Uint8Array): boolean;
  log(level: 0 | 1 | 2 | 3, text: string): void;
  /** What the link counts. */
  counts(): { bytesSent: number; dropped: number };
}

/** The state is told at least so often, as a sign of life. */
const HEARTBEAT_MS = 1000;

const fault = (name: string, numbers: Omit<Fault, "code"> = {}) =>
  new DeviceFault({ code: errorCode(name) as number, ...numbers });

export class ModuleRunner {
  readonly handlers: Handlers;
  readonly #options: RunnerOptions;
  #host: ModuleHost | null = null;
  /** False once it has stopped with an error: then it is looked at, and runs no more. */
  #ready = false;
  #running = false;
  #steps = 0;
  #stepsLeft = 0;
  #nextSample = 0;
  #samples = 0;
  #record: StateRecord | undefined;
  #error: Fault | undefined;
  /** A learned state that is being written, block by block. */
  #written: Uint8Array | null = null;
  #dirty = true;
  #heartbeatAt = 0;
  #scheduled = false;
  /** When the next step may be made. */
  #stepAt = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.handlers = {
      start: ({ seed, params, steps }) => this.#start(seed, params, steps),
      pause: () => this.#run(false, 0),
      resume: ({ steps }) => {
        this.#loaded();
        return this.#run(true, steps);
      },
      read: ({ region, offset, length }) => this.#read(region, offset, length),
      write: ({ region, offset, bytes, last }) => this.#write(region, offset, bytes, last),
      selfTest: () => this.#selfTest(),
      message: ({ bytes }) => this.#message(bytes),
      status: () => this.#state(),
      digest: () => this.#digest(),
    };
  }

  get running(): boolean {
    return this.#running;
  }

  get memory(): Memory {
    return this.#host === null ? {} : { linear: this.#host.memory.used };
  }

  /** The state if there is something new. */
  newState(): State | null {
    const now = this.#options.clock();
    if (!this.#dirty && now < this.#heartbeatAt) return null;
    this.#dirty = false;
    this.#heartbeatAt = now + HEARTBEAT_MS;
    return this.#state();
  }

  /** Loads the module anew and runs it. @throws DeviceFault */
  async #start(seed: number, params: readonly Param[], steps: number): Promise<undefined> {
    if (params.length > MAX_PARAMS) throw fault("too-many-params", { got: params.length, want: MAX_PARAMS });
    await this.#load(seed, params);
    return this.#run(true, steps);
  }

  async #load(seed: number, params: readonly Param[]): Promise<ModuleHost> {
    const { module, intrinsics, samples, clock, features, log } = this.#options;
    this.#run(false, 0);
    this.#host = null;
    this.#ready = false;
    this.#steps = 0;
    this.#nextSample = 0;
    this.#samples = 0;
    this.#record = undefined;
    this.#error = undefined;
    this.#written = null;
    const started = (async () => {
      const host = await ModuleHost.load(module, {
        seed,
        params,
        ...(intrinsics === undefined ? {} : { intrinsics }),
        sensor: () => {
          const sample = samples.at(this.#nextSample);
          this.#nextSample = (this.#nextSample + 1) % samples.count;
          this.#samples++;
          return sample;
        },
        publish: (channel, bytes) => (channel === 0 ? this.#publish(bytes) : features(bytes)),
        log: (level, text) => log((level & 3) as 0 | 1 | 2 | 3, text),
        clock: () => BigInt(Math.trunc(clock())),
      });
      host.start();
      return host;
    })();
    this.#host = await started.catch((error) => this.#failed(error, "init"));
    this.#ready = true;
    return this.#host;
  }

  #publish(bytes: Uint8Array): boolean {
    const record = decodeStateRecord(bytes);
    if (record === null) return false;
    this.#record = record;
    this.#dirty = true;
    return true;
  }

  /** The module is stopped by its error, which the state keeps; what it has learned can still be read. */
  #failed(error: unknown, entry: string): never {
    const told = moduleFault(error, entry);
    this.#ready = false;
    this.#error = told;
    this.#run(false, 0);
    if (told.text) this.#options.log(0, told.text);
    throw new DeviceFault(told);
  }

  #loaded(): ModuleHost {
    if (this.#host === null || !this.#ready) throw fault("not-loaded");
    return this.#host;
  }

  #run(running: boolean, steps: number): undefined {
    this.#running = running;
    this.#stepsLeft = steps;
    this.#dirty = true;
    if (running) this.#schedule();
    return undefined;
  }

  /** One step in each turn of the event loop, so that the link is heard in between; no faster than the samples are meant to be played. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const { perSecond } = this.#options.samples;
    const due = this.#stepAt - this.#options.clock();
    const turn = () => {
      this.#scheduled = false;
      if (!this.#running || this.#host === null) return;
      if (perSecond > 0) this.#stepAt = this.#options.clock() + 1000 / perSecond;
      this.#step(this.#host);
      if (this.#running) this.#schedule();
    };
    if (perSecond > 0 && due > 0) setTimeout(turn, due);
    else setImmediate(turn);
  }

  #step(host: ModuleHost): void {
    try {
      host.step();
    } catch (error) {
      try {
        this.#failed(error, "step");
      } catch {
        // The state tells it; nobody asked for this step.
      }
      return;
    }
    this.#steps++;
    if (this.#stepsLeft !== 0 && --this.#stepsLeft === 0) this.#run(false, 0);
  }

  #region(region: number): Uint8Array {
    if (this.#host === null) throw fault("not-loaded");
    const state = this.#host.state();
    if (region !== 0 || state.length === 0) throw fault("no-region", { got: region });
    return state;
  }

  #read(region: number, offset: number, length: number): { bytes: Uint8Array; total: number } & At {
    const state = this.#region(region);
    if (offset + length > state.length)
      throw fault("bad-range", { got: offset + length, want: state.length });
    return { bytes: state.slice(offset, offset + length), total: state.length, steps: this.#steps };
  }

  #write(region: number, offset: number, bytes: Uint8Array, last: boolean): At {
    const own = this.#region(region);
    const end = offset + bytes.length;
    if (end > own.length) throw fault("bad-range", { got: end, want: own.length });
    const whole = this.#written !== null && offset > 0 ? this.#written : own.slice();
    whole.set(bytes, offset);
    this.#written = whole;
    if (!last) return { steps: this.#steps };
    this.#written = null;
    const host = this.#loaded();
    const wrong = host.refusalOf(whole);
    if (wrong !== null) throw new DeviceFault(wrong);
    try {
      host.restore(whole);
    } catch (error) {
      this.#failed(error, "restore");
    }
    return { steps: this.#steps };
  }

  /** The golden vectors may touch the module: it is forgotten afterwards. */
  async #selfTest(): Promise<number> {
    const host = await this.#load(0, []);
    try {
      return host.selfTest();
    } catch (error) {
      return this.#failed(error, "selfTest");
    } finally {
      this.#host = null;
    }
  }

  #message(bytes: Uint8Array): At {
    const host = this.#loaded();
    const inbox = host.inbox;
    if (inbox === 0) throw fault("no-inbox");
    if (bytes.length > inbox) throw fault("message-too-long", { got: bytes.length, want: inbox });
    try {
      host.message(bytes);
    } catch (error) {
      this.#failed(error, "message");
    }
    return { steps: this.#steps };
  }

  async #digest(): Promise<{ sha256: Uint8Array; steps: number }> {
    const state = this.#region(0);
    const steps = this.#steps;
    return { sha256: new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(state))), steps };
  }

  #state(): State {
    return {
      ...(this.#record === undefined ? {} : { record: this.#record }),
      uptime: Math.trunc(this.#options.clock()),
      steps: this.#steps,
      ...this.#options.counts(),
      memory: this.memory,
      running: this.#running,
      ...(this.#error === undefined ? {} : { error: this.#error }),
      samples: this.#samples,
    };
  }
}
