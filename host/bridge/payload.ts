// Payloads of strangers: what a request may say, checked before anything is done with it.

import { RequestError } from "../link/errors.ts";
import { MessageError } from "../protocol/messages.ts";
import type { BridgeDevice } from "./device.ts";
import type { DeviceRegistry } from "./device-registry.ts";
import { messageOf } from "./errors.ts";
import { refuseDeviceId } from "./topics.ts";

/** Larger payloads are refused unread, in bytes. */
const LARGEST = 64 * 1024;
/** Longest transaction id that is given back, in characters. */
const LONGEST_TRANSACTION = 256;

/** A request that cannot be carried out; `code` is for programs, the message for people. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "Refusal";
    this.code = code;
  }
}

/** What `error` in a response says of anything that was thrown. */
export function refusalOf(error: unknown): { code: string; message: string } {
  if (error instanceof Refusal) return { code: error.code, message: error.message };
  if (error instanceof RequestError) return { code: error.reason, message: error.message };
  if (error instanceof MessageError) return { code: "bad-request", message: error.message };
  return { code: "internal", message: messageOf(error) };
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** Decodes a payload that must be a JSON object; nothing at all counts as `{}`. Throws `Refusal`. */
export function parseObject(payload: Buffer, largest = LARGEST): JsonObject {
  if (payload.length > largest) {
    throw new Refusal("bad-request", `the payload has ${payload.length} bytes; at most ${largest} are taken`);
  }
  if (payload.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch (error) {
    throw new Refusal("bad-request", `the payload is not JSON: ${messageOf(error)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal("bad-request", "the payload must be a JSON object");
  }
  return value as JsonObject;
}

/** The transaction of a request, to be given back as it came; undefined when there is none that can be. */
export function transactionOf(request: JsonObject): string | number | undefined {
  const { transaction } = request;
  if (typeof transaction === "number") return transaction;
  return typeof transaction === "string" && transaction.length <= LONGEST_TRANSACTION
    ? transaction
    : undefined;
}

/** The `id` of a request; throws `Refusal` when there is none or it cannot name a device. */
export function idOf(request: JsonObject): string {
  const refusal = refuseDeviceId(request.id);
  if (refusal) throw new Refusal("bad-request", `"id" must name a device: ${refusal}`);
  return request.id as string;
}

/** The device that a request names; throws `Refusal` when it is unknown or does not answer. */
export function deviceOf(id: string, devices: DeviceRegistry): BridgeDevice {
  const device = devices.get(id);
  if (!device) throw new Refusal("unknown-device", `no device is called "${id}"`);
  if (!device.online) throw new Refusal("offline", `${id} is offline`);
  return device;
}

/** An optional whole number of a request, 0 … 2^32 − 1. */
export function countOf(request: JsonObject, name: string, otherwise: number): number {
  const value = request[name] ?? otherwise;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    throw new Refusal("bad-request", `"${name}" must be a whole number in 0 … 4294967295`);
  }
  return value;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Bytes of a request, in base64. */
export function bytesOf(request: JsonObject, name: string): Uint8Array {
  const value = request[name];
  if (typeof value !== "string" || value === "" || !BASE64.test(value)) {
    throw new Refusal("bad-request", `"${name}" must be bytes in base64`);
  }
  return new Uint8Array(Buffer.from(value, "base64"));
}

/** Optional parameters of a module: numbers by name. */
export function paramsOf(request: JsonObject): Record<string, number> {
  const params = request.params ?? {};
  const wrong = () => new Refusal("bad-request", '"params" must be an object of numbers');
  if (typeof params !== "object" || Array.isArray(params)) throw wrong();
  if (Object.values(params).some((value) => typeof value !== "number")) throw wrong();
  return params as Record<string, number>;
}
