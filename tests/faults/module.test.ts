// Modules that are broken or that break: what each board says of them, that it goes on, and that a good module runs after
// them. What message traps do is in tests/boards/device.test.ts.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startVirtualDevice } from "../../host/devices/virtual-device.ts";
import { RequestError } from "../../host/link/errors.ts";
import { AdmissionError, admit } from "../../host/module/admission.ts";
import type { Fault } from "../../host/protocol/errors.ts";
import { scratchFolder, startDevice, type TestBoard, until } from "../boards/support/device.ts";
import { ABI, COUNTER, compileModule, sampleFile } from "../boards/support/modules.ts";
import { requires } from "../support/requirements.ts";

const SLOW = { timeoutMs: 60_000 };
const IN_INIT = 4;
const IN_STEP = 5;

/** Ways to break, by what the firmware says of them; `zero` and `far` are numbers that no compiler sees through. */
const BREAKS: [name: string, statement: string, fault: Partial<Fault>][] = [
  ["unreachable", "unreachable();", { code: 43 }],
  ["a read out of bounds", "store<i32>(2048, load<i32>(<usize>far));", { code: 44 }],
  ["a write out of bounds", "store<i32>(<usize>far, 1);", { code: 44 }],
  ["a division by zero", "store<i32>(2048, 1 / zero);", { code: 45 }],
  ["a quotient that does not fit", "store<i32>(2048, (i32.MIN_VALUE + zero) / (zero - 1));", { code: 46 }],
  ["recursion without end", "store<i32>(2048, recurse(zero));", { code: 47 }],
  ["an error of its own", "fail(77, 1, 2, 3);", { code: 77, where: 1, got: 2, want: 3 }],
];

/** A module with these statements in init and in step. */
function breaking(init: string, step: string): string {
  return `${ABI}
let zero: i32 = load<i32>(20);
let far: i32 = load<i32>(20) - 16;
function recurse(n: i32): i32 { return n > 1 << 30 ? n : recurse(n + 1) + recurse(n + 2); }
export function deep(): i32 { return recurse(far); }
export function init(): void { describe(4); ${init} }
export function step(): void { ${step} }
export function selfTest(): i32 { return zero; }
export function restore(): void {}
`;
}

/** The module with a function of `depth` blocks, each within the one before. */
function nested(wasm: Uint8Array, depth: number): Uint8Array {
  const leb = (value: number): number[] =>
    value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
  const sections: { id: number; body: number[] }[] = [];
  for (let at = 8; at < wasm.length; ) {
    const id = wasm[at++] as number;
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++] as number;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    sections.push({ id, body: [...wasm.subarray(at, at + size)] });
    at += size;
  }
  const function_ = sections.find(({ id }) => id === 3)?.body as number[];
  const code = sections.find(({ id }) => id === 10)?.body as number[];
  // counts of one byte each; one more function, of the first one's type
  function_[0] = (function_[0] as number) + 1;
  function_.push(function_[1] as number);
  code[0] = (code[0] as number) + 1;
  const body = [
    0,
    ...Array<number[]>(depth).fill([0x02, 0x40]).flat(),
    ...Array<number>(depth).fill(0x0b),
    0x00,
    0x0b,
  ];
  const all = sections.flatMap(({ id, body: bytes }) =>
    id === 10
      ? [
          id,
          ...leb(bytes.length + leb(body.length).length + body.length),
          ...bytes,
          ...leb(body.length),
          ...body,
        ]
      : [id, ...leb(bytes.length), ...bytes],
  );
  return Uint8Array.from([...wasm.subarray(0, 8), ...all]);
}

let files: Awaited<ReturnType<typeof scratchFolder>>;
let samples: string;
let serial = 0;
const write = (wasm: Uint8Array) => files.write(`${serial++}.wasm`, wasm);

beforeAll(async () => {
  files = await scratchFolder();
  samples = await files.write("samples.bin", sampleFile(3));
});
afterAll(() => files.remove());

/** What refuses `start`. */
async function refusal(board: TestBoard, wasm: Uint8Array): Promise<Fault> {
  const device = await startDevice(board, await write(wasm), samples);
  try {
    const error = await device.link.request("start", { seed: 1 }, SLOW).catch((thrown: unknown) => thrown);
    if (!(error instanceof RequestError) || error.fault === undefined) throw error;
    // It goes on: it says why it does not run, and may be asked again.
    const state = await device.link.request("status", {}, SLOW);
    expect(state).toMatchObject({ running: false, error: { code: error.fault.code } });
    await expect(device.link.request("start", { seed: 1 }, SLOW)).rejects.toMatchObject({
      fault: { code: error.fault.code },
    });
    return error.fault;
  } finally {
    await device.stop();
  }
}

function behaviour(board: TestBoard): void {
  it("cut anywhere: refused", async () => {
    const whole = await compileModule(COUNTER);
    for (const bytes of [9, 60, 300, whole.length - 1]) {
      expect([41, 50, 54]).toContain((await refusal(board, whole.slice(0, bytes))).code);
    }
  });

  it("with a foreign import: refused by its name", async () => {
    const foreign = '@external("env", "evil") declare function evil(): void;';
    const wasm = await compileModule(`${foreign}${breaking("evil();", "")}`);
    expect(await refusal(board, wasm)).toMatchObject({ code: 40, text: "env.evil" });
  });

  it("with memory that may grow: refused", async () => {
    const wasm = await compileModule(breaking("", ""), ["--memoryBase", "8192", "--initialMemory", "1"]);
    expect(await refusal(board, wasm)).toMatchObject({ code: 52 });
  });

  it("that asks for more memory all the same: gets none, and goes on with what it has", async () => {
    const wasm = await compileModule(
      breaking(
        "store<i32>(1024, memory.grow(1));",
        "store<i32>(1024, load<i32>(1024) + memory.grow(0) * 0 + memory.grow(1));",
      ),
    );
    await expect(admit(wasm as BufferSource)).resolves.toBeDefined();
    const device = await startDevice(board, await write(wasm), samples);
    try {
      await device.link.request("start", { seed: 1, steps: 2 }, SLOW);
      const state = await until(device.link, ({ running }) => !running);
      expect(state).toMatchObject({ steps: 2 });
      expect(state.error).toBeUndefined();
      const { bytes } = await device.link.request("read", { region: 0, offset: 0, length: 4 }, SLOW);
      expect(new Int32Array(bytes.slice().buffer)[0]).toBe(-3);
    } finally {
      await device.stop();
    }
  });

  it("with blocks nested deeper than the C stack lets its compiler go: refused", async () => {
    const good = await compileModule(breaking("", ""));
    const depth = board === "posix" ? 200_000 : 400;
    const wasm = nested(good, depth);
    expect(WebAssembly.validate(nested(good, 400) as BufferSource)).toBe(true);
    expect(await refusal(board, wasm)).toMatchObject({ code: 54, text: expect.stringMatching(/nested/) });
  });

  it("that breaks in init: refused with the reason", async () => {
    for (const [name, statement, fault] of BREAKS) {
      const told = await refusal(board, await compileModule(breaking(statement, "")));
      expect(told, name).toMatchObject(fault.code === 77 ? fault : { ...fault, where: IN_INIT });
    }
  });

  it("that breaks in a step: stops there, says so, keeps its state readable, and starts again", async () => {
    for (const [name, statement, fault] of BREAKS) {
      const third = `store<i32>(1024, load<i32>(1024) + 1); if (load<i32>(1024) == 3) { ${statement} }`;
      const device = await startDevice(board, await write(await compileModule(breaking("", third))), samples);
      try {
        for (let round = 0; round < 2; round++) {
          await device.link.request("start", { seed: 1 }, SLOW);
          const state = await until(device.link, ({ running }) => !running);
          expect(state.error, name).toMatchObject(fault.code === 77 ? fault : { ...fault, where: IN_STEP });
          expect(state.steps, name).toBe(2);
          const { bytes } = await device.link.request("read", { region: 0, offset: 0, length: 4 }, SLOW);
          expect(bytes[0], name).toBe(3);
        }
      } finally {
        await device.stop();
      }
    }
  });
}

requires("gcc").describe("a module on posix", () => behaviour("posix"));
requires("arm-none-eabi-gcc", "qemu-system-arm").describe("a module on mps2-an386", () =>
  behaviour("mps2-an386"),
);

describe("admission", () => {
  it.each([
    [
      "memory that may grow",
      () => compileModule(breaking("", ""), ["--initialMemory", "1"]),
      /maximum must equal/,
    ],
    ["a module cut in half", async () => (await compileModule(COUNTER)).slice(0, 300), /octomote build/],
  ])("refuses %s, and says what to do", async (_name, make, message) => {
    const error = await admit((await make()) as BufferSource).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AdmissionError);
    expect((error as Error).message).toMatch(message);
  });
});

describe.each([
  ["posix", requires("gcc")],
  ["mps2-an386", requires("arm-none-eabi-gcc", "qemu-system-arm")],
  ["node", requires()],
] as const)("a module whose step does not end, on %s", (board, needs) => {
  it.skipIf(needs.skip)("is found by its silence, and its device is ended by who started it", async () => {
    const module = await write(
      await compileModule(breaking("", "while (zero == 0) { zero &= load<i32>(20); }")),
    );
    const device = await startVirtualDevice({ id: "stuck", board, module, samples, silentMs: 6000 });
    await device.link.request("start", { seed: 1 }, SLOW).catch((error) => {
      // the answer may be stuck behind the step
      expect(error).toBeInstanceOf(RequestError);
    });
    const { signal, output } = await device.exited;
    expect(output).toMatch(
      /killed: nothing came from it for 6 s: a step, a message or init of its module does not end/,
    );
    if (board !== "mps2-an386") expect(signal).toBe("SIGKILL");
    const again = await startVirtualDevice({
      id: "stuck",
      board,
      module: await write(await compileModule(COUNTER)),
      samples,
    });
    await again.link.request("start", { seed: 1, steps: 2 }, SLOW);
    expect((await until(again.link, ({ running }) => !running)).steps).toBe(2);
    await again.stop();
  });
});
