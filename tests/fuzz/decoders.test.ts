// The host's readers of the same things, over the same seeds and corpora with changes to them: whatever they are given,
// they finish, or refuse with an error of their own.
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DataError } from "../../host/data/file.ts";
import { parseIdx } from "../../host/data/idx.ts";
import { parseSamples } from "../../host/data/sample-file.ts";
import { AdmissionError, admit } from "../../host/module/admission.ts";
import { type Frame, FrameDecoder, MAX_PAYLOAD } from "../../host/protocol/frame.ts";
import { MessageError } from "../../host/protocol/messages.ts";
import {
  decodeAnswer,
  decodeRequest,
  decodeResponse,
  VERBS,
  type Verb,
} from "../../host/protocol/requests.ts";
import { writeSeeds } from "./support/seeds.ts";
import { corpusOf, type TargetName } from "./support/targets.ts";

const NAMES = ["link", "requests", "module", "samples"] as const satisfies TargetName[];
const inputs = new Map<TargetName, Uint8Array[]>();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-fuzz-"));
  for (const name of NAMES) {
    const seeds = join(folder, name);
    await writeSeeds(name, seeds);
    const files = [seeds, corpusOf(name)].flatMap((place) =>
      readdirSync(place).map((file) => join(place, file)),
    );
    inputs.set(
      name,
      files.sort().map((file) => new Uint8Array(readFileSync(file))),
    );
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** An input of a target with a few bytes changed, cut short or made longer. */
function changed(name: TargetName): fc.Arbitrary<Uint8Array> {
  const known = inputs.get(name) as Uint8Array[];
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
  return fc
    .tuple(fc.constantFrom(...known), edits, fc.nat(20_000), fc.uint8Array({ maxLength: 8 }))
    .map(([bytes, places, cut, more]) => {
      // two in three keep their length
      const kept = cut % 3 === 0 ? bytes.slice(0, cut % (bytes.length + 1)) : bytes.slice();
      for (const [at, byte] of places) if (kept.length > 0) kept[at % kept.length] = byte;
      return cut % 3 === 1 ? Uint8Array.from([...kept, ...more]) : kept;
    });
}

/** Runs a reader; it may throw nothing but this error. */
function refusesWith(error: new (message: string) => Error, read: () => unknown): void {
  try {
    read();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(error);
  }
}

describe("readers of the host", () => {
  it("frames: whole ones, of a length that fits, however the bytes are cut", () => {
    fc.assert(
      fc.property(changed("link"), fc.integer({ min: 1, max: 64 }), (bytes, chunk) => {
        const whole: Frame[] = [];
        const inParts: Frame[] = [];
        const copy = (list: Frame[]) => ({
          frame: (frame: Frame) => list.push({ ...frame, payload: frame.payload.slice() }),
        });
        new FrameDecoder(copy(whole)).push(bytes);
        const decoder = new FrameDecoder(copy(inParts));
        for (let at = 0; at < bytes.length; at += chunk) decoder.push(bytes.subarray(at, at + chunk));
        expect(inParts).toEqual(whole);
        for (const { payload } of whole) expect(payload.length).toBeLessThanOrEqual(MAX_PAYLOAD);
      }),
      { numRuns: 1000 },
    );
  });

  it("requests and answers: a message error, or something with an id", () => {
    const verbs = Object.keys(VERBS) as Verb[];
    fc.assert(
      fc.property(changed("requests"), fc.constantFrom(...verbs), (input, verb) => {
        // two bytes of length stand before each payload
        const payload = input.subarray(2);
        refusesWith(MessageError, () => expect(decodeRequest(payload).id).toBeGreaterThanOrEqual(0));
        refusesWith(MessageError, () => decodeAnswer(verb, decodeResponse(payload)));
      }),
      { numRuns: 3000 },
    );
  });

  it("sample files: a data error, or samples that lie in the file", () => {
    fc.assert(
      fc.property(changed("samples"), (bytes) => {
        refusesWith(DataError, () => {
          const samples = parseSamples(bytes, "fuzz");
          for (const at of [0, samples.count - 1]) {
            const { data, h, w, c } = samples.at(at);
            expect(data.length).toBe(h * w * c);
          }
        });
        refusesWith(DataError, () => parseIdx(bytes, "fuzz"));
      }),
      { numRuns: 3000 },
    );
  });

  it("modules: an admission error, or a module with fixed memory and known imports", async () => {
    await fc.assert(
      fc.asyncProperty(changed("module"), async (bytes) => {
        try {
          const { imports } = await admit(bytes as BufferSource);
          expect(["octomote_1", "octo_int8_1", "octo_pass_1", "octo_sgq_1"]).toEqual(
            expect.arrayContaining(imports),
          );
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(AdmissionError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
