// The camera whose last layers are elsewhere: what PASS did not compute again SGQ does not send, the host has the features that PASS has
// cached all the same, and what is sent is the same bytes everywhere.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type BuiltModule,
  buildCloudKernels,
  buildIntrinsics,
  buildModules,
  ROOT,
  type Target,
} from "../../host/build/modules.ts";
import { trainCodebook } from "../../host/cloud/codebook/train.ts";
import { CloudTrainer } from "../../host/cloud/trainer.ts";
import { frameLabels } from "../../host/data/frame-labels.ts";
import { encodeFrames, parseSamples, type Samples } from "../../host/data/sample-file.ts";
import { KINDS } from "../../host/data/scene/actors.ts";
import { drawScene } from "../../host/data/scene.ts";
import { decodeNet, netBytes } from "../../host/pass/decode.ts";
import { PassRunner } from "../../host/pass/runner.ts";
import { decodeLabelled } from "../../host/protocol/labelled.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import { FrameType, NackReason, type OpenCodebook, type SampleReference } from "../../host/sgq/types.ts";
import { loadCodec } from "../sgq/support/codec.ts";
import { requires } from "../support/requirements.ts";
import { PartKind, splitHost } from "../support/split-host.ts";
import { onSteppedDevice } from "../support/stepped-device.ts";

const SHAPE = [9, 12, 32] as const;
const [H, W] = SHAPE;
const MODEL = 1;
/** The layer that is sent (assembly/apps/camera-split.ts). */
const LAYER = 3;
const PATCH = [2, 2] as const;
/** Frames before the codebook, with it, and after the host has said that it lacks a sample. */
const [PLAIN, CODED, AFTER] = [3, 38, 5];

let folder: string;
let samplesPath: string;
let samples: Samples;
let modules: BuiltModule[];
let intrinsics: Uint8Array<ArrayBuffer>;
let codec: SgqCodec;
let book: OpenCodebook;
let reference: Uint8Array[];
/** What PASS has cached after each frame, and which positions that frame has changed. */
let cached: { features: Int8Array; changed: Uint8Array }[];

interface Device {
  readonly published: readonly Uint8Array[];
  step(): Promise<void>;
  give(kind: PartKind, bytes: Uint8Array): Promise<void>;
}

const pathOf = (target: Target): string => (modules.find((one) => one.target === target) as BuiltModule).path;
const nack = (reason: NackReason, sequence: number) =>
  codec.encodeNack({ model: MODEL, codebook: 1, sequence, reason, detail: 0 });

/** Everything that a device publishes in one life. */
async function run(device: Device): Promise<Uint8Array[]> {
  for (let i = 0; i < PLAIN; i++) await device.step();
  await device.give(PartKind.codebook, book.bytes);
  for (let i = 0; i < CODED; i++) await device.step();
  await device.give(PartKind.frame, nack(NackReason.reference, PLAIN + CODED - 1));
  for (let i = 0; i < AFTER; i++) await device.step();
  return [...device.published];
}

async function inNode(target: Target) {
  const it = await splitHost(pathOf(target), samples, { intrinsics, params: {} });
  const device: Device = {
    published: it.published,
    step: async () => it.host.step(),
    give: async (kind, bytes) => it.give(kind, bytes),
  };
  return { it, device };
}

function onDevice(board: "posix" | "mps2-an386", target: Target): Promise<Uint8Array[]> {
  const id = `camera-${target}`;
  return onSteppedDevice({ board, id, module: pathOf(target), samples: samplesPath, seed: 1 }, run);
}

/** The data frames of what was published, decoded one after the other as a trainer would. */
function* decoded(published: readonly Uint8Array[]) {
  let last: SampleReference | undefined;
  for (const bytes of published) {
    const { frame, labels } = decodeLabelled(bytes);
    if (codec.header(frame).type !== FrameType.data) continue;
    const { samples, header, crc } = codec.decode(frame, {
      find: () => book,
      reference: (sequence) => (last?.sequence === sequence ? last : undefined),
    });
    const [sample] = samples as [(typeof samples)[0]];
    yield { frame, labels, header, sample, before: last };
    const sequence = header.short ? (last?.sequence ?? PLAIN - 1) + 1 : header.sequence;
    last = { sequence, crc, levels: sample.levels };
  }
}

/** One byte for each patch. */
function patchesOf(changed: Uint8Array): Uint8Array {
  const across = Math.ceil(W / PATCH[1]);
  const patches = new Uint8Array(Math.ceil(H / PATCH[0]) * across);
  changed.forEach((is, i) => {
    const [y, x] = [Math.floor(i / W), i % W];
    if (is) patches[Math.floor(y / PATCH[0]) * across + Math.floor(x / PATCH[1])] = 1;
  });
  return patches;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-camera-split-"));
  samplesPath = join(folder, "scene.bin");
  const clip = drawScene({ width: 96, height: 72, scenario: "street", seed: 21, frames: 60 });
  const bytes = encodeFrames(clip, 0, frameLabels(clip, KINDS));
  await writeFile(samplesPath, bytes);
  samples = parseSamples(bytes, samplesPath);
  modules = await buildModules({ apps: [join(ROOT, "assembly/apps/camera-split.ts")], out: folder });
  intrinsics = new Uint8Array(await readFile(await buildIntrinsics()));
  codec = await loadCodec();
  const net = decodeNet(netBytes(await readFile(join(ROOT, "assembly/apps/camera/net.ts")), "net.ts"));
  const runner = await PassRunner.load(net, { policy: "fast", quality: 0.02 });
  cached = Array.from({ length: PLAIN + CODED + AFTER }, (_, i) => {
    runner.infer(samples.at(i).data);
    return { features: runner.activations(LAYER), changed: runner.changed(LAYER) };
  });
  book = trainCodebook(
    { codec, fitContexts },
    cached.map(({ features }) => features),
    {
      model: MODEL,
      version: 1,
      shape: SHAPE,
      thresholds: Array.from({ length: SHAPE[2] }, () => [4, 24]),
      tableBytes: 4096,
      contextSamples: 16,
      patch: PATCH,
    },
  );
  reference = await run((await inNode("portable")).device);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("features that PASS did not compute again", () => {
  it("are not sent: a frame has the patches that changed and no others, to the byte", () => {
    const frames = [...decoded(reference)];
    expect(frames).toHaveLength(PLAIN + CODED + AFTER);
    const kinds = frames.map(({ frame, header, before }, sequence) => {
      const { features, changed } = cached[sequence] as (typeof cached)[0];
      if (header.selfContained) return "alone";
      if (header.reference === undefined) return "whole";
      const skip = { changed: patchesOf(changed), reference: before as SampleReference };
      expect(frame).toEqual(codec.encode(book, [features], { sequence, skip }));
      return "changes";
    });
    expect(kinds).toEqual([
      ...Array(PLAIN).fill("alone"),
      "whole",
      ...Array(31).fill("changes"),
      // the chain begins anew by itself, and when the host asks
      "whole",
      ...Array(CODED - 33).fill("changes"),
      "whole",
      ...Array(AFTER - 1).fill("changes"),
    ]);
    const meanOf = (kind: string): number => {
      const sizes = frames.flatMap(({ frame }, i) => (kinds[i] === kind ? [frame.length] : []));
      return sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
    };
    expect(meanOf("changes")).toBeLessThan(meanOf("whole"));
  });

  it("the host has all the same, as PASS has cached them, with the frame's label", () => {
    let sequence = 0;
    for (const { sample, header, labels } of decoded(reference)) {
      const { features } = cached[sequence] as (typeof cached)[0];
      if (!header.selfContained) {
        const levels = codec.quantise(book, features);
        expect(sample.levels).toEqual(levels);
        expect(sample.features).toEqual(codec.reconstruct(book, levels));
      }
      const { label, heldOut } = samples.at(sequence);
      expect(labels).toEqual([{ label, heldOut }]);
      sequence++;
    }
  });

  it("go with the next frame when the link was full, and that one needs nothing of what was lost", async () => {
    const { it: camera, device } = await inNode("portable");
    await device.step();
    await device.give(PartKind.codebook, book.bytes);
    for (let i = 1; i < 20; i++) {
      camera.open = i % 6 !== 5;
      await device.step();
    }
    let last: SampleReference | undefined;
    const kinds: string[] = [];
    let sequence = 0;
    for (const bytes of device.published) {
      const { frame } = decodeLabelled(bytes);
      if (codec.header(frame).type !== FrameType.data) continue;
      while (sequence % 6 === 5) sequence++;
      const { samples, header, crc } = codec.decode(frame, { find: () => book, reference: () => last });
      if (header.reference !== undefined) expect(header.reference).toBe(last?.sequence);
      kinds.push(header.reference === undefined ? "whole" : "changes");
      const levels = samples[0]!.levels;
      if (!header.selfContained)
        expect(levels).toEqual(codec.quantise(book, (cached[sequence] as (typeof cached)[0]).features));
      last = { sequence: sequence++, crc, levels };
    }
    expect(kinds.filter((kind) => kind === "whole")).toHaveLength(2 + 3);
  });

  it("a trainer learns from, whoever lost a frame: it asks for a whole one, and gets it", async () => {
    const { it: camera, device } = await inNode("portable");
    const trainer = await CloudTrainer.create({
      tools: { codec, fitContexts },
      kernels: new Uint8Array(await readFile(await buildCloudKernels())),
      shape: SHAPE,
      layers: [{ kind: "maxPool" }, { kind: "dense", units: 16 }, { kind: "dense", units: 4 }],
      mode: "frozen",
      target: { bytes: 150 },
      calibration: 24,
      patch: PATCH,
      toDevice: (_, frame) => camera.give(PartKind.frame, frame),
      publishCodebook: (bytes) => camera.give(PartKind.codebook, bytes),
    });
    let taken = 0;
    const steps = (count: number, lost = -1): void => {
      for (let i = 0; i < count; i++) {
        camera.host.step();
        for (const bytes of device.published.slice(taken)) if (i !== lost) trainer.take("camera", bytes);
        taken = device.published.length;
      }
    };
    // held-out frames are no examples to make a codebook of
    steps(40);
    await trainer.settled();
    const { version } = trainer.codebook?.book ?? {};
    expect(trainer.codebook?.book.patch).toEqual([...PATCH]);
    steps(60, 30);
    trainer.flush();
    const { samples: came, partial, lost, refused, codebook } = trainer.metrics();
    // the lost one, and the one that asked for a whole sample
    expect({ came, lost, refused, version: codebook?.version }).toEqual({
      came: 98,
      lost: 2,
      refused: 0,
      version,
    });
    expect(partial).toBeGreaterThan(50);
  });
});

describe("what is sent is the same", () => {
  const hex = (published: readonly Uint8Array[]) =>
    published.map((bytes) => Buffer.from(bytes).toString("hex"));

  it("device module in Node", async () => {
    expect(hex(await run((await inNode("device")).device))).toEqual(hex(reference));
  });

  requires("gcc").describe("under wasm3 on posix", () => {
    it.each(["portable", "device"] as const)("%s module", async (target) => {
      expect(hex(await onDevice("posix", target))).toEqual(hex(reference));
    });
  });
});
