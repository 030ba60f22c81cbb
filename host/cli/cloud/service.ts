// A trainer at a broker: hands it what devices (or workers) publish, and publishes what it says. `octomote cloud train` and
// `octomote start --app split` run one.

import { MqttConnection, type MqttOptions } from "../../bridge/mqtt/connection.ts";
import { Topics } from "../../bridge/topics.ts";
import type { CloudMetrics } from "../../cloud/metrics.ts";
import { CloudTrainer, type TrainerOptions } from "../../cloud/trainer.ts";
import { MessageError } from "../../protocol/message-error.ts";
import { encodeParts, PartKind } from "../../protocol/parts.ts";
import { encodeReceipts } from "../../protocol/receipts.ts";
import { SgqError } from "../../sgq/types.ts";

export interface CloudServiceOptions {
  readonly mqtt: Omit<MqttOptions, "will">;
  readonly base: string;
  /** Who decodes: this process, or workers. */
  readonly from: "devices" | "workers";
  readonly trainer: Omit<TrainerOptions, "toDevice" | "publishCodebook" | "kept">;
  /** Learned state of the device half, for every device. */
  readonly half?: Uint8Array;
  /** How the broker knows this trainer when it comes back; others with the same name take its place. */
  readonly id: string;
}

/** The broker keeps what devices publish for a trainer that is away this long. */
const SESSION_S = 86_400;
const METRICS_MS = 500;
const CHECKPOINT_MS = 3000;
/** A view is for those who look now. */
const VIEW_EXPIRY_S = 10;
/** After a second without anything new, what is missing is given up. */
const FLUSH_MS = 1000;
/** Learning gives way to messages after so long, and looks for more after a pause. */
const SLICE_MS = 15;
const PAUSE_MS = 30;

export class CloudService {
  readonly mqtt: MqttConnection;
  readonly topics: Topics;
  readonly trainer: CloudTrainer;
  readonly #options: CloudServiceOptions;
  #timers: NodeJS.Timeout[] = [];
  #turn: NodeJS.Timeout | undefined;
  #heard = 0;
  #running = false;

  private constructor(options: CloudServiceOptions, mqtt: MqttConnection, trainer: CloudTrainer) {
    this.#options = options;
    this.mqtt = mqtt;
    this.topics = new Topics(options.base);
    this.trainer = trainer;
  }

  /** Makes the trainer; nothing is connected yet. */
  static async create(options: CloudServiceOptions): Promise<CloudService> {
    const topics = new Topics(options.base);
    const mqtt = new MqttConnection({
      ...options.mqtt,
      clientId: `octomote-cloud-${options.id}`,
      sessionExpiry: SESSION_S,
      will: { topic: topics.cloud("availability"), payload: JSON.stringify({ state: "offline" }) },
    });
    const trainer = await CloudTrainer.create({
      ...options.trainer,
      toDevice: (device, frame) => {
        for (const message of encodeParts(PartKind.frame, frame)) {
          const payload = JSON.stringify({ message: Buffer.from(message).toString("base64") });
          mqtt.publish(topics.set(device), payload, { qos: 1 });
        }
      },
      kept: (receipts) => mqtt.publish(topics.cloud("kept"), encodeReceipts(receipts), { qos: 1 }),
      publishCodebook: (bytes) => mqtt.publish(topics.cloud("codebook"), bytes, { qos: 1, retain: true }),
    });
    return new CloudService(options, mqtt, trainer);
  }

  /** Connects, and learns from now on. @throws OctomoteError when there is no broker */
  async start(): Promise<void> {
    const { mqtt, topics, trainer } = this;
    const { from, half } = this.#options;
    await mqtt.subscribe(topics.cloud("codebook"), ({ payload }) =>
      payload.length > 0 ? this.#take(() => trainer.takeCodebook(payload)) : undefined,
    );
    // the trainer has written a message when it returns: the broker's acknowledgement follows, and later the receipt
    if (from === "workers")
      await mqtt.subscribe(topics.cloud("decoded"), ({ payload }) =>
        this.#take(() => trainer.takeDecoded(payload)),
      );
    else
      await mqtt.subscribe(topics.anyFeatures, ({ topic, payload }) =>
        this.#take(() => trainer.take(topics.deviceOfFeatures(topic), payload)),
      );
    mqtt.on("up", () => {
      mqtt.publish(topics.cloud("availability"), JSON.stringify({ state: "online" }), {
        qos: 1,
        retain: true,
      });
      if (half) mqtt.publish(topics.cloud("half"), half, { qos: 1, retain: true });
      // a trainer that goes on from a journal has one already
      const { codebook } = trainer;
      if (codebook) mqtt.publish(topics.cloud("codebook"), codebook.bytes, { qos: 1, retain: true });
    });
    await mqtt.connect();
    this.#running = true;
    this.#timers = [
      setInterval(() => this.#tell(), METRICS_MS),
      setInterval(() => trainer.checkpoint(), CHECKPOINT_MS),
      setInterval(() => {
        if (Date.now() - this.#heard > FLUSH_MS) trainer.flush();
      }, FLUSH_MS),
    ];
    this.#learn();
  }

  metrics(): CloudMetrics {
    return this.trainer.metrics();
  }

  async stop(): Promise<void> {
    this.#running = false;
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    clearTimeout(this.#turn);
    await this.trainer.settled();
    this.#tell();
    this.trainer.checkpoint();
    this.mqtt.publish(this.topics.cloud("availability"), JSON.stringify({ state: "offline" }), {
      qos: 1,
      retain: true,
    });
    await this.mqtt.close();
    this.trainer.close();
  }

  /** What a stranger publishes on these topics is told and forgotten; what cannot be kept is not acknowledged. */
  #take(work: () => void): Promise<void> | undefined {
    this.#heard = Date.now();
    try {
      work();
    } catch (error) {
      if (!(error instanceof MessageError || error instanceof SgqError)) return Promise.reject(error);
      this.#options.trainer.tell?.("warning", error.message);
    }
    return undefined;
  }

  /** The view first: aedes takes what it has stored (retained) for a duplicate when something newer has overtaken it. */
  #tell(): void {
    const view = this.trainer.view();
    if (view) {
      const features = Buffer.from(view.features.buffer, view.features.byteOffset, view.features.length);
      const payload = JSON.stringify({ ...view, features: features.toString("base64") });
      this.mqtt.publish(this.topics.cloud("view"), payload, { expiry: VIEW_EXPIRY_S });
    }
    this.mqtt.publish(this.topics.cloud("state"), JSON.stringify(this.metrics()), { retain: true });
  }

  #learn(): void {
    if (!this.#running) return;
    const until = performance.now() + SLICE_MS;
    let more = true;
    while (more && performance.now() < until) more = this.trainer.learn();
    this.#turn = setTimeout(() => this.#learn(), more ? 0 : PAUSE_MS);
  }
}
