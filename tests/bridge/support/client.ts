// A client of the bridge's topics for tests: keeps the last message of each topic, and asks requests.

import mqtt, { type IPublishPacket } from "mqtt";
import { until } from "./wait.ts";

export interface Received {
  payload: Buffer;
  packet: IPublishPacket;
}

export class TestClient {
  /** Last message of each topic, empty ones included. */
  readonly last = new Map<string, Received>();
  /** Every message, in order. */
  readonly all: { topic: string; text: string; retain: boolean }[] = [];
  readonly mqtt: mqtt.MqttClient;
  #transaction = 0;

  private constructor(client: mqtt.MqttClient) {
    this.mqtt = client;
    client.on("message", (topic, payload, packet) => {
      this.last.set(topic, { payload, packet });
      this.all.push({ topic, text: payload.toString(), retain: packet.retain });
    });
  }

  static async connect(url: string, version: 4 | 5, filter = "#"): Promise<TestClient> {
    const client = await mqtt.connectAsync(url, { protocolId: "MQTT", protocolVersion: version });
    const it = new TestClient(client);
    await client.subscribeAsync(filter, { qos: 1 });
    return it;
  }

  /** The last message of a topic as JSON; undefined before the first, null when it was taken back. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into payloads whose shape they assert
  json(topic: string): any {
    const message = this.last.get(topic);
    if (!message) return undefined;
    return message.payload.length === 0 ? null : JSON.parse(message.payload.toString());
  }

  /** Waits until a topic's last message satisfies `accept`, and returns it. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  async wait(topic: string, accept: (value: any) => boolean = (value) => value !== undefined): Promise<any> {
    await until(() => accept(this.json(topic)));
    return this.json(topic);
  }

  /** Sends a request of the bridge and returns its response. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  async ask(verb: string, request: object = {}): Promise<any> {
    const transaction = ++this.#transaction;
    this.mqtt.publish(`octomote/bridge/request/${verb}`, JSON.stringify({ ...request, transaction }));
    return this.wait(`octomote/bridge/response/${verb}`, (value) => value?.transaction === transaction);
  }

  async close(): Promise<void> {
    await this.mqtt.endAsync(true);
  }
}
