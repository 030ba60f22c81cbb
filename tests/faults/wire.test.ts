// What a wire may do to frames, on firmware: each board answers every request once, and is reachable after any noise.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { Random } from "../../host/data/random.ts";
import { startVirtualDevice } from "../../host/devices/virtual-device.ts";
import type { DeviceLink } from "../../host/link/device-link.ts";
import { RequestError } from "../../host/link/errors.ts";
import { cobsEncode } from "../../host/protocol/cobs.ts";
import { crc32c } from "../../host/protocol/crc32c.ts";
import { decodeFrame, FrameType, MAX_PAYLOAD } from "../../host/protocol/frame.ts";
import type { State } from "../../host/protocol/messages.ts";
import {
  scratchFolder,
  startDevice,
  type TestBoard,
  type TestDevice,
  until,
} from "../boards/support/device.ts";
import { COUNTER, compileModule, sampleFile } from "../boards/support/modules.ts";
import { requires } from "../support/requirements.ts";
import { type Change, tamper } from "./support/tamper.ts";

const delimited = (body: Uint8Array) => Uint8Array.of(0, ...body, 0);
const SLOW = { timeoutMs: 60_000 };

/** A frame with a valid CRC and more payload than there may be. */
function oversized(): Uint8Array {
  const raw = new Uint8Array(5 + 2 * MAX_PAYLOAD + 4).fill(0x41);
  raw.set([1, FrameType.request, 1, 0, 0]);
  const end = raw.length - 4;
  new DataView(raw.buffer).setUint32(end, crc32c(raw.subarray(0, end)), true);
  return delimited(cobsEncode(raw));
}

/** The frame with one bit of its CRC flipped. */
function spoiled(wire: Uint8Array): Uint8Array {
  const frame = decodeFrame(wire.subarray(1, -1));
  if (typeof frame === "string") throw new Error(`no frame: ${frame}`);
  const raw = Uint8Array.of(
    1,
    frame.type,
    (frame.reliable ? 1 : 0) | (frame.epoch << 4),
    0,
    0,
    ...frame.payload,
  );
  const sum = new Uint8Array(4);
  new DataView(raw.buffer).setUint16(3, frame.sequence, true);
  new DataView(sum.buffer).setUint32(0, crc32c(raw) ^ 0x400, true);
  return delimited(cobsEncode(Uint8Array.of(...raw, ...sum)));
}

const changes: [string, Change, damages: boolean][] = [
  ["has a bad CRC", (wire) => [spoiled(wire)], true],
  ["is cut in half", (wire) => [wire.subarray(0, wire.length >> 1)], true],
  ["is cut in its first half", (wire) => [wire.subarray(wire.length >> 1)], true],
  ["follows one that is too large", (wire) => [oversized(), wire], true],
  ["comes twice", (wire) => [wire, wire], false],
  ["comes after the next one", (wire, next) => (next ? [next, wire] : undefined), false],
];

let files: Awaited<ReturnType<typeof scratchFolder>>;
let counter: string;
let samples: string;
beforeAll(async () => {
  files = await scratchFolder();
  counter = await files.write("counter.wasm", await compileModule(COUNTER));
  samples = await files.write("samples.bin", sampleFile(5));
});
afterAll(() => files.remove());

function behaviour(board: TestBoard): void {
  let device: TestDevice;
  beforeAll(async () => {
    device = await startDevice(board, counter, samples);
    await device.link.request("start", { seed: 1, steps: 1 }, SLOW);
  });
  afterAll(() => device.stop());

  it.each(
    changes.flatMap(([name, change, damages]) => [
      { name, change, damages, type: FrameType.request },
      { name, change, damages, type: FrameType.response },
    ]),
  )("a frame of type $type that $name", async ({ change, damages, type }) => {
    const { link } = device;
    const before = await until(link, ({ running }) => !running);
    const { bad, epochs, late } = link.stats;
    const restore = tamper(link, type, change);
    try {
      const answers = [
        link.request("status", {}, SLOW),
        link.request("resume", { steps: 3 }, SLOW),
        link.request("status", {}, SLOW),
      ];
      expect(await Promise.all(answers)).toHaveLength(3);
    } finally {
      expect(restore()).toBe(1);
    }
    const after = await until(link, ({ running }) => !running);
    expect(after.steps).toBe(before.steps + 3);
    expect(link.stats).toMatchObject({ epochs, late });
    if (damages && type === FrameType.response) expect(link.stats.bad).toBeGreaterThan(bad);
  });
}

requires("gcc").describe("posix, under sanitizers", () => behaviour("posix"));
requires("arm-none-eabi-gcc", "qemu-system-arm").describe("mps2-an386", () => behaviour("mps2-an386"));

/** Sends noise, all byte values, in pieces of any length, as fast as the device takes it. */
async function noise({ transport }: DeviceLink, bytes: number): Promise<void> {
  const random = new Random(2024);
  const block = Uint8Array.from({ length: 1 << 16 }, () => random.next() & 255);
  for (let sent = 0; sent < bytes; ) {
    const piece = block
      .subarray(random.below(1 << 12), random.between(1 << 13, 1 << 15))
      .subarray(0, bytes - sent);
    if (transport.send(piece)) sent += piece.length;
    else await sleep(1);
  }
}

/** The device's status, as soon as the link carries the question. */
async function answer(link: DeviceLink): Promise<State> {
  for (;;) {
    try {
      return await link.request("status", {}, SLOW);
    } catch (error) {
      if (!(error instanceof RequestError) || error.reason !== "link-down") throw error;
    }
  }
}

const boards = [
  ["posix", "1", 10_000_000, requires("gcc")],
  // memory is looked at without sanitizers, which keep records of their own
  ["posix", "0", 10_000_000, requires("gcc")],
  ["mps2-an386", "0", 64 * 1024, requires("arm-none-eabi-gcc", "qemu-system-arm")],
] as const;

for (const [board, sanitize, bytes, needs] of boards) {
  needs.describe(`${bytes} bytes of noise on ${board}${sanitize === "1" ? ", under sanitizers" : ""}`, () => {
    afterEach(() => vi.unstubAllEnvs());

    it("change nothing: the module goes on, requests are answered, memory stays", async () => {
      vi.stubEnv("OCTOMOTE_SANITIZE", sanitize);
      const device = await startVirtualDevice({ id: "noisy", board, module: counter, samples });
      const resident = () =>
        board === "posix" && sanitize === "0"
          ? Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${device.pid}/status`, "utf8"))?.[1])
          : 0;
      try {
        const { link } = device;
        await link.request("start", { seed: 1 }, SLOW);
        const before = await until(link, ({ steps }) => steps > 0);
        const kilobytes = resident();
        await noise(link, bytes);
        // The answer to the first request behind the noise comes when all of it has been read: on a machine that is busy,
        // later than the link's patience lasts.
        const after = await answer(link);
        expect(after.running).toBe(true);
        // between two steps the loop takes 4 KiB at most (boards/runtime/loop.c): noise without end starves no module
        expect(after.steps - before.steps).toBeGreaterThanOrEqual(Math.floor(bytes / 4096));
        expect(resident()).toBeLessThanOrEqual(kilobytes + 256);
        await link.request("pause", {}, SLOW);
        expect((await link.request("status", {}, SLOW)).running).toBe(false);
      } finally {
        await device.stop();
      }
    });
  });
}
