// Session logs as files from outside: what is whole is read, what is not is told, and nothing that is thrown at the reader breaks it.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../../host/protocol/crc32c.ts";
import { decodeLog, type Entry, encodeEntry } from "../../host/replay/log.ts";
import { readSession, SessionError } from "../../host/replay/session.ts";

const bytesOf = (max: number) => fc.uint8Array({ maxLength: max });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const i32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

const session = fc.record({
  kind: fc.constant("session" as const),
  device: fc.string({ maxLength: 20 }),
  board: fc.string({ maxLength: 20 }),
  engine: fc.string({ maxLength: 20 }),
  firmware: fc.string({ maxLength: 20 }),
  module: bytesOf(200),
  source: fc.string({ maxLength: 20, unit: "grapheme" }),
});
const other: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ kind: fc.constant("samples" as const), offset: u32, bytes: bytesOf(100) }),
  fc.record({
    kind: fc.constant("start" as const),
    seed: u32,
    params: fc.array(fc.tuple(u32, i64), { maxLength: 8 }),
  }),
  fc.record({ kind: fc.constant("message" as const), steps: u32, bytes: bytesOf(20) }),
  fc.record({ kind: fc.constant("restore" as const), steps: u32, state: bytesOf(60) }),
  fc.record({ kind: fc.constant("digest" as const), steps: u32, sha256: bytesOf(32) }),
  fc.record({ kind: fc.constant("state" as const), steps: u32, record: bytesOf(60), samples: u32 }),
  fc.record({ kind: fc.constant("fault" as const), steps: u32, code: i32, where: i32, got: i32, want: i32 }),
  fc.record({ kind: fc.constant("block" as const), steps: u32, offset: u32, bytes: bytesOf(60) }),
  fc.constant({ kind: "end" as const }),
);
const log = fc
  .tuple(session, fc.array(other, { maxLength: 12 }))
  .map(([first, rest]): Entry[] => [first, ...rest]);

function concat(entries: readonly Entry[]): Uint8Array {
  return new Uint8Array(Buffer.concat(entries.map(encodeEntry)));
}

describe("a log", () => {
  it("comes back as it was written", () => {
    fc.assert(
      fc.property(log, (entries) => {
        expect(decodeLog(concat(entries))).toEqual({ entries });
      }),
    );
  });

  it("that is cut off anywhere gives the entries that are whole, and where it ends", () => {
    fc.assert(
      fc.property(log, fc.nat(), (entries, cut) => {
        const bytes = concat(entries);
        const ends: number[] = [0];
        for (const entry of entries) ends.push((ends.at(-1) as number) + encodeEntry(entry).length);
        const at = cut % bytes.length;
        const whole = ends.filter((end) => end <= at).length - 1;
        const read = decodeLog(bytes.subarray(0, at));
        expect(read.entries).toEqual(entries.slice(0, whole));
        if (ends.includes(at)) expect(read.damage).toBeUndefined();
        else expect(read.damage).toEqual({ offset: ends[whole], reason: "the log was cut off" });
      }),
    );
  });

  it("in which a byte was changed is read up to the entry that has it", () => {
    fc.assert(
      fc.property(log, fc.nat(), fc.integer({ min: 1, max: 255 }), (entries, place, change) => {
        const bytes = concat(entries);
        const at = place % bytes.length;
        bytes[at] = (bytes[at] as number) ^ change;
        const ends = entries.map((_, i) => concat(entries.slice(0, i + 1)).length);
        const whole = ends.findIndex((end) => end > at);
        const read = decodeLog(bytes);
        expect(read.damage).toBeDefined();
        expect(read.entries).toEqual(entries.slice(0, whole));
      }),
    );
  });

  it("of any bytes at all is told, not thrown", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(Array.isArray(decodeLog(bytes).entries)).toBe(true);
      }),
    );
  });

  it("as a session: a SessionError, or runs in the order of their steps", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(session, other), { maxLength: 14 }), (entries) => {
        try {
          for (const { events } of readSession(concat(entries)).runs) {
            expect(events.map(({ steps }) => steps)).toEqual(
              events.map(({ steps }) => steps).sort((a, b) => a - b),
            );
          }
        } catch (error) {
          expect(error).toBeInstanceOf(SessionError);
        }
      }),
    );
  });

  it("announces no more than there is: a length of four gigabytes takes no memory", () => {
    expect(decodeLog(Uint8Array.of(0x5a, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0))).toEqual({
      entries: [],
      damage: { offset: 0, reason: "an entry of 4294967295 bytes; none is larger than 1048576" },
    });
  });

  it("of a later version is refused with both numbers", () => {
    const info = {
      device: "a",
      board: "b",
      engine: "c",
      firmware: "d",
      module: new Uint8Array(),
      source: "e",
    };
    const entry = encodeEntry({ kind: "session", ...info });
    // head of 5, map of 8, keys 0 and 1: the version is the fifth byte
    const payload = entry.slice(5, -5);
    payload[4] = 2;
    const damaged = rewrap(payload);
    expect(() => readSession(damaged)).toThrow(/version 1: this log is of version 2/);
  });

  it.each([
    ["nothing", new Uint8Array()],
    ["text", new TextEncoder().encode("hello, this is no log")],
    ["a log without its first entry", concat([{ kind: "end" }])],
  ])("%s is no session", (_what, bytes) => {
    expect(() => readSession(bytes)).toThrow(SessionError);
  });
});

/** An entry with a payload of the test's own. */
function rewrap(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(payload.length + 10);
  const view = new DataView(bytes.buffer);
  bytes.set([0x5a], 0);
  view.setUint32(1, payload.length);
  bytes.set(payload, 5);
  bytes[5 + payload.length] = 0x1a;
  view.setUint32(6 + payload.length, crc32c(payload));
  return bytes;
}
