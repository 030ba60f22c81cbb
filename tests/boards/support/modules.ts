// Small modules for tests: AssemblyScript that speaks the ABI by hand, compiled in memory.
import asc from "assemblyscript/asc";

/** The ABI without an app: a configuration block, a state of `bytes` bytes at 1024, an inbox at 512. */
export const ABI = `
@external("octomote_1", "fail") declare function fail(code: i32, where: i32, got: i32, want: i32): void;
@external("octomote_1", "sensorRead") declare function sensorRead(frame: usize): i32;
@external("octomote_1", "publish") declare function publish(channel: i32, pointer: usize, length: i32): i32;
@external("octomote_1", "log") declare function log(level: i32, pointer: usize, units: i32): void;
@external("octomote_1", "clock") declare function clock(): i64;
const CONFIG: usize = 256;
const INBOX: usize = 512;
const STATE: usize = 1024;
// asc exports initialize only where there is something to initialise
let boots: i32 = load<i32>(16) + 1;
export function bootCount(): i32 { return boots; }
export function abi(): i32 { return 1; }
export function config(): i32 { store<i32>(CONFIG, 40 + 16 * 4); return <i32>CONFIG; }
function describe(stateBytes: i32): void {
  store<i32>(CONFIG, <i32>INBOX, 12);
  store<i32>(CONFIG, 512, 16);
  store<i32>(CONFIG, <i32>STATE, 20);
  store<i32>(CONFIG, stateBytes, 24);
  store<i32>(CONFIG, <i32>STATE + stateBytes, 28);
}
`;

/** A module that counts: state holds seed, steps, first parameter, a sum of all samples, and how often it was restored. */
export const COUNTER = `${ABI}
const FRAME: usize = 4096;
const DATA: usize = 4160;
export function init(): void {
  describe(32);
  store<i32>(STATE, load<i32>(CONFIG, 8));
  if (load<i32>(CONFIG, 32)) store<i64>(STATE, load<i64>(CONFIG, 48), 8);
}
export function step(): void {
  store<i32>(FRAME, 36);
  store<i32>(FRAME, <i32>DATA, 4);
  store<i32>(FRAME, 64, 8);
  store<i32>(FRAME, 4, 12);
  store<i32>(FRAME, 4, 16);
  store<i32>(FRAME, 1, 20);
  if (sensorRead(FRAME) != 1) fail(23, 0, load<i32>(FRAME, 12), 4);
  let sum = load<i32>(STATE, 16);
  for (let i: usize = 0; i < 16; ++i) sum = sum * 31 + load<i8>(DATA + i);
  sum = sum * 31 + load<i32>(FRAME, 24) * 2 + load<i32>(FRAME, 28);
  store<i32>(STATE, sum, 16);
  const steps = load<i32>(STATE, 4) + 1;
  store<i32>(STATE, steps, 4);
  // state record: steps, and the label as the class
  store<i32>(2048, 4);
  store<i32>(2052, steps);
  store<i32>(2056, 1);
  store<i32>(2060, load<i32>(FRAME, 24));
  publish(0, 2048, 16);
}
export function message(length: i32): void {
  const what = load<u8>(INBOX);
  if (what == 1) { const s = "grüße, 😀"; log(2, changetype<usize>(s), s.length); }
  if (what == 2) publish(1, INBOX, length);
  if (what == 3) fail(77, 1, 2, 3);
  if (what == 4) unreachable();
  if (what == 5) store<i32>(0, load<i32>(load<i32>(INBOX, 4)));
  if (what == 6) store<i32>(STATE, 1 / load<i32>(INBOX, 4), 28);
  if (what == 7) recurse(0);
  if (what == 8) publish(1, 0x7fff0000, 100);
  if (what == 9) store<i32>(STATE, clock() >= 0 ? 1 : 0, 28);
}
function recurse(n: i32): i32 { return n > 1 << 30 ? n : recurse(n + 1) + recurse(n + 2); }
export function selfTest(): i32 { return 0x1234567 + load<i32>(STATE, 4); }
export function restore(): void { store<i32>(STATE, load<i32>(STATE, 24) + 1, 24); }
`;

/** asc options of a module that a device accepts. */
const OPTIONS = ["--runtime", "stub", "--use", "abort=", "--exportStart", "initialize", "-O2", "--noAssert"];
const MEMORY = ["--memoryBase", "8192", "--initialMemory", "1", "--maximumMemory", "1"];

/** Compiles a source. @throws Error with asc's words */
export async function compileModule(source: string, memory: string[] = MEMORY): Promise<Uint8Array> {
  let binary: Uint8Array | undefined;
  const result = await asc.main(["module.ts", "--outFile", "module.wasm", ...OPTIONS, ...memory], {
    readFile: (name) => (name === "module.ts" ? source : null),
    writeFile: (_name, contents) => {
      binary = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (result.error || binary === undefined) throw new Error(`${result.error?.message}\n${result.stderr}`);
  return binary;
}

/** A sample file of `count` 4×4 images whose bytes, labels and flags follow from their number. */
export function sampleFile(count: number): Uint8Array {
  const stride = 20;
  const bytes = new Uint8Array(32 + count * stride);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x46534d4f, true);
  view.setUint16(4, 1, true);
  view.setUint32(8, count, true);
  view.setUint16(12, 4, true);
  view.setUint16(14, 4, true);
  view.setUint16(16, 1, true);
  view.setUint16(18, 10, true);
  view.setUint32(20, stride, true);
  for (let i = 0; i < count; i++) {
    const at = 32 + i * stride;
    bytes[at] = i % 10;
    bytes[at + 1] = i % 5 === 4 ? 1 : 0;
    for (let k = 0; k < 16; k++) bytes[at + 4 + k] = (i * 37 + k * 11) & 255;
  }
  return bytes;
}

/** What COUNTER's sum is after `steps` samples of such a file. */
export function expectedSum(count: number, steps: number): number {
  const file = sampleFile(count);
  let sum = 0;
  for (let step = 0; step < steps; step++) {
    const at = 32 + (step % count) * 20;
    for (let k = 0; k < 16; k++)
      sum = (Math.imul(sum, 31) + (((file[at + 4 + k] as number) << 24) >> 24)) | 0;
    sum = (Math.imul(sum, 31) + (file[at] as number) * 2 + (file[at + 1] as number)) | 0;
  }
  return sum;
}
