// `octomote/<device>/set`: switches a device's training, says what it is looking at, or hands its module a message. There is no response topic; what
// goes wrong is told in the device's log.

import { RequestError } from "../../link/errors.ts";
import { encodeLabel, MAX_LABEL, MAX_LABELLED } from "../../protocol/label-message.ts";
import type { BridgeDevice } from "../device.ts";
import type { BridgeContext, Extension } from "../extension.ts";
import type { Message } from "../mqtt/connection.ts";
import { deviceOf, type JsonObject, parseObject, Refusal, refusalOf } from "../payload.ts";
import { refuseDeviceId } from "../topics.ts";

const TIMEOUT_MS = 5000;
/** Loading a module takes its time on a slow board. */
const START_MS = 60_000;
const FIRST_SEED = 1;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export class SetCommand implements Extension {
  readonly name = "set";
  readonly #context: BridgeContext;
  /** The last command of each device: they are carried out one after the other. */
  readonly #last = new Map<string, Promise<void>>();
  #undo: (() => void)[] = [];

  constructor(context: BridgeContext) {
    this.#context = context;
  }

  async start(): Promise<void> {
    const { bus, mqtt, topics } = this.#context;
    this.#undo = [
      await mqtt.subscribe(topics.anySet, (message) => {
        // A retained command was meant for an earlier time.
        if (!message.retained) this.#take(message);
      }),
      bus.on("deviceRemoved", ({ id }) => this.#last.delete(id)),
    ];
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
    this.#last.clear();
  }

  #take({ topic, payload }: Message): void {
    const { bus, devices, topics } = this.#context;
    const id = topics.deviceOfSet(topic);
    const known = devices.get(id);
    const work = async () => {
      try {
        const device = deviceOf(id, devices);
        await this.#carryOut(device, parseObject(payload));
      } catch (error) {
        const message = `set: ${refusalOf(error).message}`;
        if (known) bus.emit("deviceLog", { device: known, level: "error", message });
        else bus.emit("log", { level: "warning", message });
      }
    };
    if (!known) {
      // Somebody else's topic may look like ours; only what could be a device is worth a line.
      if (refuseDeviceId(id) === null) void work();
      return;
    }
    const done = (this.#last.get(id) ?? Promise.resolve()).then(work);
    this.#last.set(id, done);
  }

  async #carryOut({ link }: BridgeDevice, command: JsonObject): Promise<void> {
    const { running, message, label, frames } = command;
    if (running === undefined && message === undefined && label === undefined) {
      throw new Refusal(
        "bad-request",
        'use {"running":true}, {"running":false}, {"label":8,"frames":20} or {"message":"<base64>"}',
      );
    }
    if (running !== undefined && typeof running !== "boolean") {
      throw new Refusal("bad-request", '"running" must be true or false');
    }
    if (message !== undefined && (typeof message !== "string" || !BASE64.test(message))) {
      throw new Refusal("bad-request", '"message" must be bytes in base64');
    }
    const said = label === undefined ? undefined : labelMessage(label, frames);
    if (running === true) await resumeOrStart(link);
    if (running === false) await link.request("pause", {}, { timeoutMs: TIMEOUT_MS });
    if (said) await link.request("message", { bytes: said }, { timeoutMs: TIMEOUT_MS });
    if (typeof message === "string") {
      await link.request("message", { bytes: Buffer.from(message, "base64") }, { timeoutMs: TIMEOUT_MS });
    }
  }
}

/** `{"label":8}` holds for the next frame, `{"label":8,"frames":20}` for twenty, `{"label":null}` ends it. */
function labelMessage(label: unknown, frames: unknown = 1): Uint8Array {
  if (label === null) return encodeLabel(0, 0);
  if (!isWhole(label, MAX_LABEL))
    throw new Refusal("bad-request", `"label" must be 0 … ${MAX_LABEL}, or null`);
  if (!isWhole(frames, MAX_LABELLED)) {
    throw new Refusal("bad-request", `"frames" must be a whole number up to ${MAX_LABELLED}`);
  }
  return encodeLabel(label, frames);
}

function isWhole(value: unknown, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most;
}

/** A device that was never started has nothing to resume: to switch it on is to start it. */
async function resumeOrStart(link: BridgeDevice["link"]): Promise<void> {
  try {
    await link.request("resume", {}, { timeoutMs: TIMEOUT_MS });
  } catch (error) {
    if (!(error instanceof RequestError) || error.reason !== "not-loaded") throw error;
    await link.request("start", { seed: FIRST_SEED }, { timeoutMs: START_MS });
  }
}
