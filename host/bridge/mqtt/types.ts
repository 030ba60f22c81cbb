// What a connection to a broker takes and gives.

import type { TlsFiles } from "./tls.ts";

/** Brokers that speak MQTT 5, and how it is named in their CONNACK. */
export type MqttVersion = 4 | 5;

export interface MqttOptions extends TlsFiles {
  /** mqtt://, mqtts://, ws:// or wss://, with or without user and password. */
  url: string;
  username?: string;
  password?: string;
  clientId?: string;
  /** Published by the broker, retained, when this connection dies. */
  will?: { topic: string; payload: string };
  /** Tries only this version; without it MQTT 5, then 3.1.1. */
  version?: MqttVersion;
  /** Milliseconds between tries to come back; 1,000. */
  reconnectPeriod?: number;
  /** Milliseconds until an attempt to connect counts as failed; 10,000. */
  connectTimeout?: number;
  /**
   * Seconds for which the broker keeps subscriptions and QoS 1 messages while this client is away; needs a `clientId`. Without it
   * every connection starts anew.
   */
  sessionExpiry?: number;
}

export interface PublishOptions {
  qos?: 0 | 1;
  retain?: boolean;
  /** MQTT 5: what the payload is; `application/json` by itself when it is text. */
  contentType?: string;
  /** MQTT 5: seconds after which the broker may forget the message. */
  expiry?: number;
  /** MQTT 5: of the request that this message answers. */
  correlationData?: Buffer;
}

/** What the broker said of a message of QoS 1. */
export interface Delivery {
  /** False: no subscription matched, so that the broker has forgotten it (MQTT 5; MQTT 3.1.1 does not tell). */
  heard: boolean;
}

/** A message that arrived. */
export interface Message {
  topic: string;
  payload: Buffer;
  /** It was kept by the broker since before our subscription. */
  retained: boolean;
  responseTopic?: string;
  correlationData?: Buffer;
}

/** What is done with a message. The broker gets its acknowledgement when a promise that it returns has been kept. */
export type MessageHandler = (message: Message) => unknown;

export interface MqttStats {
  in: number;
  out: number;
  dropped: number;
}
