// A run that is repeated in V8 and on a device beside it: both agree to the end, or the very step and the tensors are named.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildIntrinsics, buildModules, ROOT } from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { startVirtualDevice, type VirtualBoard } from "../../host/devices/virtual-device.ts";
import { encodeLabel } from "../../host/protocol/label-message.ts";
import { type Elsewhere, repeatElsewhere } from "../../host/replay/elsewhere.ts";
import { type Entry, encodeEntry } from "../../host/replay/log.ts";
import { type Replay, replay } from "../../host/replay/replayer.ts";
import { type Run, readSession, type Session, SessionError } from "../../host/replay/session.ts";
import { requires } from "../support/requirements.ts";
import { streamOf } from "../support/streams.ts";

const STEPS = 40;
const HEADER = 32;
const STRIDE = 788;

let folder: string;
let module: string;
let intrinsics: Uint8Array<ArrayBuffer>;
let samples: Uint8Array;
let state: Uint8Array;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-elsewhere-"));
  const dataset = await loadDataset("generated", { limit: { train: 60 }, seed: 7 });
  samples = streamOf(dataset, [{ classes: [0, 1, 2], count: 30 }]);
  const apps = [join(ROOT, "tests/assembly/apps/personal.ts")];
  const [built] = await buildModules({ apps, targets: ["device"], out: folder });
  module = built?.path as string;
  intrinsics = new Uint8Array(await readFile(await buildIntrinsics()));
  const session = await sessionOf([]);
  await repeat(session, 10, (step, it) => {
    if (step === 10) state = it.state();
  });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A session with what was given to the device, as a log tells it. */
async function sessionOf(given: Entry[]): Promise<Session> {
  const info = { device: "kitchen", board: "posix", engine: "wasm3", firmware: "1", source: "generated" };
  const entries: Entry[] = [
    { kind: "session", ...info, module: new Uint8Array(await readFile(module)) },
    { kind: "samples", offset: 0, bytes: samples },
    { kind: "start", seed: 3, params: [] },
    ...given,
  ];
  return readSession(new Uint8Array(Buffer.concat(entries.map(encodeEntry))));
}

async function repeat(session: Session, until: number, stepped: (step: number, it: Replay) => void) {
  const run = session.runs[0] as Run;
  const far: Entry = { kind: "message", steps: until + 1, bytes: encodeLabel(0, 0) };
  return replay({ session, run: { ...run, events: [...run.events, far] }, intrinsics, until, stepped });
}

async function beside(board: VirtualBoard, session: Session, played: Uint8Array): Promise<Elsewhere> {
  const path = join(folder, `${board}.bin`);
  await writeFile(path, played);
  const digests: string[] = [];
  await repeat(session, STEPS, (_step, it) => digests.push(it.digest()));
  expect(digests).toHaveLength(STEPS + 1);
  const device = await startVirtualDevice({ id: "beside", board, module, samples: path });
  try {
    return await repeatElsewhere({
      run: session.runs[0] as Run,
      steps: STEPS,
      link: device.link,
      stride: 16,
      digestOf: (step) => digests[step] as string,
      stateOf: (until) =>
        new Promise((resolve) => {
          void repeat(session, until, (step, it) => {
            if (step === until) resolve({ state: it.state(), layout: it.layout() });
          });
        }),
    });
  } finally {
    await device.stop();
  }
}

const given = (): Entry[] => [
  { kind: "message", steps: 5, bytes: encodeLabel(8, 10) },
  { kind: "restore", steps: 16, state },
  { kind: "message", steps: 16, bytes: encodeLabel(9, 3) },
];

/** One pixel of the sample that is seen in this step. */
function changedIn(step: number): Uint8Array {
  const changed = new Uint8Array(samples);
  changed[HEADER + (step - 1) * STRIDE + 400]! ^= 64;
  return changed;
}

describe("a run is repeated on a device beside V8", () => {
  it("in Node: the same bits, with labels and a restored state on the way", async () => {
    const session = await sessionOf(given());
    expect(await beside("node", session, samples)).toEqual({ board: "node", engine: "node", steps: STEPS });
  });

  requires("gcc").describe("of the firmware", () => {
    it("as a process", async () => {
      const session = await sessionOf(given());
      expect(await beside("posix", session, samples)).toMatchObject({ board: "posix", steps: STEPS });
    });
  });

  requires("qemu-system-arm", "arm-none-eabi-gcc").describe("of the firmware, emulated", () => {
    it("on a Cortex-M4", async () => {
      const told = await beside("mps2-an386", await sessionOf(given()), samples);
      expect(told).toMatchObject({ board: "mps2-an386", steps: STEPS });
      expect(told.difference).toBeUndefined();
    });
  });

  it.each([1, 16, 27])(
    "that differs in step %i: this step, and what differs then (its head alone learns)",
    async (step) => {
      const { difference } = await beside("node", await sessionOf([]), changedIn(step));
      expect(difference?.step).toBe(step);
      expect(difference?.tensors[0]).toMatchObject({ tensor: expect.stringMatching(/^dense 128 → 10, /) });
      const names = difference?.tensors.map(({ tensor }) => tensor);
      expect(names).toContain("dense 128 → 10, masters");
      expect(names?.filter((name) => name.startsWith("header"))).toEqual([]);
    },
  );

  it("of a device that was given something before its first step: refused", async () => {
    const session = await sessionOf([{ kind: "message", steps: 0, bytes: encodeLabel(8, 1) }]);
    await expect(beside("node", session, samples)).rejects.toThrow(SessionError);
  });
});
