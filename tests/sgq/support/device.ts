// The device's SGQ (apps/codec.ts), in this process or on a board: one way to drive either.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type BuiltModule,
  buildIntrinsics,
  buildModules,
  ROOT,
  type Target,
} from "../../../host/build/modules.ts";
import type { DeviceLink } from "../../../host/link/device-link.ts";
import { ModuleHost } from "../../../host/module/module-host.ts";

/** What apps/codec.ts was made for. */
export const SHAPE = [6, 10, 8] as const;
export const MODEL = 5;
export const ELEMENTS = 480;

/** Layout of the app's state. */
const FRAME = 16;
const FEATURES = FRAME + 1024;
const CHANGED = FEATURES + 512;
const BOOK = CHANGED + 64;
const PART = 512;

const OPERATIONS = [
  "open",
  "encode",
  "slice",
  "begin",
  "add",
  "end",
  "changed",
  "alone",
  "heard",
  "acknowledge",
  "refuse",
  "version",
] as const;
export type Operation = (typeof OPERATIONS)[number];

export interface SgqDevice {
  write(offset: number, bytes: Uint8Array): Promise<void>;
  call(words: Int32Array<ArrayBuffer>): Promise<void>;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Compiles the app for both targets into a folder. */
export const buildCodecApp = (out: string): Promise<BuiltModule[]> =>
  buildModules({ apps: [join(ROOT, "tests/sgq/apps/codec.ts")], out });

export const pathOf = (built: readonly BuiltModule[], target: Target): string =>
  (built.find((one) => one.target === target) as BuiltModule).path;

/** The module under V8. */
export async function inNode(path: string): Promise<SgqDevice> {
  const host = await ModuleHost.load(await readFile(path), {
    intrinsics: await readFile(await buildIntrinsics()),
  });
  host.start();
  const memory = new Uint8Array((host.exported.memory as WebAssembly.Memory).buffer);
  const config = (host.exported.config as () => number)();
  const state = new DataView(memory.buffer).getUint32(config + 20, true);
  return {
    async write(offset, bytes) {
      memory.set(bytes, state + offset);
    },
    async call(words) {
      host.message(new Uint8Array(words.buffer));
    },
    async read(offset, length) {
      return memory.slice(state + offset, state + offset + length);
    },
  };
}

/** The module on a board, behind its link. */
export const behind = (link: DeviceLink): SgqDevice => ({
  async write(offset, bytes) {
    for (let at = 0; at < bytes.length; at += PART) {
      const part = bytes.subarray(at, Math.min(at + PART, bytes.length));
      await link.request("write", { region: 0, offset: offset + at, bytes: part, last: false });
    }
  },
  async call(words) {
    await link.request("message", { bytes: new Uint8Array(words.buffer) }, { timeoutMs: 60_000 });
  },
  async read(offset, length) {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < length; at += PART) {
      const part = Math.min(PART, length - at);
      parts.push((await link.request("read", { region: 0, offset: offset + at, length: part })).bytes);
    }
    return new Uint8Array(Buffer.concat(parts));
  },
});

export class DeviceSgq {
  readonly #device: SgqDevice;

  constructor(device: SgqDevice) {
    this.#device = device;
  }

  async call(operation: Operation, ...numbers: number[]): Promise<number> {
    const words = new Int32Array(4);
    words.set([OPERATIONS.indexOf(operation), ...numbers]);
    await this.#device.call(words);
    const bytes = await this.#device.read(0, 4);
    return new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true);
  }

  async frame(length: number): Promise<Uint8Array> {
    return this.#device.read(FRAME, length);
  }

  /** A call that makes a frame. */
  async made(operation: Operation, ...numbers: number[]): Promise<Uint8Array> {
    return this.frame(await this.call(operation, ...numbers));
  }

  async features(x: Int8Array): Promise<void> {
    await this.#device.write(FEATURES, new Uint8Array(x.buffer, x.byteOffset, x.length));
  }

  async changed(map: Uint8Array): Promise<void> {
    await this.#device.write(CHANGED, map);
  }

  /** Bytes of the host, where features lie otherwise. */
  async heard(frame: Uint8Array): Promise<number> {
    await this.#device.write(FEATURES, frame);
    return this.call("heard", frame.length);
  }

  async open(book: Uint8Array): Promise<number> {
    await this.#device.write(BOOK, book);
    return this.call("open", book.length);
  }
}
