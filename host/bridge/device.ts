// A device as the bridge sees it: what it said last, and the link that it said it on.

import type { Answered, DeviceLink } from "../link/device-link.ts";
import { describeFault, errorName } from "../protocol/errors.ts";
import type { Hello, Memory, State } from "../protocol/messages.ts";
import type { StateRecord } from "../protocol/state-record.ts";
import { Rate } from "./rate.ts";

/** State of a device as `octomote/<device>` carries it (docs/mqtt.md); what it has not told is absent. */
export interface DeviceState {
  step?: number;
  loss?: number;
  accuracy?: number;
  class?: number;
  learningRate?: number;
  evaluated?: number;
  saturated?: number;
  /** Of a split model: bytes of all SGQ frames, bytes of the features as int8, version of the codebook (0: none). */
  featureBytes?: number;
  featureBytesRaw?: number;
  codebook?: number;
  /** Cells in which a camera sees something. */
  occupied?: number;
  /** What learning from its user has come to (docs/training.md). */
  personal?: PersonalState;
  /** What skipping unchanged patches saves (docs/pass.md). */
  pass?: PassState;
  samples?: number;
  samplesPerSecond?: number;
  bytesOut: number;
  dropped: number;
  /** Features that the bridge has left out, since they came too fast; absent while there are none. */
  featuresDropped?: number;
  /** Seconds. */
  uptime: number;
  running: boolean;
  memory: Memory;
  error?: { code: number; name: string; message: string };
  /** Milliseconds since 1970. */
  time: number;
}

export interface PersonalState {
  /** What the device sees has drifted away from what it learned: it wants labels. */
  due: boolean;
  /** Mean −ln p of the class that it holds likeliest, since it last learned; nats. */
  doubt?: number;
  /** Samples in the replay buffer. */
  kept?: number;
  /** Frames that a label sent over MQTT still holds for. */
  labelsLeft?: number;
}

/** Shares and rates are 0 … 1, of the last frame unless said otherwise. */
export interface PassState {
  dirty: number;
  macs?: number;
  /** Multiplications saved since the start, in thousands. */
  macsSaved?: number;
  /** Frames since the oldest patch was computed. */
  refreshAge?: number;
  harmful?: number;
  /** Grey levels. */
  noise?: number;
  denseFrames?: number;
}

/** An entry of `octomote/bridge/devices`. */
export interface DeviceListEntry {
  id: string;
  board: string;
  engine: string;
  firmware: string;
  abi: number;
  imports: string[];
  module: { bytes: number; sha256?: string };
  memory: Memory;
  transport: string;
  online: boolean;
  /** When it came or went, milliseconds since 1970. */
  since: number;
}

export class BridgeDevice {
  readonly id: string;
  link: DeviceLink;
  transport: string;
  hello: Hello;
  online = true;
  since = Date.now();
  /** Features that came faster than they are passed on. */
  featuresDropped = 0;
  #state: State | undefined;
  #stateTime = 0;
  readonly #rate = new Rate();
  /** Steps since its start that the device has told of, and after how many it pauses by itself; 0: never. */
  #steps = 0;
  #stopAt = 0;

  constructor(link: DeviceLink, transport: string, hello: Hello) {
    this.id = hello.id;
    this.link = link;
    this.transport = transport;
    this.hello = hello;
  }

  /** What it told last; undefined before the first state. */
  get state(): State | undefined {
    return this.#state;
  }

  /** Steps that are left of those that it was asked for, when it has made `steps`; undefined: it goes on without end. */
  stepsLeft(steps: number): number | undefined {
    return this.#stopAt === 0 ? undefined : Math.max(0, this.#stopAt - steps);
  }

  /** What it was asked, and has carried out. */
  answered(it: Answered): void {
    if (it.verb === "start") this.#stopAt = it.args.steps ?? 0;
    else if (it.verb === "resume") this.#stopAt = it.args.steps ? this.#steps + it.args.steps : 0;
    else if (it.verb === "status" || it.verb === "digest") this.#steps = it.answer.steps;
  }

  setState(state: State): void {
    this.#steps = state.steps;
    this.#state = state;
    this.#stateTime = Date.now();
    if (state.samples !== undefined) this.#rate.add(state.uptime, state.samples);
  }

  /** RAM in bytes that firmware and module really use: pool, C stack and static data; undefined if none is told. */
  get ramBytes(): number | undefined {
    const { poolUsed, linear, stack, static: data } = this.memory;
    const parts = [poolUsed ?? linear, stack, data].filter((part) => part !== undefined);
    return parts.length === 0 ? undefined : parts.reduce((sum, part) => sum + part, 0);
  }

  get memory(): Memory {
    return this.#state?.memory ?? this.hello.memory;
  }

  /** The state as it is published; undefined before the first. */
  stateJson(): DeviceState | undefined {
    const state = this.#state;
    if (!state) return undefined;
    const { record = {}, error } = state;
    return {
      step: record.steps ?? state.steps,
      loss: record.loss,
      accuracy: record.evaluated === 0 ? undefined : record.accuracy,
      class: record.class,
      learningRate: record.learningRate,
      evaluated: record.evaluated,
      saturated: record.saturated,
      featureBytes: record.featureBytes,
      featureBytesRaw: record.featureBytesRaw,
      codebook: record.codebook,
      occupied: record.occupied,
      personal: personalState(record),
      pass: passState(record),
      samples: state.samples,
      samplesPerSecond: round(state.running ? this.#rate.perSecond : 0, 10),
      bytesOut: state.bytesSent,
      dropped: state.dropped,
      featuresDropped: this.featuresDropped || undefined,
      uptime: round(state.uptime / 1000, 1000) as number,
      running: state.running,
      memory: this.memory,
      error: error && { code: error.code, name: errorName(error.code), message: describeFault(error) },
      time: this.#stateTime,
    };
  }

  listEntry(): DeviceListEntry {
    const { board, engine, firmware, abi, imports, moduleBytes, moduleSha256 } = this.hello;
    return {
      id: this.id,
      board,
      engine,
      firmware,
      abi,
      imports,
      module: { bytes: moduleBytes, sha256: moduleSha256 && Buffer.from(moduleSha256).toString("hex") },
      memory: this.memory,
      transport: this.transport,
      online: this.online,
      since: this.since,
    };
  }
}

function personalState({ due, doubt, kept, labelsLeft }: StateRecord): PersonalState | undefined {
  if (due === undefined) return undefined;
  return { due: due !== 0, doubt: round(doubt, 10_000), kept, labelsLeft };
}

function passState(record: StateRecord): PassState | undefined {
  const { dirty, macs, macsSaved, refreshAge, harmful, noise, denseFrames } = record;
  if (dirty === undefined) return undefined;
  const short = (share: number | undefined) => round(share, 10_000);
  return {
    dirty: short(dirty) as number,
    macs: short(macs),
    macsSaved,
    refreshAge,
    harmful: short(harmful),
    noise: round(noise, 100),
    denseFrames,
  };
}

function round(value: number | undefined, parts: number): number | undefined {
  return value === undefined ? undefined : Math.round(value * parts) / parts;
}
