// PASS and SGQ together give the same frames in Node, under wasm3 on posix and on a Cortex-M4 with 128 KB, and what the host makes of them
// is what PASS has cached.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  type BuiltModule,
  buildIntrinsics,
  buildModules,
  ROOT,
  type Target,
} from "../../host/build/modules.ts";
import { trainCodebook } from "../../host/cloud/codebook/train.ts";
import { encodeFrames, parseSamples, type Samples } from "../../host/data/sample-file.ts";
import { drawScene } from "../../host/data/scene.ts";
import { decodeNet, netBytes } from "../../host/pass/decode.ts";
import { resized } from "../../host/pass/plan.ts";
import { PassRunner } from "../../host/pass/runner.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import type { OpenCodebook, SampleReference } from "../../host/sgq/types.ts";
import { loadCodec } from "../sgq/support/codec.ts";
import { requires } from "../support/requirements.ts";
import { splitHost } from "../support/split-host.ts";
import { onSteppedDevice } from "../support/stepped-device.ts";

/** What tests/pass/apps/skip.ts has. */
const [HEIGHT, WIDTH] = [24, 32];
const SHAPE = [3, 4, 32] as const;
const LAYER = 3;
const PART = 512;
const BOOK_BYTES = 2048;
/** Frames without a codebook and with one. */
const [PLAIN, CODED] = [2, 40];

let folder: string;
let samplesPath: string;
let samples: Samples;
let modules: BuiltModule[];
let intrinsics: Uint8Array<ArrayBuffer>;
let codec: SgqCodec;
let book: OpenCodebook;
let cached: Int8Array[];
let reference: Uint8Array[];

interface Device {
  readonly published: readonly Uint8Array[];
  step(): unknown;
  message(bytes: Uint8Array): unknown;
}

const pathOf = (target: Target): string => (modules.find((one) => one.target === target) as BuiltModule).path;

async function run(device: Device): Promise<Uint8Array[]> {
  for (let i = 0; i < PLAIN; i++) await device.step();
  for (let at = 0; at < book.bytes.length; at += PART)
    await device.message(book.bytes.slice(at, Math.min(at + PART, book.bytes.length)));
  for (let i = 0; i < CODED; i++) await device.step();
  return [...device.published];
}

async function inNode(target: Target): Promise<Uint8Array[]> {
  const { host, published } = await splitHost(pathOf(target), samples, { intrinsics, params: {} });
  return run({ published, step: () => host.step(), message: (bytes) => host.message(bytes) });
}

function onDevice(board: "posix" | "mps2-an386", target: Target): Promise<Uint8Array[]> {
  const id = `skip-${target}`;
  return onSteppedDevice({ board, id, module: pathOf(target), samples: samplesPath, seed: 1 }, run);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-skip-"));
  samplesPath = join(folder, "scene.bin");
  const clip = drawScene({ width: WIDTH, height: HEIGHT, seed: 9, frames: PLAIN + CODED, noise: 0 });
  const bytes = encodeFrames(clip);
  await writeFile(samplesPath, bytes);
  samples = parseSamples(bytes, samplesPath);
  modules = await buildModules({ apps: [join(ROOT, "tests/pass/apps/skip.ts")], out: folder });
  intrinsics = new Uint8Array(await readFile(await buildIntrinsics()));
  codec = await loadCodec();
  const net = decodeNet(netBytes(await readFile(join(ROOT, "assembly/apps/camera/net.ts")), "net.ts"));
  const runner = await PassRunner.load(resized(net, HEIGHT, WIDTH), { policy: "fast" });
  cached = Array.from({ length: samples.count }, (_, i) => {
    runner.infer(samples.at(i).data);
    return runner.activations(LAYER);
  });
  book = trainCodebook({ codec, fitContexts }, cached, {
    model: 1,
    version: 1,
    shape: SHAPE,
    thresholds: Array.from({ length: SHAPE[2] }, () => [8]),
    tableBytes: 1024,
    contextSamples: 8,
    patch: [1, 1],
  });
  expect(book.bytes.length).toBeLessThanOrEqual(BOOK_BYTES);
  expect(book.bytes.length % PART).not.toBe(0);
  reference = await inNode("portable");
});

afterAll(() => rm(folder, { recursive: true, force: true }));

it("what the host decodes is what PASS has cached, from whole frames and from changes", () => {
  expect(reference).toHaveLength(PLAIN + CODED);
  let last: SampleReference | undefined;
  const kinds = new Map<string, number>();
  reference.forEach((frame, sequence) => {
    const {
      samples: decoded,
      header,
      crc,
    } = codec.decode(frame, {
      find: () => book,
      reference: () => last,
    });
    const levels = decoded[0]!.levels;
    if (!header.selfContained) expect(levels).toEqual(codec.quantise(book, cached[sequence] as Int8Array));
    const kind = header.selfContained ? "alone" : header.reference === undefined ? "whole" : "changes";
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    last = { sequence, crc, levels };
  });
  expect(Object.fromEntries(kinds)).toEqual({ alone: PLAIN, whole: 2, changes: CODED - 2 });
});

it("device module in Node", async () => {
  expect(await inNode("device")).toEqual(reference);
});

requires("gcc").describe("under wasm3 on posix", () => {
  it.each(["portable", "device"] as const)("%s module", async (target) => {
    expect(await onDevice("posix", target)).toEqual(reference);
  });
});

requires("arm-none-eabi-gcc", "qemu-system-arm").describe("under wasm3 on a Cortex-M4 in QEMU", () => {
  it("device module", async () => {
    expect(await onDevice("mps2-an386", "device")).toEqual(reference);
  });
});
