// What a split model's device sends and learns is the same everywhere: frames without a codebook and with one, and layers after
// gradients, of the portable and the device module, in Node, under wasm3 on posix and on a Cortex-M4.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuiltModule, buildIntrinsics, buildModules, type Target } from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { encodeSamples, parseSamples, type Samples } from "../../host/data/sample-file.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import type { OpenCodebook } from "../../host/sgq/types.ts";
import { sha256 } from "../assembly/support.ts";
import { loadCodec } from "../sgq/support/codec.ts";
import { requires } from "../support/requirements.ts";
import { PartKind, SPLIT_MODEL, SPLIT_SHAPE, splitCodebook, splitHost } from "../support/split-host.ts";
import { onSteppedDevice } from "../support/stepped-device.ts";

const SEED = 77;
const PARAMS = { every: 0, joint: 1, patience: 60_000 };
const TARGETS: Target[] = ["portable", "device"];
/** Samples without a codebook, samples with one; behind each of these comes a gradient. */
const PLAIN = 2;
const CODED = 4;

let folder: string;
let samplesPath: string;
let samples: Samples;
let modules: BuiltModule[];
let intrinsics: Uint8Array<ArrayBuffer>;
let codec: SgqCodec;
let book: OpenCodebook;
let reference: Run;

interface Run {
  /** Everything that was published, in hex. */
  published: string[];
  /** SHA-256 of the learned state. */
  state: string;
}

/** A device as the script sees it. */
interface Device {
  step(): Promise<void>;
  give(kind: PartKind, bytes: Uint8Array): Promise<void>;
  finish(): Promise<Run>;
}

function gradient(sequence: number): Uint8Array {
  const [h, w, c] = SPLIT_SHAPE;
  const elements = h * w * c;
  const values = Int32Array.from({ length: elements }, (_, i) => ((i * 41 + sequence * 7) % 151) - 75);
  return codec.encodeGradient(
    { model: SPLIT_MODEL, codebook: 1, sequence },
    { shape: SPLIT_SHAPE, values, exponent: -18, group: 4, bits: 4, key: sequence },
  );
}

async function run(device: Device): Promise<Run> {
  for (let i = 0; i < PLAIN; i++) await device.step();
  await device.give(PartKind.codebook, book.bytes);
  for (let i = 0; i < CODED; i++) {
    await device.step();
    await device.give(PartKind.frame, gradient(PLAIN + i));
  }
  await device.step();
  return device.finish();
}

const pathOf = (target: Target): string =>
  (modules.find((one) => one.app === "split" && one.target === target) as BuiltModule).path;

async function inNode(target: Target): Promise<Run> {
  const device = await splitHost(pathOf(target), samples, { seed: SEED, params: PARAMS, intrinsics });
  return run({
    step: async () => device.host.step(),
    give: async (kind, bytes) => device.give(kind, bytes),
    finish: async () => ({
      published: device.published.map((bytes) => Buffer.from(bytes).toString("hex")),
      state: sha256(device.host.state()),
    }),
  });
}

function onDevice(board: "posix" | "mps2-an386", target: Target): Promise<Run> {
  const id = `split-${target}`;
  const start = { board, id, module: pathOf(target), samples: samplesPath, seed: SEED, params: PARAMS };
  return onSteppedDevice(start, (device) =>
    run({
      ...device,
      finish: async () => ({
        published: device.published.map((bytes) => Buffer.from(bytes).toString("hex")),
        state: sha256(await device.state()),
      }),
    }),
  );
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-split-bits-"));
  samplesPath = join(folder, "samples.bin");
  const bytes = encodeSamples(await loadDataset("generated", { limit: { train: 16 }, seed: 7 }), { seed: 3 });
  await writeFile(samplesPath, bytes);
  samples = parseSamples(bytes, samplesPath);
  modules = await buildModules();
  intrinsics = new Uint8Array(await readFile(await buildIntrinsics()));
  codec = await loadCodec();
  book = await splitCodebook(codec, pathOf("portable"), samples);
  reference = await inNode("portable");
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a split model's device sends the same frames and learns the same weights", () => {
  it("and there is something to compare: a nack, frames of both kinds, an acknowledgement; gradients that moved the weights", async () => {
    expect(reference.published).toHaveLength(1 + PLAIN + 1 + CODED + 1);
    expect(new Set(reference.published).size).toBe(reference.published.length);
    const untouched = await splitHost(pathOf("portable"), samples, { seed: SEED, params: PARAMS });
    expect(sha256(untouched.host.state())).not.toBe(reference.state);
  });

  it("device module in Node", async () => {
    expect(await inNode("device")).toEqual(reference);
  });

  requires("gcc").describe("under wasm3 on posix", () => {
    it.each(TARGETS)("%s module", async (target) => {
      expect(await onDevice("posix", target)).toEqual(reference);
    });
  });

  requires("qemu-system-arm", "arm-none-eabi-gcc").describe("under wasm3 on a Cortex-M4 in QEMU", () => {
    it("portable module: refused, its code takes more than this board has", async () => {
      await expect(onDevice("mps2-an386", "portable")).rejects.toThrow(
        /the board cannot give what the module needs .* bytes at hand: \d+\)\. Use a smaller module/,
      );
    });

    it("device module", { timeout: 600_000 }, async () => {
      expect(await onDevice("mps2-an386", "device")).toEqual(reference);
    });
  });
});
