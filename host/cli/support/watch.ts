// What a broker tells of devices, gathered: for the verbs that look on. Whatever comes is parsed as strictly as the page
// does; what is not as docs/mqtt.md says is left out, and counted.

import type { MqttConnection } from "../../bridge/mqtt/connection.ts";
import {
  type DeviceInfo,
  type DeviceState,
  type LogMessage,
  PayloadError,
  parseAvailability,
  parseDeviceList,
  parseDeviceState,
  parseJson,
  parseLog,
} from "../../dashboard/model/parse.ts";
import { route, subscriptions } from "../../dashboard/model/topics.ts";
import type { DeviceRow } from "./device-table.ts";

export interface WatchedDevice {
  id: string;
  info?: DeviceInfo;
  state?: DeviceState;
  online?: boolean;
}

/** What arrived, for those who want each message. */
export type WatchEvent =
  | { kind: "bridge"; online: boolean }
  | { kind: "devices"; list: DeviceInfo[] }
  | { kind: "state"; device: string; state: DeviceState }
  | { kind: "availability"; device: string; online: boolean }
  | { kind: "log"; device?: string; log: LogMessage };

export class Watch {
  readonly devices = new Map<string, WatchedDevice>();
  /** Whether the bridge is there; undefined until the broker has told. */
  bridgeOnline: boolean | undefined;
  /** Whether the list of devices has come. */
  listed = false;
  /** Messages that were not as docs/mqtt.md says. */
  refused = 0;
  readonly #mqtt: MqttConnection;
  readonly #base: string;
  readonly #heard: (event: WatchEvent) => void;

  /** Does nothing. */
  constructor(mqtt: MqttConnection, base: string, heard: (event: WatchEvent) => void = () => {}) {
    this.#mqtt = mqtt;
    this.#base = base;
    this.#heard = heard;
  }

  /** Subscribes; call it on a connected client. */
  async start(): Promise<void> {
    await this.#mqtt.subscribe(subscriptions(this.#base), ({ topic, payload }) => {
      try {
        this.#take(topic, payload);
      } catch (error) {
        if (!(error instanceof PayloadError)) throw error;
        this.refused++;
      }
    });
  }

  /** All devices by id, as rows of the table. */
  rows(): DeviceRow[] {
    return [...this.devices.values()].sort((a, b) => a.id.localeCompare(b.id)).map(rowOf);
  }

  #take(topic: string, payload: Buffer): void {
    const to = route(this.#base, topic);
    if (!to || to.of === "cloud") return;
    if (payload.length === 0) {
      // Taken back: the device was removed.
      if (to.of === "device" && to.topic === "state") this.devices.delete(to.id);
      return;
    }
    const value = parseJson(payload);
    if (to.of === "bridge") {
      if (to.topic === "state") {
        this.bridgeOnline = parseAvailability(value);
        this.#heard({ kind: "bridge", online: this.bridgeOnline });
      } else if (to.topic === "devices") this.#list(parseDeviceList(value));
      else if (to.topic === "logging") this.#heard({ kind: "log", log: parseLog(value) });
      return;
    }
    const device = this.devices.get(to.id) ?? { id: to.id };
    if (to.topic === "state") {
      device.state = parseDeviceState(value);
      this.devices.set(to.id, device);
      this.#heard({ kind: "state", device: to.id, state: device.state });
    } else if (to.topic === "availability") {
      device.online = parseAvailability(value);
      this.devices.set(to.id, device);
      this.#heard({ kind: "availability", device: to.id, online: device.online });
    } else this.#heard({ kind: "log", device: to.id, log: parseLog(value) });
  }

  #list(list: DeviceInfo[]): void {
    this.listed = true;
    for (const info of list) {
      const device = this.devices.get(info.id) ?? { id: info.id };
      device.info = info;
      device.online = info.online;
      this.devices.set(info.id, device);
    }
    this.#heard({ kind: "devices", list });
  }
}

function rowOf({ id, info, state, online }: WatchedDevice): DeviceRow {
  const memory = state?.memory ?? info?.memory;
  const parts = [memory?.poolUsed ?? memory?.linear, memory?.stack, memory?.static];
  const told = parts.filter((part) => part !== undefined);
  return {
    id,
    board: info?.board ?? "?",
    online: online ?? false,
    running: state?.running,
    step: state?.step,
    loss: state?.loss,
    accuracy: state?.accuracy,
    samplesPerSecond: state?.samplesPerSecond,
    bytesOut: state?.bytesOut,
    ramBytes: told.length === 0 ? undefined : told.reduce((sum, part) => sum + part, 0),
    error: state?.error?.message ?? state?.error?.name,
  };
}
