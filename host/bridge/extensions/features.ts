// `octomote/<device>/features`: what a device saw, in its own binary form, passed on as it is, as far as it keeps to a
// rate that broker and listeners can bear. A camera's preview comes through the same channel and goes to
// `octomote/<device>/preview`, so that a page need not listen to all features. Features with a label are for
// somebody who learns, maybe later: they have QoS 1, and are held here until a trainer says that it has them.

import { LABELLED } from "../../protocol/labelled.ts";
import { MessageError } from "../../protocol/message-error.ts";
import { isPreview } from "../../protocol/preview.ts";
import { decodeReceipts } from "../../protocol/receipts.ts";
import type { BridgeDevice } from "../device.ts";
import { messageOf } from "../errors.ts";
import type { BridgeContext, Extension } from "../extension.ts";
import type { Message } from "../mqtt/connection.ts";
import { Outbox } from "../outbox.ts";
import { parseObject, Refusal } from "../payload.ts";
import { TokenBucket } from "../token-bucket.ts";

/** MQTT 5: features are for those who listen now. */
const EXPIRY_S = 60;
/** Examples keep their worth for longer. */
const LABELLED_EXPIRY_S = 86_400;
/** Messages of a device; a frame of the link carries at most 1 KB, so half a megabyte. */
const PER_SECOND = 500;
/** How often a device that exceeds it is named in the log. */
const TELL_MS = 10_000;
/** How often is looked for what a trainer ought to have by now. */
const TICK_MS = 250;

interface Pace {
  bucket: TokenBucket;
  /** Left out since the log said so. */
  untold: number;
}

export class Features implements Extension {
  readonly name = "features";
  readonly #context: BridgeContext;
  readonly #paces = new Map<string, Pace>();
  #undo: (() => void)[] = [];
  readonly #outbox: Outbox;
  #timers: NodeJS.Timeout[] = [];

  constructor(context: BridgeContext) {
    this.#context = context;
    this.#outbox = new Outbox({
      send: (topic, payload) => context.mqtt.deliver(topic, payload, { expiry: LABELLED_EXPIRY_S }),
      lost: (id) => {
        const device = context.devices.get(id);
        if (device) this.#leaveOut(device, this.#paceOf(id));
      },
    });
  }

  async start(): Promise<void> {
    const { bus, mqtt, topics } = this.#context;
    this.#undo = [
      await mqtt.subscribe(topics.cloud("kept"), ({ payload }) =>
        this.#hear(() => this.#outbox.kept(decodeReceipts(payload))),
      ),
      await mqtt.subscribe(topics.cloud("availability"), (message) =>
        this.#hear(() => this.#trainer(message)),
      ),
      bus.on("mqttUp", () => this.#outbox.hurry()),
      bus.on("deviceFeatures", ({ device, bytes }) => this.#take(device, bytes)),
      bus.on("deviceRemoved", ({ id }) => {
        this.#paces.delete(id);
        this.#outbox.forget(id);
      }),
    ];
    this.#timers = [
      setInterval(() => this.#tell(), TELL_MS),
      setInterval(() => this.#outbox.tick(), TICK_MS),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    this.#outbox.release();
    this.#paces.clear();
  }

  #take(device: BridgeDevice, bytes: Uint8Array): void {
    const { mqtt, topics } = this.#context;
    const pace = this.#paceOf(device.id);
    if (!pace.bucket.take()) this.#leaveOut(device, pace);
    else if (isPreview(bytes)) mqtt.publish(topics.preview(device.id), bytes, { expiry: EXPIRY_S });
    else if (bytes[0] === LABELLED) this.#outbox.put(device.id, topics.features(device.id), bytes);
    else mqtt.publish(topics.features(device.id), bytes, { expiry: EXPIRY_S });
  }

  #paceOf(id: string): Pace {
    const pace = this.#paces.get(id) ?? { bucket: new TokenBucket(PER_SECOND), untold: 0 };
    this.#paces.set(id, pace);
    return pace;
  }

  #leaveOut(device: BridgeDevice, pace: Pace): void {
    device.featuresDropped++;
    pace.untold++;
  }

  /** What a stranger publishes there is told and left alone. */
  #hear(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof MessageError || error instanceof Refusal)) throw error;
      this.#context.bus.emit("log", { level: "warning", message: messageOf(error) });
    }
  }

  #trainer({ payload }: Message): void {
    if (payload.length > 0) this.#outbox.trainer(parseObject(payload).state === "online");
  }

  #tell(): void {
    for (const [id, pace] of this.#paces) {
      if (pace.untold === 0) continue;
      const message = `${id}: ${pace.untold} features were left out, at more than ${PER_SECOND} a second or with nobody who takes them`;
      this.#context.bus.emit("log", { level: "warning", message });
      pace.untold = 0;
    }
  }
}
