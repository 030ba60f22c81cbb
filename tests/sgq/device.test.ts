// SGQ on a device: the same frames as the host's codec makes, to the byte, under V8, under wasm3 on posix and on a Cortex-M4,
// from the portable module and from the one that calls the firmware's intrinsics.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BuiltModule, Target } from "../../host/build/modules.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import type { OpenCodebook, SampleReference, SgqForm } from "../../host/sgq/types.ts";
import {
  scratchFolder,
  startDevice,
  type TestBoard,
  type TestDevice,
  until,
} from "../boards/support/device.ts";
import { sampleFile } from "../boards/support/modules.ts";
import { requires } from "../support/requirements.ts";
import { codebookOf, dice, featuresOf } from "./support/arbitrary.ts";
import { loadCodec } from "./support/codec.ts";
import {
  behind,
  buildCodecApp,
  DeviceSgq,
  ELEMENTS,
  inNode,
  MODEL,
  pathOf,
  SHAPE,
} from "./support/device.ts";

const FORMS: readonly SgqForm[] = ["contexts", "shared", "stripes"];
const TARGETS: readonly Target[] = ["portable", "device"];

let codec: SgqCodec;
let folder: string;
let built: BuiltModule[];

beforeAll(async () => {
  codec = await loadCodec();
  folder = await mkdtemp(join(tmpdir(), "octomote-sgq-"));
  built = await buildCodecApp(folder);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const bookOf = (seed: number, form: SgqForm): OpenCodebook =>
  codec.seal(codebookOf(seed, form, codec, { shape: SHAPE, model: MODEL }));

/** Activations that look like ones: smooth, and zero in places. */
function smooth(seed: number): Int8Array {
  const roll = dice(seed);
  const blobs = Array.from({ length: 3 }, () => [roll(0, 5), roll(0, 9), roll(0, 7), roll(30, 120)] as const);
  return Int8Array.from({ length: ELEMENTS }, (_, i) => {
    const [c, x, y] = [i % 8, Math.floor(i / 8) % 10, Math.floor(i / 80)];
    const sum = blobs.reduce((most, [by, bx, bc, top]) => {
      const distance = Math.abs(y - by) + Math.abs(x - bx) + Math.abs(c - bc);
      return Math.max(most, top - 15 * distance);
    }, 0);
    return Math.min(127, sum);
  });
}

const crcOf = (frame: Uint8Array): number => (frame.at(-2) as number) | ((frame.at(-1) as number) << 8);

/** What must hold wherever the module runs. */
function behaviour(device: () => DeviceSgq, seeds: number): void {
  it.each(FORMS)("%s: frames are those of the host", async (form) => {
    for (let seed = 1; seed <= seeds; seed++) {
      const book = bookOf(seed, form);
      expect(await device().open(book.bytes)).toBe(0);
      expect(await device().call("version")).toBe(book.book.version);
      for (const x of [smooth(seed), featuresOf(seed, ELEMENTS)]) {
        await device().features(x);
        const sequence = 1000 * seed;
        expect(await device().made("encode", sequence)).toEqual(codec.encode(book, [x], { sequence }));
        const rows = book.book.stripe * 2;
        const slice = { row: book.book.stripe, rows };
        const part = x.subarray(slice.row * 80, (slice.row + rows) * 80);
        expect(await device().made("slice", slice.row, rows, sequence)).toEqual(
          codec.encode(book, [part], { sequence, slice }),
        );
      }
    }
  });

  it.each(FORMS)("%s: several samples in a frame", async (form) => {
    const drawn = codebookOf(3, form, codec, { shape: SHAPE, model: MODEL });
    const book = codec.seal({ ...drawn, tables: new Uint8Array(drawn.tables.length).fill(100) });
    await device().open(book.bytes);
    const samples = [1, 2, 3].map(smooth);
    expect(await device().call("begin", 70)).toBe(1);
    let held = 0;
    for (const x of samples) {
      await device().features(x);
      held += await device().call("add");
    }
    const frame = await device().made("end");
    const decoded = codec.decode(frame, { find: () => book });
    expect(held).toBeGreaterThan(0);
    expect(decoded.samples.map(({ levels }) => levels)).toEqual(
      samples.slice(0, held).map((x) => codec.quantise(book, x)),
    );
    if (held > 1)
      expect(decoded.samples.map(({ sequence }) => sequence)).toEqual([70, 71, 72].slice(0, held));
  });

  it("patches that did not change are signalled, not sent; the chain begins anew in time, and when a nack asks", async () => {
    const book = codec.seal({
      ...codebookOf(4, "contexts", codec, { shape: SHAPE, model: MODEL }),
      patch: [2, 4],
    });
    await device().open(book.bytes);
    let x = smooth(1);
    let reference: SampleReference | undefined;
    const kinds: string[] = [];
    for (let sequence = 1; sequence <= 36; sequence++) {
      const changed = Uint8Array.from({ length: 9 }, (_, i) => Number(i === sequence % 9));
      const fresh = smooth(sequence + 1);
      x = x.map((old, i) => {
        const [column, row] = [Math.floor(i / 8) % 10, Math.floor(i / 80)];
        return changed[Math.floor(row / 2) * 3 + Math.floor(column / 4)] === 1 ? (fresh[i] as number) : old;
      });
      await device().features(x);
      await device().changed(changed);
      if (sequence === 35)
        await device().heard(
          codec.encodeNack({ model: MODEL, codebook: book.book.version, sequence, reason: 5, detail: 0 }),
        );
      if (sequence === 35) await device().features(x);
      const frame = await device().made("changed", sequence);
      const { samples, header } = codec.decode(frame, { find: () => book, reference: () => reference });
      expect(samples[0]?.levels).toEqual(codec.quantise(book, x));
      kinds.push(header.reference === undefined ? "whole" : "changes");
      reference = { sequence, crc: crcOf(frame), levels: samples[0]?.levels as Uint8Array };
    }
    expect(kinds).toEqual(
      Array.from({ length: 36 }, (_, i) => (i === 0 || i === 32 || i === 34 ? "whole" : "changes")),
    );
  });

  it("without a codebook, or when the host says that it knows none, frames are self-contained", async () => {
    const x = smooth(5);
    const alone = async (sequence: number): Promise<void> => {
      await device().features(x);
      const frame = await device().made("encode", sequence);
      const { header, samples } = codec.decode(frame, { find: () => undefined });
      expect(header).toMatchObject({ selfContained: true, model: MODEL, sequence });
      const cuts = [3, 8, 24];
      expect(samples[0]?.levels).toEqual(
        Uint8Array.from(x, (value) => cuts.filter((cut) => value > cut).length),
      );
    };
    const book = bookOf(6, "contexts");
    expect(await device().open(book.bytes.map((byte, i) => (i === 30 ? byte ^ 1 : byte)))).toBeGreaterThan(0);
    await alone(1);
    await device().open(book.bytes);
    const nack = codec.encodeNack({
      model: MODEL,
      codebook: book.book.version,
      sequence: 1,
      reason: 2,
      detail: 0,
    });
    expect(await device().heard(nack)).toBe(3);
    expect(await device().call("version")).toBe(0);
    await alone(2);
    // of another model, or damaged: nothing happens
    await device().open(book.bytes);
    expect(
      await device().heard(codec.encodeNack({ model: 6, codebook: 1, sequence: 1, reason: 2, detail: 0 })),
    ).toBe(-1);
    expect(await device().heard(nack.map((byte, i) => (i === 4 ? byte ^ 8 : byte)))).toBe(-1);
    expect(await device().call("version")).toBe(book.book.version);
  });

  it("codebooks are acknowledged, or refused with the reason", async () => {
    const ack = await device().made("acknowledge", 9, 77);
    expect(ack).toEqual(codec.encodeAck({ model: MODEL, codebook: 9, sequence: 77 }));
    const nack = { model: MODEL, codebook: 9, sequence: 300, reason: 6, detail: 12 } as const;
    expect(codec.decodeNack(await device().made("refuse", 9, 300, 12))).toMatchObject(nack);
    const other = codec.seal(codebookOf(2, "contexts", codec, { shape: SHAPE, model: MODEL + 1 }));
    expect(await device().open(other.bytes)).toBe(3);
    const larger = codec.seal(codebookOf(2, "contexts", codec, { shape: [6, 10, 9], model: MODEL }));
    expect(await device().open(larger.bytes)).toBe(13);
  });
}

describe.each(TARGETS)("in Node, %s module", (target) => {
  let device: DeviceSgq;
  beforeAll(async () => {
    device = new DeviceSgq(await inNode(pathOf(built, target)));
  });
  behaviour(() => device, 25);
});

function onBoard(board: TestBoard, target: Target, seeds: number): void {
  let files: Awaited<ReturnType<typeof scratchFolder>>;
  let one: TestDevice;
  let device: DeviceSgq;
  beforeAll(async () => {
    files = await scratchFolder();
    one = await startDevice(board, pathOf(built, target), await files.write("samples.bin", sampleFile(3)));
    await one.link.request("start", { seed: 1, steps: 1 }, { timeoutMs: 60_000 });
    await until(one.link, ({ running }) => !running);
    device = new DeviceSgq(behind(one.link));
  });
  afterAll(async () => {
    await one?.stop();
    await files?.remove();
  });
  behaviour(() => device, seeds);
}

requires("gcc").describe.each(TARGETS)("wasm3 on posix, %s module", (target) => onBoard("posix", target, 6));
requires("arm-none-eabi-gcc", "qemu-system-arm").describe.each(TARGETS)(
  "wasm3 on a Cortex-M4, %s module",
  (target) => onBoard("mps2-an386", target, 2),
);
