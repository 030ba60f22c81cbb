// A device over its link: every request, what it refuses, and what stops a module; the same on each board.
import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DeviceLink } from "../../host/link/device-link.ts";
import { RequestError } from "../../host/link/errors.ts";
import { readRegion } from "../../host/link/regions.ts";
import type { Fault } from "../../host/protocol/errors.ts";
import type { RequestArgs, Verb } from "../../host/protocol/requests.ts";
import { requires } from "../support/requirements.ts";
import { scratchFolder, startDevice, type TestBoard, type TestDevice, until } from "./support/device.ts";
import { ABI, COUNTER, compileModule, expectedSum, sampleFile } from "./support/modules.ts";

const COUNT = 7;
let files: Awaited<ReturnType<typeof scratchFolder>>;
let counter: string;
let samples: string;

const int = (value: number) => {
  const bytes = new Uint8Array(8);
  bytes[0] = value;
  return bytes;
};

/** The fault that refuses a request. */
async function refusal<V extends Verb>(link: DeviceLink, verb: V, args: RequestArgs[V]): Promise<Fault> {
  const error = await link.request(verb, args).catch((e: unknown) => e);
  if (!(error instanceof RequestError) || error.fault === undefined) throw error;
  return error.fault;
}

async function words(link: DeviceLink): Promise<Int32Array> {
  const { bytes, total } = await link.request("read", { region: 0, offset: 0, length: 32 });
  expect(total).toBe(32);
  return new Int32Array(bytes.slice().buffer);
}

beforeAll(async () => {
  files = await scratchFolder();
  counter = await files.write("counter.wasm", await compileModule(COUNTER));
  samples = await files.write("samples.bin", sampleFile(COUNT));
});

afterAll(() => files.remove());

function behaviour(board: TestBoard): void {
  let device: TestDevice;
  let link: DeviceLink;

  beforeEach(async () => {
    device = await startDevice(board, counter, samples);
    link = device.link;
  });
  afterEach(() => device.stop());

  it("introduces itself and waits", async () => {
    const hello = link.hello;
    expect(hello).toMatchObject({ protocol: 1, id: "bench-1", board, abi: 1, running: false });
    expect(hello?.engine).toMatch(/^wasm3-\d+\.\d+\.\d+/);
    expect(hello?.imports).toEqual(["octomote_1", "octo_int8_1", "octo_pass_1", "octo_sgq_1"]);
    const module = await compileModule(COUNTER);
    expect(hello?.moduleBytes).toBe(module.length);
    expect(hello?.moduleSha256).toEqual(new Uint8Array(createHash("sha256").update(module).digest()));
    const state = await link.request("status", {});
    expect(state).toMatchObject({ running: false, steps: 0, samples: 0 });
    expect(state.record).toBeUndefined();
    expect(await refusal(link, "resume", {})).toMatchObject({ code: 62 });
    expect(await refusal(link, "read", { region: 0, offset: 0, length: 4 })).toMatchObject({ code: 62 });
  });

  it("runs the asked number of steps over the samples, again and again, and starts anew on request", async () => {
    for (const [seed, steps] of [
      [5, 3],
      [9, 19],
    ] as const) {
      await link.request("start", { seed, steps });
      const state = await until(link, ({ running }) => !running);
      expect(state).toMatchObject({ steps, samples: steps, record: { steps, class: (steps - 1) % COUNT } });
      const read = await words(link);
      expect([...read.subarray(0, 2)]).toEqual([seed, steps]);
      expect(read[4]).toBe(expectedSum(COUNT, steps));
    }
    await link.request("resume", { steps: 2 });
    await until(link, ({ running }) => !running);
    expect((await words(link))[4]).toBe(expectedSum(COUNT, 21));
  });

  it("pauses and resumes, and tells its state by itself", async () => {
    const told = new Promise<number>((resolve) =>
      link.on("state", ({ steps }) => steps > 3 && resolve(steps)),
    );
    await link.request("start", { seed: 1 });
    expect(await told).toBeGreaterThan(3);
    await link.request("pause", {});
    const paused = await link.request("status", {});
    expect(paused.running).toBe(false);
    expect((await words(link))[1]).toBe(paused.steps);
    await link.request("resume", {});
    const later = await until(link, ({ steps }) => steps > paused.steps);
    expect(later.running).toBe(true);
    expect((await words(link))[4]).toBeDefined();
  });

  it("tells where its memory goes", async () => {
    await link.request("start", { seed: 1, steps: 1 });
    const { memory } = await until(link, ({ running }) => !running);
    expect(memory?.linear).toBe(1024 + 32);
    expect(memory?.metacode).toBeGreaterThan(0);
    expect(memory?.poolUsed).toBeGreaterThan((memory?.metacode as number) + (memory?.linear as number));
    expect(memory?.poolUsed).toBeLessThan(memory?.poolSize as number);
    expect(memory?.static).toBeGreaterThan(1000);
  });

  it("gives parameters to the module, as many as its block holds", async () => {
    await link.request("start", { seed: 1, steps: 1, params: { rate: -1.25 } });
    await until(link, ({ running }) => !running);
    const read = await words(link);
    expect(new BigInt64Array(read.slice(2, 4).buffer)[0]).toBe(-(5n << 30n));
    const params = { a: 1, b: 2, c: 3, d: 4, e: 5 };
    expect(await refusal(link, "start", { seed: 1, params })).toMatchObject({ code: 68, got: 5, want: 4 });
  });

  it("takes back a learned state, and refuses what leaves it", async () => {
    await link.request("start", { seed: 3, steps: 4 });
    await until(link, ({ running }) => !running);
    const bytes = new Uint8Array(Int32Array.of(77, 100).buffer);
    await link.request("write", { region: 0, offset: 0, bytes, last: false });
    expect((await words(link))[6]).toBe(0);
    await link.request("write", { region: 0, offset: 4, bytes: bytes.subarray(4), last: true });
    expect([...(await words(link))].filter((_, i) => i < 2 || i === 6)).toEqual([77, 100, 1]);
    await link.request("resume", { steps: 1 });
    await until(link, ({ running }) => !running);
    expect((await words(link))[1]).toBe(101);

    const at = { region: 0, offset: 0, length: 4 };
    expect(await refusal(link, "read", { ...at, region: 1 })).toMatchObject({ code: 63, got: 1 });
    expect(await refusal(link, "read", { ...at, offset: 29 })).toMatchObject({ code: 64, got: 33, want: 32 });
    expect(await refusal(link, "read", { ...at, offset: 0xffffffff })).toMatchObject({ code: 64 });
    const write = { region: 0, offset: 28, bytes, last: true };
    expect(await refusal(link, "write", write)).toMatchObject({ code: 64, got: 36, want: 32 });
    expect((await words(link))[6]).toBe(1);
  });

  it("runs the self-test on a module of its own", async () => {
    await link.request("start", { seed: 3, steps: 4 });
    await until(link, ({ running }) => !running);
    expect(await link.request("selfTest", {})).toBe(0x1234567);
    expect(await refusal(link, "resume", {})).toMatchObject({ code: 62 });
  });

  it("says the digest of its learned state, and after which step it was that", async () => {
    expect(await link.request("digest", {}).catch(({ code }) => code)).toBe(62);
    await link.request("start", { seed: 3, steps: 4 });
    await until(link, ({ running }) => !running);
    const state = await readRegion(link, 0);
    const { sha256, steps } = await link.request("digest");
    expect(Buffer.from(sha256).toString("hex")).toBe(createHash("sha256").update(state).digest("hex"));
    expect(steps).toBe(4);
    const write = { region: 0, offset: 28, bytes: new Uint8Array(4), last: true };
    expect(await link.request("write", write)).toEqual({ steps: 4 });
    expect(await link.request("message", { bytes: int(1) })).toEqual({ steps: 4 });
  });

  it("hands messages to the module, and its log and features to the host", async () => {
    await link.request("start", { seed: 3, steps: 1 });
    await until(link, ({ running }) => !running);
    const log = new Promise((resolve) => link.once("log", resolve));
    await link.request("message", { bytes: int(1) });
    expect(await log).toEqual({ level: 2, text: "grüße, 😀" });
    const features = new Promise<Uint8Array>((resolve) => link.once("features", resolve));
    const bytes = Uint8Array.from({ length: 512 }, (_, i) => (i === 0 ? 2 : i & 255));
    await link.request("message", { bytes });
    expect(await features).toEqual(bytes);
    await link.request("message", { bytes: int(9) });
    expect((await words(link))[7]).toBe(1);
  });

  it.each([
    ["an error of its own", 3, { code: 77, where: 1, got: 2, want: 3 }],
    ["unreachable", 4, { code: 43, where: 6 }],
    ["an access out of bounds", 5, { code: 44, where: 6 }],
    ["a division by zero", 6, { code: 45, where: 6 }],
    ["recursion without end", 7, { code: 47, where: 6 }],
    ["a pointer out of bounds in a host call", 8, { code: 8, where: 0 }],
  ])("%s stops the module, is told, and start helps", async (_name, what, fault) => {
    await link.request("start", { seed: 3, steps: 2 });
    await until(link, ({ running }) => !running);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setUint32(4, what === 5 ? 0xfffffff0 : 0, true);
    bytes[0] = what;
    expect(await refusal(link, "message", { bytes })).toMatchObject(fault);
    const state = await link.request("status", {});
    expect(state).toMatchObject({ running: false, error: fault });
    expect((await words(link))[1]).toBe(2);
    expect(await refusal(link, "resume", {})).toMatchObject({ code: 62 });
    await link.request("start", { seed: 3, steps: 1 });
    expect((await until(link, ({ running }) => !running)).error).toBeUndefined();
  });
}

requires("gcc").describe("a device on posix, under sanitizers", () => behaviour("posix"));
requires("arm-none-eabi-gcc", "qemu-system-arm").describe("a device on mps2-an386", () =>
  behaviour("mps2-an386"),
);

requires("gcc").describe("a module that cannot run is refused when it is started", () => {
  const STEP = "export function step(): void {} export function selfTest(): i32 { return 0; }";
  const REST = `export function init(): void { describe(4); } export function restore(): void {} ${STEP}`;
  const cases: [string, () => Promise<Uint8Array>, Partial<Fault>][] = [
    ["not WebAssembly", async () => new TextEncoder().encode("#!/bin/sh, or the like"), { code: 41 }],
    ["cut in half", async () => (await compileModule(COUNTER)).subarray(0, 300), { code: 41 }],
    [
      "an import that is not allowed",
      () =>
        compileModule(
          `${ABI}${REST} @external("env", "evil") declare function evil(): void; export function x(): void { evil(); }`,
        ),
      { code: 40, text: "env.evil" },
    ],
    [
      "an allowed import of another type",
      () =>
        compileModule(
          `${ABI}${REST.replace("describe(4);", "clock();")}`.replaceAll("clock(): i64", "clock(): i32"),
        ),
      { code: 56 },
    ],
    [
      "no step",
      () => compileModule(ABI + REST.replace("function step", "function stop")),
      { code: 50, where: 5 },
    ],
    [
      "init of another type",
      () =>
        compileModule(
          `${ABI}${REST}`.replace("init(): void { describe(4); }", "init(): i32 { describe(4); return 1; }"),
        ),
      { code: 50, where: 4 },
    ],
    [
      "another ABI",
      () => compileModule(`${ABI}${REST}`.replace("abi(): i32 { return 1; }", "abi(): i32 { return 2; }")),
      { code: 51, got: 2, want: 1 },
    ],
    ["memory that may grow", () => compileModule(ABI + REST, ["--initialMemory", "1"]), { code: 52 }],
    [
      "a configuration block outside memory",
      () => compileModule(`${ABI}${REST}`.replace("return <i32>CONFIG;", "return 0x7ffffff0;")),
      { code: 53 },
    ],
    [
      "floats",
      () => compileModule(`${ABI}${REST} export function f(x: f64): f64 { return x * 2.5; }`),
      { code: 54 },
    ],
    [
      "more memory than the pool has",
      () =>
        compileModule(`${ABI}${REST}`, [
          "--memoryBase",
          "8192",
          "--initialMemory",
          "1",
          "--maximumMemory",
          "1",
        ]).then(withLargeData),
      { code: 42 },
    ],
    [
      "an init that fails",
      () => compileModule(`${ABI}${REST}`.replace("describe(4);", "fail(22, 0, 5, 6);")),
      { code: 22, got: 5, want: 6 },
    ],
  ];

  it.each(cases)("%s", async (_name, make, fault) => {
    const path = await files.write("bad.wasm", await make());
    const device = await startDevice("posix", path, samples);
    try {
      expect(await refusal(device.link, "start", { seed: 1 })).toMatchObject(fault);
      expect(await device.link.request("status", {})).toMatchObject({
        running: false,
        error: { code: fault.code },
      });
    } finally {
      await device.stop();
    }
  });
});

/** Declares 100 pages and puts data at their end: more than the default pool of 4 MiB. */
function withLargeData(wasm: Uint8Array): Uint8Array {
  const at = findMemorySection(wasm);
  const pages = [0x01, 0x01, 0x64, 0x64];
  // one active segment of one byte at 0x5ffff0
  const data = [11, 10, 1, 0, 0x41, 0xf0, 0xff, 0xff, 0x02, 0x0b, 1, 7];
  return Uint8Array.from([
    ...wasm.subarray(0, at),
    5,
    pages.length,
    ...pages,
    ...wasm.subarray(at + 2 + (wasm[at + 1] as number)),
    ...data,
  ]);
}

function findMemorySection(wasm: Uint8Array): number {
  for (let at = 8; at < wasm.length; ) {
    if (wasm[at] === 5) return at;
    let length = 0;
    let shift = 0;
    let next = at + 1;
    for (;;) {
      const byte = wasm[next++] as number;
      length |= (byte & 127) << shift;
      shift += 7;
      if (byte < 128) break;
    }
    at = next + length;
  }
  throw new Error("no memory section");
}

describe("sample files and what the module expects", () => {
  requires("gcc").describe("on posix", () => {
    it("tells the module's shape and the sensor's when they differ", async () => {
      const other = sampleFile(3);
      new DataView(other.buffer).setUint16(12, 2, true);
      new DataView(other.buffer).setUint16(14, 8, true);
      const device = await startDevice("posix", counter, await files.write("other.bin", other));
      try {
        await device.link.request("start", { seed: 1 });
        const state = await until(device.link, ({ running }) => !running);
        expect(state.error).toMatchObject({ code: 23, got: 2, want: 4 });
      } finally {
        await device.stop();
      }
    });
  });
});
