import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeMap, encodeMap, Fields, integer } from "../../host/protocol/cbor.ts";
import {
  DEVICE_ID,
  decodeFeatures,
  decodeHello,
  decodeLog,
  decodeState,
  decodeWelcome,
  encodeFeatures,
  encodeHello,
  encodeLog,
  encodeState,
  encodeWelcome,
  type Hello,
  MAX_FEATURES,
  MessageError,
} from "../../host/protocol/messages.ts";
import { encodeParams, fnv1a, toQ32 } from "../../host/protocol/params.ts";
import {
  decodeAnswer,
  decodeRequest,
  decodeResponse,
  encodeAnswer,
  encodeRefusal,
  encodeRequest,
  type Verb,
} from "../../host/protocol/requests.ts";
import { fromHex, toHex, vectors } from "./vectors.ts";

interface Vector {
  name: string;
  message: "hello" | "state" | "log" | "request" | "response";
  payload: string;
  verb?: Verb;
  value: Record<string, unknown>;
}

const { valid } = vectors<{ valid: Vector[] }>("messages");

/** Bytes as hex, 64-bit integers as text: what JSON can hold. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => (one === undefined ? [] : [[key, plain(one)]])),
  );
}

function decodeAny({ message, verb }: Vector, payload: Uint8Array): unknown {
  if (message === "hello") return decodeHello(payload);
  if (message === "state") return decodeState(payload);
  if (message === "log") return decodeLog(payload);
  if (message === "request") return decodeRequest(payload);
  const { id, fault, ...rest } = decodeResponse(payload);
  const answer = fault.code === 0 ? decodeAnswer(verb as Verb, { id, fault, ...rest }) : undefined;
  return { id, fault, answer };
}

describe.each(valid)("$name", (vector) => {
  const payload = fromHex(vector.payload);
  test("is decoded", () => expect(plain(decodeAny(vector, payload))).toEqual(vector.value));

  test("every shorter payload is a MessageError, or a request that says what is wrong", () => {
    for (let end = 0; end < payload.length; end++) {
      expect(() => decodeAny(vector, payload.subarray(0, end))).toThrow(MessageError);
    }
  });
});

const hello: Hello = {
  protocol: 1,
  epoch: 0xfffffff9,
  id: "kitchen-1",
  board: "posix",
  firmware: "0.1.0",
  engine: "wasm3-0.5.0",
  abi: 1,
  imports: ["octomote_1"],
  moduleBytes: 0,
  memory: {},
  running: false,
};

describe("what is encoded comes back", () => {
  test("hello", () => {
    expect(decodeHello(encodeHello(hello))).toEqual(hello);
    const full = {
      ...hello,
      moduleSha256: new Uint8Array(32).fill(3),
      memory: { linear: 5, static: 2 ** 40 },
    };
    expect(decodeHello(encodeHello(full))).toEqual(full);
  });

  test("hello as the shared vector has it", () => {
    const vector = valid[0] as Vector;
    expect(toHex(encodeHello(decodeHello(fromHex(vector.payload))))).toBe(vector.payload);
  });

  test("welcome, features, log", () => {
    expect(decodeWelcome(encodeWelcome(0xffffffff))).toBe(0xffffffff);
    const bytes = new Uint8Array(MAX_FEATURES).fill(255);
    expect(decodeFeatures(encodeFeatures(bytes))).toEqual(bytes);
    expect(decodeLog(encodeLog({ level: 3, text: "ä" }))).toEqual({ level: 3, text: "ä" });
  });

  test("state", () => {
    const state = {
      record: { loss: 1.5, accuracy: 0.25, class: 3 },
      uptime: 2 ** 45,
      steps: 7,
      bytesSent: 2 ** 33,
      dropped: 0,
      memory: { linear: 1, metacode: 2, poolUsed: 3, poolSize: 4, stack: 5, static: 6 },
      running: true,
      error: { code: 22, where: 0, got: -1, want: 5, text: "why" },
      samples: 9,
    };
    expect(decodeState(encodeState(state))).toEqual(state);
  });

  test("requests and answers", () => {
    const bytes = Uint8Array.of(0, 1, 2);
    expect(decodeRequest(encodeRequest(5, "start", { seed: 7, params: { lr: 0.005 } }))).toEqual({
      id: 5,
      verb: "start",
      args: { seed: 7, params: [[fnv1a("lr"), toQ32(0.005)]], steps: 0 },
    });
    expect(decodeRequest(encodeRequest(6, "resume", {}))).toMatchObject({
      verb: "resume",
      args: { steps: 0 },
    });
    const read = decodeResponse(encodeAnswer(9, "read", { bytes, total: 3 }));
    expect(decodeAnswer("read", read)).toEqual({ bytes, total: 3 });
    const refusal = { code: 40, where: 1, got: 0, want: 0, text: "env.abort" };
    expect(decodeResponse(encodeRefusal(1, refusal)).fault).toEqual(refusal);
  });
});

test("log text that does not fit is cut between characters", () => {
  const { text } = decodeLog(encodeLog({ level: 0, text: "€".repeat(1000) }));
  expect(text).toBe("€".repeat(Math.floor(MAX_FEATURES / 3)));
});

test("features that do not fit one frame are refused", () => {
  expect(() => encodeFeatures(new Uint8Array(MAX_FEATURES + 1))).toThrow(/1017 bytes, but at most 1016/);
});

describe("a wire can say anything", () => {
  const decoders = [decodeHello, decodeState, decodeLog, decodeFeatures, decodeWelcome, decodeResponse];

  test("random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const decoder of [...decoders, decodeRequest]) {
          try {
            decoder(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(MessageError);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("changed bytes of real messages", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...valid), changes, (vector, edits) => {
        const payload = fromHex(vector.payload);
        for (const [at, byte] of edits) payload[at % payload.length] = byte;
        try {
          decodeAny(vector, payload);
        } catch (error) {
          expect(error).toBeInstanceOf(MessageError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ["not a map", "01"],
    ["bytes after the map", "a000"],
    ["a float", "a100fa3f800000"],
    ["null", "a100f6"],
    ["a tag", "a100c001"],
    ["indefinite length", "bf0001ff"],
    ["indefinite bytes", "a1005f4101ff"],
    ["a text key", "a1613001"],
    ["a negative key", "a12001"],
    ["a key twice", "a200010002"],
    ["a length beyond the end", "a1009affffffff"],
    ["a length of 64 bits", "a1005bffffffffffffffff"],
    ["nested too deeply", "a1008181818101"],
    ["text that is not UTF-8", "a10062ff61"],
    ["a map that ends early", "a2000001"],
  ])("%s", (_, hex) => {
    expect(() => decodeMap(fromHex(hex), "test")).toThrow(MessageError);
  });

  test.each([
    ["an empty id", { id: "" }],
    ["an id with a slash", { id: "a/b" }],
    ["an id with a wildcard", { id: "a+b" }],
    ["an id that is too long", { id: "a".repeat(32) }],
    ["a board of many lines", { board: "a\nb" }],
    ["a digest of the wrong length", { moduleSha256: new Uint8Array(31) }],
    ["too many imports", { imports: Array<string>(33).fill("x") }],
    ["a negative epoch", { epoch: -1 }],
  ])("hello with %s", (_, wrong) => {
    expect(() => decodeHello(encodeHello({ ...hello, ...wrong }))).toThrow(MessageError);
  });

  test("a response whose id can be read fails its request", () => {
    const response = decodeResponse(
      encodeMap([
        [0, 5],
        [1, true],
      ]),
    );
    expect(response).toMatchObject({ id: 5, fault: { code: 83, text: /key 1 is not an integer/ } });
  });

  test("a fault's numbers are told as words, whatever they were", () => {
    const wire = encodeRefusal(1, { code: 64, where: 0, got: 2 ** 32, want: -(2 ** 40) });
    expect(decodeResponse(wire).fault).toEqual({ code: 64, where: 0, got: 0x7fffffff, want: -0x80000000 });
  });

  test("a request with bad arguments can still be answered", () => {
    const unknown = decodeRequest(
      encodeMap([
        [0, 5],
        [1, 77],
      ]),
    );
    expect(unknown).toEqual({ id: 5, verb: null, fault: { code: 60, got: 77 } });
    const bad = decodeRequest(
      encodeMap([
        [0, 5],
        [1, 4],
        [2, 0],
        [3, 0],
        [4, 513],
      ]),
    );
    expect(bad).toMatchObject({ id: 5, verb: null, fault: { code: 61, text: /key 4 .* 0 … 512/ } });
  });
});

test("ids are what docs/protocol.md says", () => {
  for (const id of ["a", "0", "Kitchen_1.b-c", "x".repeat(31)]) expect(DEVICE_ID.test(id)).toBe(true);
  for (const id of ["", "-a", "a b", "a#", "ä", "x".repeat(32), "a\n"])
    expect(DEVICE_ID.test(id)).toBe(false);
});

describe("parameters", () => {
  test.each([
    ["", 0x811c9dc5],
    ["a", 0xe40c292c],
    ["foobar", 0xbf9cf968],
    ["lr", 0x5731e17b],
  ])("FNV-1a of %j", (name, hash) => expect(fnv1a(name)).toBe(hash));

  test.each([
    [0, 0n],
    [1, 1n << 32n],
    [-1, -(1n << 32n)],
    [0.5, 1n << 31n],
    [2 ** -33, 1n],
    [-(2 ** -33), 0n],
    [0.005, 21474836n],
    [2 ** 31 - 1, (2n ** 31n - 1n) << 32n],
  ])("%d in Q32.32", (value, fixed) => expect(toQ32(value)).toBe(fixed));

  test("what does not fit is refused", () => {
    for (const value of [2 ** 31, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => encodeParams({ lr: value })).toThrow(MessageError);
    }
    expect(() => encodeParams({ größe: 1 })).toThrow(MessageError);
  });
});

test("arguments out of range are refused before anything is sent", () => {
  expect(() => encodeRequest(1, "start", { seed: -1 })).toThrow(/seed is -1/);
  expect(() => encodeRequest(1, "read", { region: 0, offset: 0, length: 513 })).toThrow(/513 bytes/);
  expect(() => encodeRequest(1, "message", { bytes: new Uint8Array(513) })).toThrow(/at most 512/);
});

test("integers of 64 bits are never floats", () => {
  const limits = [2 ** 32, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER, -(2n ** 63n), 2n ** 63n - 1n];
  for (const value of limits) {
    const map = decodeMap(encodeMap([[0, integer(value)]]), "test");
    expect(BigInt(map.get(0) as bigint)).toBe(BigInt(value));
  }
  expect(() => integer(0.5)).toThrow(MessageError);
  expect(() => integer(2n ** 63n)).toThrow(MessageError);
  expect(new Fields(decodeMap(fromHex("a1001b0000000000000005"), "test"), "test").uint32(0)).toBe(5);
});
