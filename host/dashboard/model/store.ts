// Everything the page knows, fed by MQTT messages. It draws nothing: views read it, at their own pace, and learn from
// `revision` and `devicesRevision` whether anything is new.

import { decodePreview, type Preview } from "../../protocol/preview.ts";
import {
  type BridgeHealth,
  type BridgeInfo,
  cleanText,
  type DeviceInfo,
  type DeviceState,
  isDeviceId,
  type LogLevel,
  MAX_DEVICES,
  PayloadError,
  parseAvailability,
  parseBridgeHealth,
  parseBridgeInfo,
  parseDeviceList,
  parseDeviceState,
  parseJson,
  parseLog,
} from "./parse.ts";
import { type CloudState, type CloudView, parseCloudState, parseCloudView } from "./parse-cloud.ts";
import { Timeline } from "./timeline.ts";
import { type CloudTopic, route } from "./topics.ts";

export type Metric = "loss" | "accuracy";
export type Axis = "minutes" | "hour" | "all" | "steps";
export type Presence = "online" | "offline" | "unknown";

export interface Device {
  readonly id: string;
  /** Lowest number that no other device has: picks colour and dash. */
  readonly slot: number;
  listed?: DeviceInfo;
  state?: DeviceState;
  available?: boolean;
  /** Of features that were sent lately: bytes as int8 by bytes of frames, and the totals that this was told from. */
  smaller?: { readonly ratio?: number; readonly raw: number; readonly sent: number };
  /** What a camera saw last. */
  preview?: Preview;
  /** What the person asked for and the device has not confirmed yet. */
  wanted?: { running: boolean; at: number };
  /** Whether a message came since the page last connected. */
  confirmed: boolean;
  /** Grows with each change of this device. */
  revision: number;
}

export interface LogLine {
  readonly number: number;
  /** Milliseconds since 1970, the page's clock. */
  readonly at: number;
  readonly source: string;
  readonly level: LogLevel;
  readonly message: string;
}

export interface Warning {
  readonly topic: string;
  readonly why: string;
}

const METRICS: readonly Metric[] = ["loss", "accuracy"];
const BUCKETS = 1200;
/** Seconds of silence that break a line. */
const SILENCE = 15;
export const LOG_LINES = 400;
const WARNINGS_KEPT = 20;
/** A switch that no device confirms within this many ms falls back. */
const CONFIRM_WITHIN = 6000;

export class Store {
  readonly base: string;
  readonly devices = new Map<string, Device>();
  readonly log: LogLine[] = [];
  /** The latest malformed messages; `warningCount` counts all. */
  readonly warnings: Warning[] = [];
  warningCount = 0;
  messageCount = 0;
  bridgeOnline: boolean | undefined;
  info: BridgeInfo | undefined;
  health: BridgeHealth | undefined;
  /** Of a split model: how its cloud half is doing, whether it is there, and what came of each device last. */
  cloud: CloudState | undefined;
  cloudOnline: boolean | undefined;
  readonly views = new Map<string, CloudView>();
  /** Grows with every message; `devicesRevision` when a device came or went. */
  revision = 0;
  devicesRevision = 0;
  readonly timelines: Readonly<Record<Axis, Timeline>> = {
    minutes: new Timeline({
      metrics: METRICS,
      capacity: BUCKETS,
      width: 0.25,
      overflow: "shift",
      silence: SILENCE,
    }),
    hour: new Timeline({
      metrics: METRICS,
      capacity: BUCKETS,
      width: 3,
      overflow: "shift",
      silence: SILENCE,
    }),
    all: new Timeline({
      metrics: METRICS,
      capacity: BUCKETS,
      width: 0.25,
      overflow: "fold",
      silence: SILENCE,
    }),
    steps: new Timeline({ metrics: METRICS, capacity: BUCKETS, width: 1, overflow: "fold", origin: 0 }),
  };
  /** What cameras skip: the last five minutes of each. */
  readonly skipped = new Timeline({
    metrics: ["dirty", "macs"],
    capacity: BUCKETS,
    width: 0.25,
    overflow: "shift",
    silence: SILENCE,
  });
  #logNumber = 0;

  constructor(base: string) {
    this.base = base;
  }

  /** A new connection: what no message confirms, and the bridge's list does not name, is gone. */
  connected(): void {
    for (const device of this.devices.values()) device.confirmed = false;
  }

  /**
   * Takes one message. A malformed one is counted and kept in `warnings`; it changes nothing else.
   * @param now milliseconds since 1970, never going back
   */
  receive(topic: string, payload: Uint8Array, retained: boolean, now: number): void {
    const to = route(this.base, topic);
    if (to === null) return;
    this.revision++;
    this.messageCount++;
    try {
      if (to.of === "bridge") {
        this.#bridge(to.topic, payload, now);
        return;
      }
      if (to.of === "cloud") {
        this.#cloud(to.topic, payload);
        return;
      }
      if (!isDeviceId(to.id)) throw new PayloadError("", "its topic does not name a device");
      if (payload.length === 0) this.#clear(to.id, to.topic);
      else if (to.topic === "preview") this.#preview(to.id, payload);
      else if (to.topic === "state") this.#state(to.id, parseDeviceState(parseJson(payload)), retained, now);
      else if (to.topic === "availability") this.#availability(to.id, parseAvailability(parseJson(payload)));
      else this.#addLog(to.id, parseLog(parseJson(payload)), now);
    } catch (error) {
      if (!(error instanceof PayloadError)) throw error;
      this.#warn(topic, error.message);
    }
  }

  /** A device counts as online when it says so and the bridge that speaks for it is not known to be gone. */
  presence(device: Device): Presence {
    if (this.bridgeOnline === false) return "offline";
    const told = device.available ?? device.listed?.online;
    if (told !== undefined) return told ? "online" : "offline";
    return "unknown";
  }

  /** Remembers what was asked of a device until it confirms. */
  want(device: Device, running: boolean, now: number): void {
    device.wanted = { running, at: now };
    this.#touch(device);
  }

  /** Drops requests that were not confirmed in time; returns the devices that did not answer. */
  expire(now: number): Device[] {
    const silent: Device[] = [];
    for (const device of this.devices.values()) {
      if (device.wanted === undefined || now - device.wanted.at < CONFIRM_WITHIN) continue;
      const what = device.wanted.running ? "resume" : "pause";
      device.wanted = undefined;
      this.#touch(device);
      this.#addLog(device.id, { level: "warning", message: `did not confirm the request to ${what}` }, now);
      silent.push(device);
    }
    return silent;
  }

  #bridge(topic: string, payload: Uint8Array, now: number): void {
    if (payload.length === 0) {
      if (topic === "state") this.bridgeOnline = undefined;
      if (topic === "info") this.info = undefined;
      return;
    }
    const value = parseJson(payload);
    if (topic === "state") {
      this.bridgeOnline = parseAvailability(value);
      for (const device of this.devices.values()) {
        if (!this.bridgeOnline) this.#breakTime(device.id);
        this.#touch(device);
      }
    } else if (topic === "info") this.info = parseBridgeInfo(value);
    else if (topic === "health") this.health = parseBridgeHealth(value);
    else if (topic === "devices") this.#list(parseDeviceList(value));
    else this.#addLog("bridge", parseLog(value), now);
  }

  #cloud(topic: CloudTopic, payload: Uint8Array): void {
    if (payload.length === 0) {
      if (topic === "state") this.cloud = undefined;
      if (topic === "availability") this.cloudOnline = undefined;
      return;
    }
    const value = parseJson(payload);
    if (topic === "state") this.cloud = parseCloudState(value);
    else if (topic === "availability") this.cloudOnline = parseAvailability(value);
    else {
      const view = parseCloudView(value);
      if (this.views.size >= MAX_DEVICES && !this.views.has(view.device))
        throw new PayloadError("", `more than ${MAX_DEVICES} devices`);
      this.views.set(view.device, view);
    }
  }

  #list(entries: DeviceInfo[]): void {
    const listed = new Set(entries.map(({ id }) => id));
    for (const entry of entries) {
      const device = this.#device(entry.id);
      device.listed = entry;
      this.#touch(device);
    }
    for (const device of this.devices.values()) {
      if (listed.has(device.id)) continue;
      device.listed = undefined;
      if (!device.confirmed) this.#remove(device);
      else this.#touch(device);
    }
  }

  #state(id: string, state: DeviceState, retained: boolean, now: number): void {
    const device = this.#device(id);
    const before = device.state?.step;
    device.state = state;
    device.smaller = smallerBy(device.smaller, state);
    if (state.running === device.wanted?.running) device.wanted = undefined;
    this.#touch(device);
    if (state.step !== undefined && before !== undefined && state.step < before) {
      // Started anew: by step it is another run, by time the same device after a break.
      this.timelines.steps.remove(id);
      this.#breakTime(id);
    }
    // A retained message tells how things stood, not when: it has no place on the charts.
    if (retained) return;
    const { loss, accuracy, step, pass } = state;
    if (pass !== undefined) this.skipped.add(id, now / 1000, { dirty: pass.dirty, macs: pass.macs });
    if (loss === undefined && accuracy === undefined) return;
    const seconds = now / 1000;
    this.timelines.minutes.add(id, seconds, { loss, accuracy });
    this.timelines.hour.add(id, seconds, { loss, accuracy });
    this.timelines.all.add(id, seconds, { loss, accuracy });
    if (step !== undefined) this.timelines.steps.add(id, step, { loss, accuracy });
  }

  #preview(id: string, payload: Uint8Array): void {
    const preview = decodePreview(payload);
    if (preview === null) throw new PayloadError("", "is no preview of a camera");
    const device = this.#device(id);
    device.preview = preview;
    this.#touch(device);
  }

  #availability(id: string, online: boolean): void {
    const device = this.#device(id);
    device.available = online;
    if (!online) {
      device.wanted = undefined;
      this.#breakTime(id);
    }
    this.#touch(device);
  }

  /** An empty retained message takes a topic back; a device with nothing left to show goes. */
  #clear(id: string, topic: string): void {
    const device = this.devices.get(id);
    if (device === undefined) return;
    if (topic === "state") device.state = undefined;
    if (topic === "availability") device.available = undefined;
    this.#touch(device);
    const empty = device.state === undefined && device.available === undefined && device.listed === undefined;
    if (empty) this.#remove(device);
  }

  #device(id: string): Device {
    let device = this.devices.get(id);
    if (device === undefined) {
      if (this.devices.size >= MAX_DEVICES) throw new PayloadError("", `more than ${MAX_DEVICES} devices`);
      const taken = new Set([...this.devices.values()].map(({ slot }) => slot));
      let slot = 0;
      while (taken.has(slot)) slot++;
      device = { id, slot, confirmed: true, revision: 0 };
      this.devices.set(id, device);
      this.devicesRevision++;
    }
    device.confirmed = true;
    return device;
  }

  #remove(device: Device): void {
    this.devices.delete(device.id);
    for (const timeline of Object.values(this.timelines)) timeline.remove(device.id);
    this.skipped.remove(device.id);
    this.devicesRevision++;
  }

  #touch(device: Device): void {
    device.revision++;
    this.revision++;
  }

  #breakTime(id: string): void {
    this.timelines.minutes.break(id);
    this.timelines.hour.break(id);
    this.timelines.all.break(id);
    this.skipped.break(id);
  }

  #addLog(source: string, { level, message }: { level: LogLevel; message: string }, at: number): void {
    this.log.push({ number: this.#logNumber++, at, source, level, message });
    if (this.log.length > LOG_LINES) this.log.splice(0, this.log.length - LOG_LINES);
    this.revision++;
  }

  #warn(topic: string, why: string): void {
    this.warningCount++;
    this.warnings.push({ topic: cleanText(topic, 160), why: cleanText(why, 200) });
    if (this.warnings.length > WARNINGS_KEPT) this.warnings.shift();
  }
}

/** So many bytes say how small features are. */
const ENOUGH = 4096;

function smallerBy(before: Device["smaller"], state: DeviceState): Device["smaller"] {
  const { featureBytesRaw: raw, featureBytes: sent } = state;
  if (raw === undefined || sent === undefined || sent === 0) return undefined;
  // started anew, or heard for the first time
  if (before === undefined || sent < before.sent || raw < before.raw) return { ratio: raw / sent, raw, sent };
  return sent - before.sent < ENOUGH
    ? before
    : { ratio: (raw - before.raw) / (sent - before.sent), raw, sent };
}
