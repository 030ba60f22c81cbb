// Logs that lie: whatever a log says of a module that runs, replay ends with a result or a SessionError.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildIntrinsics, buildModules, ROOT } from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { type Entry, encodeEntry } from "../../host/replay/log.ts";
import { replay } from "../../host/replay/replayer.ts";
import { readSession, SessionError } from "../../host/replay/session.ts";
import { streamOf } from "../support/streams.ts";

let folder: string;
let module: Uint8Array;
let intrinsics: Uint8Array<ArrayBuffer>;
let samples: Uint8Array;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-hostile-"));
  const apps = [join(ROOT, "tests/assembly/apps/personal.ts")];
  const [built] = await buildModules({ apps, targets: ["device"], out: folder });
  module = new Uint8Array(await readFile(built?.path as string));
  intrinsics = new Uint8Array(await readFile(await buildIntrinsics()));
  samples = streamOf(await loadDataset("generated", { limit: { train: 12 }, seed: 7 }), [
    { classes: [0, 1], count: 6 },
  ]);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const sessionEntry = (wasm: Uint8Array): Entry => ({
  kind: "session",
  device: "kitchen",
  board: "posix",
  engine: "wasm3",
  firmware: "1",
  module: wasm,
  source: "generated",
});

async function replayed(entries: Entry[]) {
  const session = readSession(new Uint8Array(Buffer.concat(entries.map(encodeEntry))));
  const results = [];
  for (const run of session.runs) results.push(await replay({ session, run, intrinsics, until: 12 }));
  return results;
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const steps = fc.oneof(fc.nat(15), u32);
const bytes = fc.uint8Array({ maxLength: 80 });
const event: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ kind: fc.constant("message" as const), steps, bytes }),
  fc.record({ kind: fc.constant("restore" as const), steps, state: bytes }),
  fc.record({ kind: fc.constant("digest" as const), steps, sha256: bytes }),
  fc.record({ kind: fc.constant("state" as const), steps, record: bytes, samples: u32 }),
  fc.record({ kind: fc.constant("block" as const), steps, offset: u32, bytes }),
  fc.record({
    kind: fc.constant("fault" as const),
    steps,
    code: fc.nat(80),
    where: fc.nat(9),
    got: fc.nat(9),
    want: fc.nat(9),
  }),
);
const start: fc.Arbitrary<Entry> = fc.record({
  kind: fc.constant("start" as const),
  seed: u32,
  params: fc.array(fc.tuple(u32, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), { maxLength: 20 }),
});

describe("a log that lies", () => {
  it("of what the device was told and told", async () => {
    await fc.assert(
      fc.asyncProperty(start, fc.array(event, { maxLength: 8 }), async (begin, events) => {
        try {
          const [result] = await replayed([
            sessionEntry(module),
            { kind: "samples", offset: 0, bytes: samples },
            begin,
            ...events,
          ]);
          expect(result?.digest).toMatch(/^[0-9a-f]{64}$/);
          expect(result?.steps).toBeLessThanOrEqual(12);
        } catch (error) {
          expect(error).toBeInstanceOf(SessionError);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("of its samples", async () => {
    const run: Entry[] = [
      { kind: "start", seed: 1, params: [] },
      { kind: "state", steps: 4, record: new Uint8Array(), samples: 4 },
    ];
    await fc.assert(
      fc.asyncProperty(fc.nat(31), fc.nat(255), fc.nat(samples.length), async (at, value, length) => {
        const changed = samples.slice(0, length);
        changed[at] = value;
        try {
          await replayed([sessionEntry(module), { kind: "samples", offset: 0, bytes: changed }, ...run]);
        } catch (error) {
          expect(error).toBeInstanceOf(SessionError);
        }
      }),
      { numRuns: 30 },
    );
  });

  it.each<[string, () => Uint8Array, RegExp]>([
    ["no module", () => new Uint8Array(), /module of the log does not run here/],
    ["a module that is cut off", () => module.slice(0, 1000), /module of the log does not run here/],
    ["bytes", () => Uint8Array.of(1, 2, 3), /module of the log does not run here/],
  ])("%s: a SessionError", async (_what, wasm, message) => {
    const entries: Entry[] = [
      sessionEntry(wasm()),
      { kind: "samples", offset: 0, bytes: samples },
      { kind: "start", seed: 1, params: [] },
    ];
    await expect(replayed(entries)).rejects.toThrow(SessionError);
    await expect(replayed(entries)).rejects.toThrow(message);
  });
});
