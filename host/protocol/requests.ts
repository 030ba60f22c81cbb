// Requests and their answers (docs/protocol.md): one table of verbs, from which types and codecs follow.

import { type CborValue, decodeMap, encodeMap, Fields, integer, MessageError } from "./cbor.ts";
import { type Fault, HostError } from "./errors.ts";
import { faultEntries, readFault, readState, type State, stateEntries } from "./messages.ts";
import { type Param, type Params, wireParams } from "./params.ts";

/** Most bytes that one read or write moves. */
export const MAX_BLOCK = 512;

/** Regions of a device that `read` and `write` know. */
export const Region = { learnedState: 0 } as const;

/** Arguments of each verb, as a caller writes them. */
export interface RequestArgs {
  /** Loads the module anew and steps. `steps`: pause by itself after that many, 0 (the default) never. */
  start: { seed: number; params?: Params; steps?: number };
  pause: Record<string, never>;
  resume: { steps?: number };
  read: { region: number; offset: number; length: number };
  /** `last`: the region is complete; the module rebuilds what is derived from it. */
  write: { region: number; offset: number; bytes: Uint8Array; last: boolean };
  selfTest: Record<string, never>;
  message: { bytes: Uint8Array };
  status: Record<string, never>;
  digest: Record<string, never>;
}

/** Steps since the start that a device had made when it carried a request out; older firmware does not say. */
export interface At {
  steps?: number;
}

/** What each verb is answered with. */
export interface Answers {
  start: undefined;
  pause: undefined;
  resume: undefined;
  /** `total`: the region's length in all. */
  read: { bytes: Uint8Array; total: number } & At;
  write: At;
  /** The module's digest, 0 … 2^32 − 1. */
  selfTest: number;
  message: At;
  status: State;
  /** SHA-256 of the learned state, and when it was that. */
  digest: { sha256: Uint8Array; steps: number };
}

export type Verb = keyof RequestArgs;

/** Verbs by name. */
export const VERBS: Readonly<Record<Verb, number>> = {
  start: 1,
  pause: 2,
  resume: 3,
  read: 4,
  write: 5,
  selfTest: 6,
  message: 7,
  status: 8,
  digest: 9,
};

const VERB_NAMES = new Map(Object.entries(VERBS).map(([name, number]) => [number, name as Verb]));

/** Arguments of a verb as the wire has them: parameters are hashed. */
export type WireArgs = {
  [V in Verb]: V extends "start"
    ? { seed: number; params: Param[]; steps: number }
    : Required<RequestArgs[V]>;
};

/** A request with a known verb, as a device reads it. */
export type Request = { [V in Verb]: { id: number; verb: V; args: WireArgs[V] } }[Verb];

type Entries = [number, CborValue | undefined][];

const writeArgs: { [V in Verb]: (args: RequestArgs[V]) => Entries } = {
  start: ({ seed, params, steps }) => [
    [2, uint32("seed", seed)],
    [3, wireParams(params ?? {}).map(([hash, value]) => [hash, integer(value)])],
    [4, uint32("steps", steps ?? 0)],
  ],
  pause: () => [],
  resume: ({ steps }) => [[4, uint32("steps", steps ?? 0)]],
  read: ({ region, offset, length }) => [
    [2, uint32("region", region)],
    [3, uint32("offset", offset)],
    [4, block(length)],
  ],
  write: ({ region, offset, bytes, last }) => {
    block(bytes.length);
    return [
      [2, uint32("region", region)],
      [3, uint32("offset", offset)],
      [4, bytes],
      [5, last],
    ];
  },
  selfTest: () => [],
  message: ({ bytes }) => {
    block(bytes.length);
    return [[2, bytes]];
  },
  status: () => [],
  digest: () => [],
};

const readArgs: { [V in Verb]: (fields: Fields) => WireArgs[V] } = {
  start: (fields) => ({
    seed: fields.uint32(2),
    params: fields.has(3) ? readParams(fields) : [],
    steps: fields.optional(4, fields.uint32) ?? 0,
  }),
  pause: () => ({}),
  resume: (fields) => ({ steps: fields.optional(4, fields.uint32) ?? 0 }),
  read: (fields) => ({
    region: fields.uint32(2),
    offset: fields.uint32(3),
    length: fields.integer(4, 0, MAX_BLOCK),
  }),
  write: (fields) => ({
    region: fields.uint32(2),
    offset: fields.uint32(3),
    bytes: fields.bytes(4),
    last: fields.optional(5, fields.boolean) ?? false,
  }),
  selfTest: () => ({}),
  message: (fields) => ({ bytes: fields.bytes(2) }),
  status: () => ({}),
  digest: () => ({}),
};

function uint32(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffffffff) return value;
  throw new MessageError(`${name} is ${value}: must be an integer in 0 … 2^32 − 1`);
}

function block(length: number): number {
  if (Number.isInteger(length) && length >= 0 && length <= MAX_BLOCK) return length;
  throw new MessageError(`${length} bytes: a request moves at most ${MAX_BLOCK}`);
}

function readParams(fields: Fields): Param[] {
  return fields.array(3).map((pair) => {
    const [hash, value] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    const whole = typeof value === "number" ? BigInt(value) : value;
    if (typeof hash !== "number" || typeof whole !== "bigint" || BigInt.asIntN(64, whole) !== whole) {
      return fields.fail(3, "an array of pairs: hash, value in Q32.32");
    }
    return [hash >>> 0, whole] as const;
  });
}

/** @throws MessageError if an argument is out of range. */
export function encodeRequest<V extends Verb>(id: number, verb: V, args: RequestArgs[V]): Uint8Array {
  return encodeMap([[0, id], [1, VERBS[verb]], ...writeArgs[verb](args)]);
}

/** A request whose id is known, although the rest of it cannot be carried out. */
export interface BadRequest {
  id: number;
  verb: null;
  fault: Fault;
}

/** @throws MessageError if not even the id can be read; nothing can be answered then. */
export function decodeRequest(payload: Uint8Array): Request | BadRequest {
  const fields = new Fields(decodeMap(payload, "request"), "request");
  const id = fields.uint32(0);
  try {
    const number = fields.uint32(1);
    const verb = VERB_NAMES.get(number);
    if (verb === undefined)
      return { id, verb: null, fault: { code: HostError.unknownVerb, got: number | 0 } };
    return { id, verb, args: readArgs[verb](fields) } as Request;
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
    return { id, verb: null, fault: { code: HostError.badRequest, text: error.message.slice(0, 79) } };
  }
}

function at({ steps }: At): Entries {
  return [[2, steps === undefined ? undefined : uint32("steps", steps)]];
}

const readAt = (fields: Fields): At => (fields.has(2) ? { steps: fields.uint32(2) } : {});

const writeAnswer: { [V in Verb]: (answer: Answers[V]) => Entries } = {
  start: () => [],
  pause: () => [],
  resume: () => [],
  read: ({ bytes, total, steps }) => [
    [2, bytes],
    [3, integer(total)],
    [4, steps === undefined ? undefined : uint32("steps", steps)],
  ],
  write: at,
  selfTest: (digest) => [[2, digest]],
  message: at,
  status: (state) => [
    [2, new Map(stateEntries(state).filter((entry): entry is [number, CborValue] => entry[1] !== undefined))],
  ],
  digest: ({ sha256, steps }) => [
    [2, sha256],
    [3, uint32("steps", steps)],
  ],
};

const readAnswer: { [V in Verb]: (fields: Fields) => Answers[V] } = {
  start: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
  read: (fields) => ({
    bytes: fields.bytes(2),
    total: fields.uint32(3),
    ...(fields.has(4) && { steps: fields.uint32(4) }),
  }),
  write: readAt,
  selfTest: (fields) => fields.word(2) >>> 0,
  message: readAt,
  status: (fields) => readState(fields.fields(2)),
  digest: (fields) => ({ sha256: fields.bytes(2), steps: fields.uint32(3) }),
};

/** A response whose id and code are read; the answer's fields wait for the verb that the id belongs to. */
export interface Response {
  id: number;
  /** Code 0: done. */
  fault: Fault;
  fields: Fields;
}

/** @throws MessageError if not even the id can be read; what else is wrong is the fault `bad-message`. */
export function decodeResponse(payload: Uint8Array): Response {
  const fields = new Fields(decodeMap(payload, "response"), "response");
  const id = fields.uint32(0);
  try {
    const code = fields.uint32(1);
    return { id, fault: code === 0 ? { code } : readFault(fields, 1, 2), fields };
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
    return { id, fault: { code: HostError.badMessage, text: error.message }, fields };
  }
}

/** @throws MessageError if the answer lacks what the verb promises. */
export function decodeAnswer<V extends Verb>(verb: V, response: Response): Answers[V] {
  return readAnswer[verb](response.fields);
}

/** The response that carries out `verb`. */
export function encodeAnswer<V extends Verb>(id: number, verb: V, answer: Answers[V]): Uint8Array {
  return encodeMap([[0, id], [1, 0], ...writeAnswer[verb](answer)]);
}

/** The response that refuses, with why. */
export function encodeRefusal(id: number, fault: Fault): Uint8Array {
  return encodeMap([[0, id], ...faultEntries(fault, 1, 2)]);
}
