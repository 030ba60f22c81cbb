// What the frames carry (docs/protocol.md): types and codecs of every message but requests and their answers, which
// are in requests.ts. Each decoder checks all that a wire can get wrong and throws a MessageError that says what.

import { type CborValue, decodeMap, encodeMap, Fields, integer, MessageError } from "./cbor.ts";
import type { Fault } from "./errors.ts";
import { decodeStateRecord, encodeStateRecord, type StateRecord } from "./state-record.ts";

export { MessageError };

/** Memory of a device, in bytes. What it cannot tell is absent. */
export interface Memory {
  /** What the module uses of its linear memory. */
  linear?: number;
  /** Code pages of the engine. */
  metacode?: number;
  poolUsed?: number;
  poolSize?: number;
  /** C stack set aside for the firmware. */
  stack?: number;
  /** Firmware's static data. */
  static?: number;
}

export interface Hello {
  /** Version of the protocol that the device speaks. */
  protocol: number;
  epoch: number;
  /** See DEVICE_ID. */
  id: string;
  board: string;
  firmware: string;
  /** `wasm3-<version>` or `node`. */
  engine: string;
  abi: number;
  /** Import modules that the device offers, such as `octo_int8_1`. */
  imports: string[];
  /** 0: no module. */
  moduleBytes: number;
  moduleSha256?: Uint8Array;
  memory: Memory;
  running: boolean;
  /** The how manieth hello of its epoch, from 1; tells a hello that was repeated from one after a reset. */
  count?: number;
}

export interface State {
  record?: StateRecord;
  /** Milliseconds since the device started. */
  uptime: number;
  /** Steps since `start`. */
  steps: number;
  /** Bytes that the device has sent over the link. */
  bytesSent: number;
  /** Stream frames that it dropped under back-pressure. */
  dropped: number;
  memory?: Memory;
  running: boolean;
  /** What stopped the module. */
  error?: Fault;
  /** Frames that the sensor has given. */
  samples?: number;
}

/** 0 error, 1 warning, 2 info, 3 debug. */
export type LogLevel = 0 | 1 | 2 | 3;

export interface LogMessage {
  level: LogLevel;
  text: string;
}

/** What a device may be called: it becomes a part of MQTT topics. */
export const DEVICE_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,30}$/;

/** Most bytes of one publication of features, so that it fits one frame. */
export const MAX_FEATURES = 1016;

const MEMORY_KEYS = ["linear", "metacode", "poolUsed", "poolSize", "stack", "static"] as const;
const MAX_IMPORTS = 32;
const MAX_TEXT = 128;

function memoryMap(memory: Memory): CborValue {
  const map = new Map<number, CborValue>();
  MEMORY_KEYS.forEach((name, key) => {
    if (memory[name] !== undefined) map.set(key, integer(memory[name]));
  });
  return map;
}

function readMemory(fields: Fields): Memory {
  const memory: Memory = {};
  MEMORY_KEYS.forEach((name, key) => {
    if (fields.has(key)) memory[name] = fields.count(key);
  });
  return memory;
}

/** One short line of text without control characters. */
function line(fields: Fields, key: number): string {
  const text = fields.text(key);
  if (text.length > MAX_TEXT || /\p{Cc}/u.test(text)) {
    fields.fail(key, `a line of at most ${MAX_TEXT} characters`);
  }
  return text;
}

export function encodeHello(hello: Hello): Uint8Array {
  return encodeMap([
    [0, hello.protocol],
    [1, hello.epoch],
    [2, hello.id],
    [3, hello.board],
    [4, hello.firmware],
    [5, hello.engine],
    [6, hello.abi],
    [7, hello.imports],
    [8, hello.moduleBytes],
    [9, hello.moduleSha256],
    [10, memoryMap(hello.memory)],
    [11, hello.running],
    [12, hello.count],
  ]);
}

export function decodeHello(payload: Uint8Array): Hello {
  const fields = new Fields(decodeMap(payload, "hello"), "hello");
  const id = fields.text(2);
  if (!DEVICE_ID.test(id))
    fields.fail(2, "a device id: a letter or digit, then at most 30 of these or _ . -");
  const imports = fields.array(7);
  if (
    imports.length > MAX_IMPORTS ||
    imports.some((name) => typeof name !== "string" || name.length > MAX_TEXT)
  ) {
    fields.fail(7, `an array of at most ${MAX_IMPORTS} names`);
  }
  const moduleSha256 = fields.optional(9, fields.bytes);
  if (moduleSha256 !== undefined && moduleSha256.length !== 32) fields.fail(9, "a SHA-256 of 32 bytes");
  return {
    protocol: fields.uint32(0),
    epoch: fields.uint32(1),
    id,
    board: line(fields, 3),
    firmware: line(fields, 4),
    engine: line(fields, 5),
    abi: fields.uint32(6),
    imports: imports as string[],
    moduleBytes: fields.uint32(8),
    ...(moduleSha256 === undefined ? {} : { moduleSha256 }),
    memory: readMemory(fields.fields(10)),
    running: fields.boolean(11),
    ...(fields.has(12) ? { count: fields.uint32(12) } : {}),
  };
}

export function encodeWelcome(epoch: number): Uint8Array {
  return encodeMap([[0, integer(epoch)]]);
}

export function decodeWelcome(payload: Uint8Array): number {
  return new Fields(decodeMap(payload, "welcome"), "welcome").uint32(0);
}

/** The state map, without the CBOR around it: a status answer carries it too. */
export function stateEntries(state: State): [number, CborValue | undefined][] {
  const error = state.error;
  return [
    [0, state.record && encodeStateRecord(state.record)],
    [1, integer(state.uptime)],
    [2, integer(state.steps)],
    [3, integer(state.bytesSent)],
    [4, integer(state.dropped)],
    [5, state.memory && memoryMap(state.memory)],
    [6, state.running],
    [
      7,
      error &&
        new Map(faultEntries(error, 0, 1).flatMap(([k, v]) => (v === undefined ? [] : [[k, v] as const]))),
    ],
    [8, state.samples === undefined ? undefined : integer(state.samples)],
  ];
}

/** Entries of a fault: its code at key `code`, where, got and want from key `rest` on, its text at 9. */
export function faultEntries(fault: Fault, code: number, rest: number): [number, CborValue | undefined][] {
  return [
    [code, fault.code],
    [rest, word(fault.where)],
    [rest + 1, word(fault.got)],
    [rest + 2, word(fault.want)],
    [9, fault.text],
  ];
}

/** The numbers of a fault have 32 bits, as in firmware: what is larger is told as the largest. */
function word(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.max(-0x80000000, Math.min(0x7fffffff, value));
}

export function encodeState(state: State): Uint8Array {
  return encodeMap(stateEntries(state));
}

export function decodeState(payload: Uint8Array): State {
  return readState(new Fields(decodeMap(payload, "state"), "state"));
}

/** Reads the state map of a state frame or of a status answer. */
export function readState(fields: Fields): State {
  const record = fields.optional(0, fields.bytes);
  const decoded = record === undefined ? undefined : decodeStateRecord(record);
  if (decoded === null) fields.fail(0, "a state record of whole pairs");
  const memory = fields.optional(5, fields.fields);
  const error = fields.optional(7, fields.fields);
  return {
    ...(decoded ? { record: decoded } : {}),
    uptime: fields.count(1),
    steps: fields.count(2),
    bytesSent: fields.count(3),
    dropped: fields.count(4),
    ...(memory === undefined ? {} : { memory: readMemory(memory) }),
    running: fields.boolean(6),
    ...(error === undefined ? {} : { error: readFault(error, 0, 1) }),
    ...(fields.has(8) ? { samples: fields.count(8) } : {}),
  };
}

/** Reads a fault whose code has the key `code` and whose where, got and want have the keys from `rest` on. */
export function readFault(fields: Fields, code: number, rest: number): Fault {
  const fault: Fault = { code: fields.uint32(code) };
  const names = ["where", "got", "want"] as const;
  names.forEach((name, i) => {
    if (fields.has(rest + i)) fault[name] = fields.word(rest + i);
  });
  if (fields.has(9))
    fault.text = fields
      .text(9)
      .replace(/\p{Cc}/gu, " ")
      .slice(0, MAX_TEXT);
  return fault;
}

/** Encodes a log line; text that does not fit a frame is cut. */
export function encodeLog(message: LogMessage): Uint8Array {
  return encodeMap([
    [0, message.level],
    [1, cutUtf8(message.text, MAX_FEATURES)],
  ]);
}

function cutUtf8(text: string, maxBytes: number): string {
  const target = new Uint8Array(maxBytes);
  const { read } = new TextEncoder().encodeInto(text, target);
  return text.slice(0, read);
}

export function decodeLog(payload: Uint8Array): LogMessage {
  const fields = new Fields(decodeMap(payload, "log"), "log");
  return { level: fields.integer(0, 0, 3) as LogLevel, text: fields.text(1) };
}

export function encodeFeatures(bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_FEATURES) {
    throw new MessageError(`features: ${bytes.length} bytes, but at most ${MAX_FEATURES} fit one frame`);
  }
  return encodeMap([[0, bytes]]);
}

export function decodeFeatures(payload: Uint8Array): Uint8Array {
  return new Fields(decodeMap(payload, "features"), "features").bytes(0);
}
