// The intrinsics in C against their AssemblyScript twins: equal bits, equal results and equal traps, for random,
// extreme and wrong arguments, on each board. A module on the device writes its memory, makes the call, and is read back.
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeviceLink } from "../../host/link/device-link.ts";
import { RequestError } from "../../host/link/errors.ts";
import { INTRINSIC_FAMILIES } from "../../host/protocol/intrinsics.ts";
import { requires } from "../support/requirements.ts";
import { hashOf, type Left, runBatch } from "./support/batch.ts";
import { type Call, callsOf, INTRINSICS, type IntrinsicName } from "./support/calls.ts";
import { scratchFolder, startDevice, type TestBoard, type TestDevice, until } from "./support/device.ts";
import { ABI, compileModule, sampleFile } from "./support/modules.ts";
import { type Outcome, Twins } from "./support/twins.ts";

/** Where the test's memory lies in the module's, and its length. */
const BASE = 16384;
const AREA = 4096;
const MEMORY = { bytes: 65536, base: BASE, area: AREA };

const SEED = Number(process.env["OCTOMOTE_TEST_SEED"] ?? 20261122);

/**
 * A module whose learned state is the test's memory, behind 16 bytes for the result and a hash of the memory after the
 * call, and whose messages are calls. Message −1 clears the memory.
 */
function forwarder(): string {
  const declarations = INTRINSICS.map(({ name, args, result }) => {
    const list = Array.from({ length: args }, (_, i) => `a${i}: i32`).join(", ");
    const module = INTRINSIC_FAMILIES.find(({ names }) => names.includes(name))?.module;
    return `@external("${module}", "${name}") declare function ${name}(${list}): ${result ? "i32" : "void"};`;
  });
  const branches = INTRINSICS.map(({ name, args, result }, i) => {
    const list = Array.from({ length: args }, (_, k) => `load<i32>(INBOX, ${4 + 4 * k})`).join(", ");
    return `if (fn == ${i}) ${result ? `store<i32>(STATE, ${name}(${list}));` : `${name}(${list});`}`;
  });
  const abi = ABI.replace("STATE: usize = 1024", `STATE: usize = ${BASE - 16}`);
  return `${abi}${declarations.join("\n")}
export function init(): void { describe(${AREA + 16}); }
export function message(length: i32): void {
  const fn = load<i32>(INBOX);
  if (fn == -1) memory.fill(${BASE}, 0, ${65536 - BASE});
  ${branches.join("\n  ")}
  let hash: i32 = 0x811c9dc5;
  for (let at: usize = ${BASE}; at < ${BASE + AREA}; ++at) hash = (hash ^ load<u8>(at)) * 0x01000193;
  store<i32>(STATE, hash, 4);
  if (!length) log(3, 0, sensorRead(0) + publish(1, 0, 0) + <i32>clock());
}
export function step(): void {}
export function selfTest(): i32 { return 0; }
export function restore(): void { if (load<i32>(8)) fail(1, 2, 3, 4); }
`;
}

/** The same through a device's link; the memory is read back only if it is not `expected`. */
async function runOn(link: DeviceLink, call: Call, expected: Outcome): Promise<Outcome> {
  const region = { region: 0 } as const;
  const send = (...numbers: number[]) =>
    link.request(
      "message",
      { bytes: new Uint8Array(Int32Array.from(numbers).buffer) },
      { timeoutMs: 60_000 },
    );
  await send(-1);
  for (let offset = 0; offset < call.memory.length; offset += 512) {
    const bytes = call.memory.subarray(offset, Math.min(offset + 512, call.memory.length));
    await link.request("write", { ...region, offset: 16 + offset, bytes, last: false });
  }
  const index = INTRINSICS.findIndex(({ name }) => name === call.name);
  try {
    await send(index, ...call.args);
  } catch (error) {
    const fault = error instanceof RequestError ? error.fault : undefined;
    if (fault === undefined || fault.code >= 20) throw error;
    await link.request("start", { seed: 1, steps: 1 });
    return { trap: [fault.code, fault.where ?? 0, fault.got ?? 0, fault.want ?? 0] };
  }
  const head = await link.request("read", { ...region, offset: 0, length: 16 });
  const [result, hash] = new Int32Array(head.bytes.slice().buffer);
  const outcome = INTRINSICS[index]?.result ? { result: result as number } : {};
  if (expected.memory && hash === hashOf(expected.memory)) return { memory: expected.memory, ...outcome };
  const parts: Uint8Array[] = [];
  for (let offset = 0; offset < AREA; offset += 512) {
    parts.push((await link.request("read", { ...region, offset: 16 + offset, length: 512 })).bytes);
  }
  return { memory: new Uint8Array(Buffer.concat(parts)), ...outcome };
}

function behaviour(board: TestBoard, cases: number): void {
  let files: Awaited<ReturnType<typeof scratchFolder>>;
  let device: TestDevice;
  let twins: Twins;

  beforeAll(async () => {
    files = await scratchFolder();
    const module = await files.write("forwarder.wasm", await compileModule(forwarder()));
    device = await startDevice(board, module, await files.write("samples.bin", sampleFile(3)));
    await device.link.request("start", { seed: 1, steps: 1 });
    await until(device.link, ({ running }) => !running);
    twins = await Twins.load(MEMORY);
  });

  afterAll(async () => {
    await device?.stop();
    await files?.remove();
  });

  it.each(INTRINSICS.map(({ name }) => name))("%s", async (name: IntrinsicName) => {
    let completed = 0;
    let trapped = 0;
    await fc.assert(
      fc.asyncProperty(callsOf(name, BASE, AREA), async (call) => {
        const expected = twins.run(call);
        expect(await runOn(device.link, call, expected)).toEqual(expected);
        if (expected.trap) trapped++;
        else completed++;
      }),
      { numRuns: cases, seed: SEED },
    );
    // calls that are only refused, or never, would prove little
    expect(completed).toBeGreaterThan(cases / 4);
    expect(trapped).toBeGreaterThan(0);
  });
}

requires("gcc").describe("intrinsics on posix, under sanitizers", () => behaviour("posix", 120));
requires("arm-none-eabi-gcc", "qemu-system-arm").describe("intrinsics on a Cortex-M4", () =>
  behaviour("mps2-an386", 16),
);

/** What the batch firmware tells of a call that left this. */
const leftOf = ({ trap, result, memory }: Outcome): Left =>
  trap ? { trap } : { result: result ?? 0, hash: hashOf(memory as Uint8Array) };

const BATCH = 2400;

requires("arm-none-eabi-gcc", "qemu-system-arm").describe("intrinsics on a Cortex-M4, many at once", () => {
  let twins: Twins;

  beforeAll(async () => {
    twins = await Twins.load(MEMORY);
  });

  it.each(INTRINSICS.map(({ name }) => name))("%s", async (name: IntrinsicName) => {
    const calls = fc.sample(callsOf(name, BASE, AREA), { seed: SEED, numRuns: BATCH });
    const expected = calls.map((call) => leftOf(twins.run(call)));
    const left = await runBatch(calls, MEMORY);
    const differs = left.findIndex((one, i) => JSON.stringify(one) !== JSON.stringify(expected[i]));
    expect({ call: calls[differs], left: left[differs] }).toEqual({
      call: calls[differs],
      left: expected[differs],
    });
    const traps = expected.filter((one) => "trap" in one).length;
    expect(traps).toBeGreaterThan(BATCH / 20);
    expect(BATCH - traps).toBeGreaterThan(BATCH / 4);
  });
});
