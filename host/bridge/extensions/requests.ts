// `bridge/request/<verb>` → `bridge/response/<verb>`. A response repeats the request's transaction; a request of MQTT 5
// that names a response topic is answered there, with its correlation data. Whatever is wrong with a request, it gets an
// answer that says so.

import type { BridgeDevice } from "../device.ts";
import type { BridgeContext, Extension } from "../extension.ts";
import type { Message } from "../mqtt/connection.ts";
import {
  bytesOf,
  countOf,
  deviceOf,
  idOf,
  type JsonObject,
  paramsOf,
  parseObject,
  Refusal,
  refusalOf,
  transactionOf,
} from "../payload.ts";
import { isPublishable } from "../topics.ts";
import { healthOf } from "./health.ts";
import { readState, writeState } from "./learned-state.ts";

/** A device answers these at once, or not at all. */
const SHORT_MS = 5000;
/** Loading a module takes its time on a slow board. */
const LONG_MS = 60_000;
/** Requests under way at one device; more are refused, so that a flood does not pile up. */
const AT_ONCE = 8;
/** Largest request that carries a learned state. */
const LARGEST_STATE = 4 << 20;
/** Longest verb that is repeated in a topic. */
const LONGEST_VERB = 64;

type Handler = (request: JsonObject) => unknown;

export class Requests implements Extension {
  readonly name = "requests";
  readonly #context: BridgeContext;
  readonly #busy = new Map<string, number>();
  #undo: (() => void)[] = [];

  constructor(context: BridgeContext) {
    this.#context = context;
  }

  async start(): Promise<void> {
    const { mqtt, topics } = this.#context;
    this.#undo = [
      await mqtt.subscribe(`${topics.requestPrefix}#`, (message) => {
        // A retained request was meant for an earlier time.
        if (!message.retained) void this.#answer(message);
      }),
    ];
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  readonly #handlers: Readonly<Record<string, Handler>> = {
    devices: () => this.#context.devices.all().map((device) => device.listEntry()),
    health: () => healthOf(this.#context),
    "device/start": (request) => {
      const args = {
        seed: countOf(request, "seed", 1),
        steps: countOf(request, "steps", 0),
        params: paramsOf(request),
      };
      return this.#ask(request, ({ link }) => link.request("start", args, { timeoutMs: LONG_MS }));
    },
    "device/pause": (request) =>
      this.#ask(request, ({ link }) => link.request("pause", {}, { timeoutMs: SHORT_MS })),
    "device/resume": (request) => {
      const steps = countOf(request, "steps", 0);
      return this.#ask(request, ({ link }) => link.request("resume", { steps }, { timeoutMs: SHORT_MS }));
    },
    "device/status": (request) =>
      this.#ask(request, async (device) => {
        device.setState(await device.link.request("status", {}, { timeoutMs: SHORT_MS }));
        return device.stateJson();
      }),
    "device/selftest": (request) =>
      this.#ask(request, async ({ link }) => ({
        digest: await link.request("selfTest", {}, { timeoutMs: LONG_MS }),
      })),
    "device/state/read": (request) => this.#ask(request, readState),
    "device/state/write": (request) => {
      const state = bytesOf(request, "state");
      return this.#ask(request, (device) => writeState(device, state));
    },
    // Also takes back what an earlier bridge left on the broker, so the device need not be known.
    "device/remove": (request) => {
      const id = idOf(request);
      return { known: this.#context.devices.remove(id) };
    },
  };

  async #answer(message: Message): Promise<void> {
    const { topics } = this.#context;
    const verb = message.topic.slice(topics.requestPrefix.length);
    let request: JsonObject = {};
    let response: object;
    let responseTopic = topics.response(verb.length <= LONGEST_VERB ? verb : "unknown");
    try {
      responseTopic = this.#responseTopic(message) ?? responseTopic;
      request = parseObject(message.payload, verb === "device/state/write" ? LARGEST_STATE : undefined);
      const handler = Object.hasOwn(this.#handlers, verb) ? this.#handlers[verb] : undefined;
      if (!handler) {
        const known = Object.keys(this.#handlers).join(", ");
        throw new Refusal("unknown-verb", `the bridge knows these requests: ${known}`);
      }
      response = { status: "ok", data: (await handler(request)) ?? {} };
    } catch (error) {
      response = { status: "error", error: refusalOf(error) };
    }
    const payload = JSON.stringify({ ...response, transaction: transactionOf(request) });
    this.#context.mqtt.publish(responseTopic, payload, { qos: 1, correlationData: message.correlationData });
  }

  /** Where a requester wants its answer; not among our own topics, where an answer could pass for something else. */
  #responseTopic({ responseTopic }: Message): string | undefined {
    if (responseTopic === undefined) return undefined;
    const { topics } = this.#context;
    const ours =
      responseTopic.startsWith(`${topics.base}/`) && !responseTopic.startsWith(topics.response(""));
    if (!isPublishable(responseTopic) || responseTopic.startsWith("$") || ours) {
      throw new Refusal("bad-request", "the response topic cannot be published to");
    }
    return responseTopic;
  }

  async #ask<T>(request: JsonObject, work: (device: BridgeDevice) => Promise<T>): Promise<T> {
    const device = deviceOf(idOf(request), this.#context.devices);
    const under = this.#busy.get(device.id) ?? 0;
    if (under >= AT_ONCE) throw new Refusal("busy", `${device.id} has ${under} requests to answer already`);
    this.#busy.set(device.id, under + 1);
    try {
      return await work(device);
    } finally {
      const left = (this.#busy.get(device.id) ?? 1) - 1;
      if (left > 0) this.#busy.set(device.id, left);
      else this.#busy.delete(device.id);
    }
  }
}
