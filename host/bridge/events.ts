// What happens in the bridge: the events that its extensions exchange.

import type { BridgeDevice } from "./device.ts";
import type { EventBus } from "./event-bus.ts";

export type LogLevel = "error" | "warning" | "info" | "debug";

/** Levels by the number that a device sends. */
export const LOG_LEVELS: readonly LogLevel[] = ["error", "warning", "info", "debug"];

export interface BridgeEvents {
  /** The broker can be reached: whatever is retained should be told again. */
  mqttUp: { version: 4 | 5 };
  mqttDown: { broker: string };
  /** The list of devices, or what is said of one, changed. */
  devicesChanged: { device: BridgeDevice };
  deviceOnline: { device: BridgeDevice };
  deviceOffline: { device: BridgeDevice };
  /** The device is forgotten: nothing of it may stay behind. */
  deviceRemoved: { id: string };
  deviceState: { device: BridgeDevice };
  deviceLog: { device: BridgeDevice; level: LogLevel; message: string };
  deviceFeatures: { device: BridgeDevice; bytes: Uint8Array };
  /** The bridge's own log. */
  log: { level: LogLevel; message: string };
}

export type BridgeBus = EventBus<BridgeEvents>;
