// `octomote/<device>/features`: what a device saw, in its own binary form, passed on as it is, as far as it keeps to a
// rate that broker and listeners can bear. A camera's preview comes through the same channel and goes to
// `octomote/<device>/preview`, so that a page need not listen to all features. Features with a label are for
// somebody who learns, maybe later: they have QoS 1, and wait at the broker for a subscriber with a session.

import { LABELLED } from "../../protocol/labelled.ts";
import { isPreview } from "../../protocol/preview.ts";
import type { BridgeDevice } from "../device.ts";
import type { BridgeContext, Extension } from "../extension.ts";
import { TokenBucket } from "../token-bucket.ts";

/** MQTT 5: features are for those who listen now. */
const EXPIRY_S = 60;
/** Examples keep their worth for longer. */
const LABELLED_EXPIRY_S = 86_400;
/** Messages of a device; a frame of the link carries at most 1 KB, so half a megabyte. */
const PER_SECOND = 500;
/** How often a device that exceeds it is named in the log. */
const TELL_MS = 10_000;

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
  #timer: NodeJS.Timeout | undefined;

  constructor(context: BridgeContext) {
    this.#context = context;
  }

  start(): void {
    const { bus } = this.#context;
    this.#undo = [
      bus.on("deviceFeatures", ({ device, bytes }) => this.#take(device, bytes)),
      bus.on("deviceRemoved", ({ id }) => this.#paces.delete(id)),
    ];
    this.#timer = setInterval(() => this.#tell(), TELL_MS);
    this.#timer.unref();
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
    clearInterval(this.#timer);
    this.#paces.clear();
  }

  #take(device: BridgeDevice, bytes: Uint8Array): void {
    const { mqtt, topics } = this.#context;
    let pace = this.#paces.get(device.id);
    if (!pace) {
      pace = { bucket: new TokenBucket(PER_SECOND), untold: 0 };
      this.#paces.set(device.id, pace);
    }
    if (pace.bucket.take()) {
      const topic = isPreview(bytes) ? topics.preview(device.id) : topics.features(device.id);
      const labelled = bytes[0] === LABELLED;
      mqtt.publish(topic, bytes, labelled ? { qos: 1, expiry: LABELLED_EXPIRY_S } : { expiry: EXPIRY_S });
      return;
    }
    device.featuresDropped++;
    pace.untold++;
  }

  #tell(): void {
    for (const [id, pace] of this.#paces) {
      if (pace.untold === 0) continue;
      const message = `${id}: ${pace.untold} features were left out, at more than ${PER_SECOND} a second`;
      this.#context.bus.emit("log", { level: "warning", message });
      pace.untold = 0;
    }
  }
}
