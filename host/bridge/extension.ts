// What an extension of the bridge is, and what it may use.

import type { DeviceRegistry } from "./device-registry.ts";
import type { BridgeBus } from "./events.ts";
import type { MqttConnection } from "./mqtt/connection.ts";
import type { Topics } from "./topics.ts";

/** Facts about this bridge that it publishes. */
export interface BridgeFacts {
  /** Version of Octomote. */
  version: string;
  /** Data set that the devices learn from, where the bridge knows it. */
  dataset?: string;
}

/** What every extension gets. Extensions do not know each other: they meet on the bus. */
export interface BridgeContext {
  bus: BridgeBus;
  mqtt: MqttConnection;
  devices: DeviceRegistry;
  topics: Topics;
  facts: BridgeFacts;
}

/** One concern of the bridge. The constructor does nothing; `start` subscribes, `stop` undoes it. */
export interface Extension {
  readonly name: string;
  start(): void | Promise<void>;
  stop(): void | Promise<void>;
}
