// First inputs of every target, made from the vectors, calls and modules of other tests. What of them reaches something
// new goes into the corpus (`npm run fuzz -- --merge`).
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { encodeBootImage } from "../../../host/devices/boot-image.ts";
import { callsOf, INTRINSICS } from "../../boards/support/calls.ts";
import { COUNTER, compileModule, sampleFile } from "../../boards/support/modules.ts";
import { fromHex, vectors } from "../../protocol/vectors.ts";
import { ROOT, type TargetName } from "./targets.ts";

const MEMORY = 8192;
const CALLS = 40;

const u16 = (value: number) => [value & 255, (value >> 8) & 255];
const u32 = (value: number) => [...u16(value), ...u16(value >>> 16)];
const bytes = (...parts: (number | Iterable<number>)[]) =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "number" ? [part] : [...part])));

/** Writes the seeds of a target into `folder`. */
export async function writeSeeds(target: TargetName, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const seed of await SEEDS[target]())
    writeFileSync(join(folder, createHash("sha1").update(seed).digest("hex")), seed);
}

interface Frames {
  valid: { type: number; payload: string; wire: string }[];
}
interface Messages {
  valid: { message: string; payload: string }[];
}

// operations of targets/link.c
const LINK = { raw: 0, frame: 1, time: 2, room: 3, stream: 4, reconnect: 5 };
const frameOf = (type: number, sequence: number, payload: Uint8Array) =>
  bytes(LINK.frame, type, 1, u16(sequence), u16(payload.length), payload);
/** Agrees to the device's first epoch, which is 7 there. */
const WELCOME = frameOf(4, 0, bytes(0xa1, 0x00, 0x07));

const SEEDS: Record<TargetName, () => Uint8Array[] | Promise<Uint8Array[]>> = {
  link() {
    const { valid } = vectors<Frames>("frames");
    return [
      ...valid.map(({ wire }) => bytes(LINK.raw, u16(fromHex(wire).length), fromHex(wire))),
      ...valid.map(({ type, payload }) => bytes(WELCOME, frameOf(type, 0, fromHex(payload)))),
      bytes(WELCOME, frameOf(0x20, 0, bytes(1, 2)), frameOf(0x20, 1, bytes(3)), frameOf(0x01, 1, bytes())),
      bytes(WELCOME, frameOf(0x20, 0, bytes(1)), LINK.room, u16(3), LINK.time, u16(300), LINK.room, u16(500)),
      bytes(
        WELCOME,
        LINK.stream,
        0x11,
        2,
        u16(9),
        "streaming".split("").map((c) => c.charCodeAt(0)),
      ),
      bytes(WELCOME, LINK.room, u16(0), LINK.stream, 0x12, 8, u16(900), new Uint8Array(900), LINK.reconnect),
      bytes(WELCOME, frameOf(0x02, 0, bytes()), LINK.time, u16(600)),
    ];
  },

  requests() {
    const payloads = vectors<Messages>("messages")
      .valid.filter(({ message }) => message === "request")
      .map(({ payload }) => fromHex(payload));
    const one = (payload: Uint8Array) => bytes(u16(payload.length), payload);
    const start = one(bytes(0xa3, 0, 1, 1, 1, 2, 5));
    const messages = Array.from({ length: 9 }, (_, what) =>
      bytes(start, one(bytes(0xa3, 0, 2, 1, 7, 2, 0x48, what + 1, 0, 0, 0, 4, 0, 0, 0))),
    );
    return [
      ...payloads.map((payload) => bytes(start, one(payload))),
      ...payloads.map(one),
      ...messages,
      // each verb with what it needs
      bytes(start, one(bytes(0xa5, 0, 3, 1, 4, 2, 0, 3, 0, 4, 0x18, 32))),
      bytes(start, one(bytes(0xa6, 0, 4, 1, 5, 2, 0, 3, 4, 4, 0x44, 1, 2, 3, 4, 5, 0xf5))),
      bytes(start, one(bytes(0xa2, 0, 5, 1, 6)), one(bytes(0xa2, 0, 6, 1, 8))),
    ];
  },

  async module() {
    const counter = await compileModule(COUNTER);
    const whole = [counter, await compileModule("export function step(): void {}")];
    return [...whole, ...[8, 40, 200].map((length) => counter.slice(0, length))];
  },

  imports() {
    const source = readFileSync(join(ROOT, "boards/runtime/abi_imports.c"), "utf8");
    const names = [...source.matchAll(/^\s*\{"\w+", "(\w+)", "[^"]*", \w+\},$/gm)].map(([, name]) => name);
    const call = (name: string, args: readonly number[], memory: Iterable<number>) => {
      const index = names.indexOf(name);
      if (index < 0) throw new Error(`${name} is not in abi_imports.c`);
      return bytes(index, u16(MEMORY), args.flatMap(u32), memory);
    };
    const frame = [36, 64, 64, 8, 8, 1, 0, 0, 0].flatMap(u32);
    return [
      call("fail", [20, 1, 2, 3], []),
      call("sensorRead", [0], frame),
      call("sensorRead", [0], [36, 64, 64, 4, 4, 1].flatMap(u32)),
      call("publish", [0, 16, 16], [1]),
      call(
        "log",
        [2, 0, 8],
        [..."grüße 😀"].flatMap((c) => u16(c.codePointAt(0) ?? 0)),
      ),
      call("log", [2, 0, 4], [0xd83d, 0xde00, 0xd83d, 0x41].flatMap(u16)),
      call("clock", [], []),
      ...INTRINSICS.flatMap(({ name }) =>
        fc
          .sample(callsOf(name, 0, MEMORY), { seed: 1, numRuns: CALLS })
          .map(({ args, memory }) => call(name, args, memory)),
      ),
    ];
  },

  samples: () => [sampleFile(1), sampleFile(5), sampleFile(3).slice(0, 70), bytes(sampleFile(2), 1, 2, 3)],

  "boot-block": () => [
    encodeBootImage({ id: "porch", module: bytes(0, 97, 115, 109), samples: sampleFile(2) }),
    encodeBootImage({ id: "x".repeat(31), module: bytes(), samples: bytes(), autostart: { seed: 7 } }),
  ],
};
