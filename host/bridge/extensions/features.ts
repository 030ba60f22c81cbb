// `octomote/<device>/features`: what a device saw, in its own binary form, passed on as it is. A camera's preview comes
// through the same channel and goes to `octomote/<device>/preview`, so that a page need not listen to all features.

import { isPreview } from "../../protocol/preview.ts";
import type { BridgeContext, Extension } from "../extension.ts";

/** MQTT 5: features are for those who listen now. */
const EXPIRY_S = 60;

export class Features implements Extension {
  readonly name = "features";
  readonly #context: BridgeContext;
  #undo: (() => void)[] = [];

  constructor(context: BridgeContext) {
    this.#context = context;
  }

  start(): void {
    const { bus, mqtt, topics } = this.#context;
    this.#undo = [
      bus.on("deviceFeatures", ({ device, bytes }) => {
        const topic = isPreview(bytes) ? topics.preview(device.id) : topics.features(device.id);
        mqtt.publish(topic, bytes, { expiry: EXPIRY_S });
      }),
    ];
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }
}
