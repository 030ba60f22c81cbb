// Turns MQTT payloads into typed values, or refuses them with the field's name. The page trusts nobody: whatever is not
// exactly what docs/mqtt.md says is refused here, so that the rest of the page never meets a surprise.

import { DEVICE_ID } from "../../protocol/messages.ts";

/** A payload that does not say what docs/mqtt.md promises; `field` names the part at fault. */
export class PayloadError extends Error {
  readonly field: string;

  constructor(field: string, why: string) {
    super(field === "" ? why : `${field}: ${why}`);
    this.name = "PayloadError";
    this.field = field;
  }
}

/** Bytes of a device's memory by part; what it has not told is absent. */
export interface MemoryParts {
  linear?: number;
  metacode?: number;
  poolUsed?: number;
  poolSize?: number;
  stack?: number;
  static?: number;
}

/** `<base>/<device>`: what a device says of itself, at most ten times a second. */
export interface DeviceState {
  step?: number;
  /** Cross-entropy in nats, running mean. */
  loss?: number;
  /** 0…1 over held-out samples. */
  accuracy?: number;
  learningRate?: number;
  evaluated?: number;
  saturated?: number;
  /** Cells in which a camera sees something. */
  occupied?: number;
  /** Of a split model's device: bytes of all its SGQ frames. */
  featureBytes?: number;
  featureBytesRaw?: number;
  pass?: PassState;
  personal?: PersonalState;
  samples?: number;
  samplesPerSecond?: number;
  bytesOut?: number;
  dropped?: number;
  /** Seconds since the device started. */
  uptime?: number;
  running?: boolean;
  memory?: MemoryParts;
  error?: { code?: number; name?: string; message?: string };
  /** Milliseconds since 1970. */
  time?: number;
}

/** What a camera that skips unchanged patches tells of its last frame; shares are 0…1. */
export interface PassState {
  dirty?: number;
  /** Multiplications made, as a share of a dense frame's. */
  macs?: number;
  refreshAge?: number;
  harmful?: number;
  noise?: number;
  denseFrames?: number;
}

/** What a device that learns from its user tells. */
export interface PersonalState {
  /** It sees other things than it learned, and wants labels. */
  due?: boolean;
  /** Nats. */
  doubt?: number;
  /** Samples in its replay buffer. */
  kept?: number;
  /** Frames that a label still holds for. */
  labelsLeft?: number;
}

/** One entry of `<base>/bridge/devices`. */
export interface DeviceInfo {
  id: string;
  board?: string;
  engine?: string;
  firmware?: string;
  transport?: string;
  moduleBytes?: number;
  memory?: MemoryParts;
  online?: boolean;
}

/** `<base>/bridge/info`. */
export interface BridgeInfo {
  version?: string;
  broker?: string;
  mqtt?: number;
  dataset?: string;
}

/** `<base>/bridge/health`. */
export interface BridgeHealth {
  uptime?: number;
  rss?: number;
  badFrames?: number;
}

export type LogLevel = "error" | "warning" | "info" | "debug";

/** One line of `<base>/bridge/logging` or `<base>/<device>/log`. */
export interface LogMessage {
  level: LogLevel;
  message: string;
}

/** A payload beyond this is refused unread; 1,000 listed devices need about half of it. */
export const MAX_PAYLOAD_BYTES = 1 << 20;
/** Devices that the page shows; a stranger on the broker cannot make it grow beyond. */
export const MAX_DEVICES = 512;

const MAX_NAME = 128;
const MAX_LOG_TEXT = 2000;
const LEVELS: readonly string[] = ["error", "warning", "info", "debug"];
const UINT32 = 0xffff_ffff;
const COUNT = Number.MAX_SAFE_INTEGER;
/** Control characters and the marks that reorder text could make one name look like another. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Makes foreign text fit to show: visible characters only, cut at `max`. */
export function cleanText(text: string, max: number): string {
  const cut = text.length > max ? `${text.slice(0, max - 1)}…` : text;
  return cut.replace(UNPRINTABLE, "\ufffd");
}

type Json = Record<string, unknown>;

/** Reads the optional fields of one JSON object; `null` counts as absent. */
export class Fields {
  readonly #object: Json;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new PayloadError(path, "is not an object");
    }
    this.#object = value as Json;
    this.#path = path === "" ? "" : `${path}.`;
  }

  /** The field's own value; inherited names (`constructor`, `__proto__`) are not looked up. */
  #get(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? (this.#object[name] ?? undefined) : undefined;
  }

  number(name: string, min: number, max: number): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !(value >= min && value <= max)) {
      throw new PayloadError(`${this.#path}${name}`, `is not a number in ${min}…${max}`);
    }
    return value;
  }

  count(name: string, max = COUNT): number | undefined {
    const value = this.number(name, 0, max);
    if (value !== undefined && !Number.isInteger(value)) {
      throw new PayloadError(`${this.#path}${name}`, "is not a whole number");
    }
    return value;
  }

  flag(name: string): boolean | undefined {
    const value = this.#get(name);
    if (value !== undefined && typeof value !== "boolean") {
      throw new PayloadError(`${this.#path}${name}`, "is neither true nor false");
    }
    return value;
  }

  text(name: string, max = MAX_NAME): string | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string") throw new PayloadError(`${this.#path}${name}`, "is not a text");
    return cleanText(value, max);
  }

  /** Whole numbers in 1…max. */
  sizes(name: string, count: number, max: number): number[] | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    const fits = (one: unknown) => Number.isInteger(one) && (one as number) >= 1 && (one as number) <= max;
    if (!Array.isArray(value) || value.length !== count || !value.every(fits))
      throw new PayloadError(`${this.#path}${name}`, `is not ${count} whole numbers in 1…${max}`);
    return value;
  }

  /** Bytes in base64. */
  bytes(name: string, max: number): Uint8Array | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    const text = typeof value === "string" && value.length <= Math.ceil(max / 3) * 4 ? value : "?";
    try {
      return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    } catch {
      throw new PayloadError(`${this.#path}${name}`, `is not base64 of at most ${max} bytes`);
    }
  }

  nested<T>(name: string, read: (fields: Fields) => T): T | undefined {
    const value = this.#get(name);
    return value === undefined ? undefined : read(new Fields(value, `${this.#path}${name}`));
  }
}

/** Decodes UTF-8 JSON. @throws PayloadError */
export function parseJson(payload: Uint8Array): unknown {
  if (payload.length > MAX_PAYLOAD_BYTES) {
    throw new PayloadError("", `${payload.length} bytes; at most ${MAX_PAYLOAD_BYTES} are read`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
  } catch {
    throw new PayloadError("", "is not UTF-8 text");
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new PayloadError("", "is not JSON");
  }
}

function readMemory(fields: Fields): MemoryParts {
  return {
    linear: fields.count("linear"),
    metacode: fields.count("metacode"),
    poolUsed: fields.count("poolUsed"),
    poolSize: fields.count("poolSize"),
    stack: fields.count("stack"),
    static: fields.count("static"),
  };
}

/** @throws PayloadError */
export function parseDeviceState(value: unknown): DeviceState {
  const fields = new Fields(value, "");
  return {
    step: fields.count("step", UINT32),
    loss: fields.number("loss", 0, 1e6),
    accuracy: fields.number("accuracy", 0, 1),
    learningRate: fields.number("learningRate", 0, 1e6),
    evaluated: fields.count("evaluated"),
    saturated: fields.count("saturated"),
    occupied: fields.count("occupied"),
    featureBytes: fields.count("featureBytes"),
    featureBytesRaw: fields.count("featureBytesRaw"),
    personal: fields.nested("personal", (personal) => ({
      due: personal.flag("due"),
      doubt: personal.number("doubt", 0, 1000),
      kept: personal.count("kept"),
      labelsLeft: personal.count("labelsLeft"),
    })),
    pass: fields.nested("pass", (pass) => ({
      dirty: pass.number("dirty", 0, 1),
      // Recomputed layers and rectangles around what changed can make a frame dearer than a dense one.
      macs: pass.number("macs", 0, 100),
      refreshAge: pass.count("refreshAge"),
      harmful: pass.number("harmful", 0, 1),
      noise: pass.number("noise", 0, 255),
      denseFrames: pass.count("denseFrames"),
    })),
    samples: fields.count("samples"),
    samplesPerSecond: fields.number("samplesPerSecond", 0, 1e9),
    bytesOut: fields.count("bytesOut"),
    dropped: fields.count("dropped"),
    uptime: fields.number("uptime", 0, COUNT),
    running: fields.flag("running"),
    memory: fields.nested("memory", readMemory),
    error: fields.nested("error", (error) => ({
      code: error.number("code", -UINT32, UINT32),
      name: error.text("name"),
      message: error.text("message", MAX_LOG_TEXT),
    })),
    time: fields.number("time", 0, COUNT),
  };
}

/** @throws PayloadError */
export function parseDeviceList(value: unknown): DeviceInfo[] {
  if (!Array.isArray(value)) throw new PayloadError("", "is not an array");
  if (value.length > MAX_DEVICES) {
    throw new PayloadError("", `lists ${value.length} devices; at most ${MAX_DEVICES} are shown`);
  }
  return value.map((entry, index) => {
    const fields = new Fields(entry, `[${index}]`);
    const id = fields.text("id");
    if (id === undefined || !isDeviceId(id))
      throw new PayloadError(`[${index}].id`, "is not a device's name");
    return {
      id,
      board: fields.text("board"),
      engine: fields.text("engine"),
      firmware: fields.text("firmware"),
      transport: fields.text("transport"),
      moduleBytes: fields.nested("module", (module) => module.count("bytes")),
      memory: fields.nested("memory", readMemory),
      online: fields.flag("online"),
    };
  });
}

/** `{"state":"online"|"offline"}` of the bridge or a device. @returns true when online. @throws PayloadError */
export function parseAvailability(value: unknown): boolean {
  const state = new Fields(value, "").text("state");
  if (state !== "online" && state !== "offline") {
    throw new PayloadError("state", "is neither online nor offline");
  }
  return state === "online";
}

/** @throws PayloadError */
export function parseBridgeInfo(value: unknown): BridgeInfo {
  const fields = new Fields(value, "");
  return {
    version: fields.text("version"),
    // A broker's address may carry a user and a password; they are nobody's business here.
    broker: fields.text("broker")?.replace(/\/\/[^/@]*@/, "//"),
    mqtt: fields.number("mqtt", 3, 9),
    dataset: fields.text("dataset"),
  };
}

/** @throws PayloadError */
export function parseBridgeHealth(value: unknown): BridgeHealth {
  const fields = new Fields(value, "");
  return {
    uptime: fields.number("uptime", 0, COUNT),
    rss: fields.count("rss"),
    badFrames: fields.nested("frames", (frames) => frames.count("bad")),
  };
}

/** @throws PayloadError */
export function parseLog(value: unknown): LogMessage {
  const fields = new Fields(value, "");
  const level = fields.text("level") ?? "info";
  if (!LEVELS.includes(level)) throw new PayloadError("level", `is none of ${LEVELS.join(", ")}`);
  const message = fields.text("message", MAX_LOG_TEXT);
  if (message === undefined) throw new PayloadError("message", "is missing");
  return { level: level as LogLevel, message };
}

/** What a device may be called; "bridge" and "cloud" are taken. */
export function isDeviceId(id: string): boolean {
  return DEVICE_ID.test(id) && id !== "bridge" && id !== "cloud";
}
