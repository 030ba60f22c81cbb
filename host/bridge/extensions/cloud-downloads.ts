// `cloud/codebook` and `cloud/half`, retained: handed to every device that asks for them, in parts that fit the link. A device asks
// with a nack of SGQ (docs/sgq.md) among its features; one that never asked is left alone, and what one is given already is not begun anew
// because it asks again meanwhile: a slow link would never get to the end.

import { encodeParts, PartKind } from "../../protocol/parts.ts";
import type { BridgeDevice } from "../device.ts";
import { messageOf } from "../errors.ts";
import type { BridgeContext, Extension } from "../extension.ts";
import type { Message } from "../mqtt/connection.ts";

/** Longer payloads are no codebook and no learned state of a device. */
const LONGEST = 65_536;
/** For one part: longer than it takes to find a link dead, for a slow one is no reason to give up. */
const TIMEOUT_MS = 30_000;
/** An SGQ frame of the full form, version 1; its type is in the low three bits of the second byte. */
const FULL_FORM = 0xa1;
const NACK = 3;
/** Where the sequence number of a full form begins, a varint; the reason of a nack follows. */
const SEQUENCE_AT = 6;
const NO_CODEBOOK = 2;

export class CloudDownloads implements Extension {
  readonly name = "cloud-downloads";
  readonly #context: BridgeContext;
  /** What there is, by topic. The device half comes first: features of another one would fit no codebook. */
  readonly #payloads = new Map<PartKind, Uint8Array>();
  /** Devices that asked, whether what they get is still under way, and whether there is something newer already. */
  readonly #asked = new Map<string, "idle" | "busy" | "busy, outdated">();
  #undo: (() => void)[] = [];

  constructor(context: BridgeContext) {
    this.#context = context;
  }

  async start(): Promise<void> {
    const { bus, mqtt, topics } = this.#context;
    this.#undo = [
      await mqtt.subscribe(topics.cloudDownloads, (message) => this.#take(message)),
      bus.on("deviceFeatures", ({ device, bytes }) => {
        if (!asks(bytes) || this.#asked.get(device.id)?.startsWith("busy")) return;
        this.#asked.set(device.id, "idle");
        this.#send(device);
      }),
      bus.on("deviceOffline", ({ device }) => this.#asked.delete(device.id)),
      bus.on("deviceRemoved", ({ id }) => this.#asked.delete(id)),
    ];
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
    this.#asked.clear();
  }

  #take({ topic, payload }: Message): void {
    const { bus, devices, topics } = this.#context;
    if (payload.length > LONGEST) {
      bus.emit("log", {
        level: "warning",
        message: `${topic}: ${payload.length} bytes are too many for a device`,
      });
      return;
    }
    const kind = topic === topics.cloud("half") ? PartKind.half : PartKind.codebook;
    // a broker that is back tells what it has kept; devices have it, and a half that has learned since must not be set back
    if (Buffer.compare(payload, this.#payloads.get(kind) ?? NOTHING) === 0) return;
    if (payload.length === 0) this.#payloads.delete(kind);
    else this.#payloads.set(kind, payload);
    for (const id of this.#asked.keys()) {
      const device = devices.get(id);
      if (device) this.#send(device);
    }
  }

  /** Sends everything; what comes in meanwhile is sent behind it. */
  #send(device: BridgeDevice): void {
    const state = this.#asked.get(device.id);
    if (state === undefined || this.#payloads.size === 0) return;
    if (state !== "idle") {
      this.#asked.set(device.id, "busy, outdated");
      return;
    }
    this.#asked.set(device.id, "busy");
    void this.#sendAll(device)
      .catch((error) => {
        const message = `${device.id} does not take what the cloud has for it: ${messageOf(error)}`;
        this.#context.bus.emit("log", { level: "warning", message });
      })
      .then(() => {
        const after = this.#asked.get(device.id);
        if (after === undefined) return;
        this.#asked.set(device.id, "idle");
        if (after === "busy, outdated") this.#send(device);
      });
  }

  async #sendAll({ link }: BridgeDevice): Promise<void> {
    for (const kind of [PartKind.half, PartKind.codebook]) {
      const payload = this.#payloads.get(kind);
      if (payload === undefined) continue;
      for (const bytes of encodeParts(kind, payload))
        await link.request("message", { bytes }, { timeoutMs: TIMEOUT_MS });
    }
  }
}

const NOTHING = new Uint8Array(0);

/** Whether features are the nack of a device that has no codebook. */
function asks(bytes: Uint8Array): boolean {
  if (bytes[0] !== FULL_FORM || ((bytes[1] ?? 0) & 7) !== NACK) return false;
  let at = SEQUENCE_AT;
  while ((bytes[at] ?? 0) > 127) at++;
  return bytes[at + 1] === NO_CODEBOOK;
}
