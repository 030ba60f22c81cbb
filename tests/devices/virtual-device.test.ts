// Virtual devices as they are: processes, an emulator, real links. What one board does, all do.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { buildFirmware } from "../../host/build/firmware.ts";
import { buildModules } from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { writeSampleFile } from "../../host/data/sample-file.ts";
import {
  startVirtualDevice,
  type VirtualBoard,
  type VirtualDevice,
  VirtualDeviceError,
} from "../../host/devices/virtual-device.ts";
import { DeviceLink } from "../../host/link/device-link.ts";
import { RequestError } from "../../host/link/errors.ts";
import { readRegion, writeRegion } from "../../host/link/regions.ts";
import { ChildProcessTransport } from "../../host/link/transport.ts";
import { sealState } from "../../host/protocol/checkpoint.ts";
import type { State } from "../../host/protocol/messages.ts";
import { Region } from "../../host/protocol/requests.ts";
import { requires } from "../support/requirements.ts";
import { LossyTransport } from "./lossy-transport.ts";

let folder: string;
let module: string;
let samples: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-test-"));
  // Other suites start devices too: what these leave is looked for in a place of its own.
  vi.stubEnv("TMPDIR", join(folder, "tmp"));
  await mkdir(tmpdir());
  samples = join(folder, "glyphs.samples");
  await writeSampleFile(samples, await loadDataset("generated", { limit: { train: 40, test: 10 } }), {
    seed: 1,
  });
  const built = await buildModules();
  module = built.find(({ app, target }) => app === "trainer" && target === "portable")?.path as string;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

/** Starts a device, which is stopped whatever happens. */
async function withDevice(
  board: VirtualBoard,
  body: (device: VirtualDevice) => Promise<void>,
): Promise<void> {
  const device = await startVirtualDevice({ id: `test-${board}`, board, module, samples });
  try {
    await body(device);
  } finally {
    await device.stop();
  }
}

const SLOW = { timeoutMs: 60_000 };

/** Waits until the module has paused by itself. */
async function paused({ link }: { link: DeviceLink }): Promise<State> {
  for (;;) {
    const state = await link.request("status", {}, SLOW);
    if (!state.running) return state;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const refusal = (request: Promise<unknown>) =>
  request.then(
    () => "done",
    (error: RequestError) => error.reason,
  );

const gone = (pid: number) => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

const deviceFolders = async () => (await readdir(tmpdir())).filter((name) => name.startsWith("octomote-"));

const boards: [VirtualBoard, ReturnType<typeof requires>][] = [
  ["node", requires()],
  ["posix", requires("gcc")],
  ["mps2-an386", requires("arm-none-eabi-gcc", "qemu-system-arm")],
];

describe.each(boards)("%s", (board, { skip }) => {
  const run = test.skipIf(skip);

  run("says who it is, learns, and pauses after its steps", async () => {
    await withDevice(board, async (device) => {
      expect(device.link.hello).toMatchObject({ id: `test-${board}`, board, abi: 1, running: false });
      expect(device.link.hello?.imports).toContain("octo_int8_1");
      const states: State[] = [];
      device.link.on("state", (state) => states.push(state));
      await device.link.request("start", { seed: 5, params: { lr: 0.005 }, steps: 12 }, SLOW);
      const state = await paused(device);
      expect(state).toMatchObject({ steps: 12, samples: 12, running: false });
      expect(state.record?.loss).toBeGreaterThan(0);
      expect(state.memory?.linear).toBeGreaterThan(10_000);
      expect(state.error).toBeUndefined();
      await vi.waitFor(() => expect(states.at(-1)?.steps).toBe(12), { timeout: 30_000 });

      await device.link.request("resume", { steps: 3 }, SLOW);
      expect((await paused(device)).steps).toBe(15);
    });
  });

  run("the learned state can be read, written back and read again", async () => {
    await withDevice(board, async (device) => {
      await device.link.request("start", { seed: 5, steps: 3 }, SLOW);
      await paused(device);
      const learned = await readRegion(device.link, Region.learnedState, SLOW);
      expect(new TextDecoder().decode(learned.subarray(0, 4))).toBe("OCKP");
      await device.link.request("resume", { steps: 2 }, SLOW);
      await paused(device);
      const later = await readRegion(device.link, Region.learnedState, SLOW);
      expect(later).not.toEqual(learned);
      await writeRegion(device.link, Region.learnedState, learned, SLOW);
      expect(await readRegion(device.link, Region.learnedState, SLOW)).toEqual(learned);
    });
  });

  run("answers and refuses as every board does", async () => {
    await withDevice(board, async ({ link }) => {
      const read = (region: number, offset: number, length: number) =>
        refusal(link.request("read", { region, offset, length }, SLOW));
      const bytes = Uint8Array.of(1, 2, 3);
      expect(await refusal(link.request("resume", {}, SLOW))).toBe("not-loaded");
      expect(await read(0, 0, 4)).toBe("not-loaded");
      expect(await refusal(link.request("message", { bytes }, SLOW))).toBe("not-loaded");
      expect(await refusal(link.request("pause", {}, SLOW))).toBe("done");
      const digest = await link.request("selfTest", {}, SLOW);
      expect(await link.request("selfTest", {}, SLOW)).toBe(digest);
      expect(digest).not.toBe(0);
      // The golden vectors have used the module up.
      expect(await refusal(link.request("resume", {}, SLOW))).toBe("not-loaded");
      await link.request("start", { seed: 1, steps: 1 }, SLOW);
      const { total } = await link.request("read", { region: 0, offset: 0, length: 0 }, SLOW);
      expect(await read(0, total - 4, 4)).toBe("done");
      expect(await read(0, total - 4, 5)).toBe("bad-range");
      expect(await read(0, 0xffffffff, 1)).toBe("bad-range");
      expect(await read(9, 0, 4)).toBe("no-region");
      expect(await refusal(link.request("message", { bytes }, SLOW))).toBe("no-inbox");
      const params = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`p${i}`, 1]));
      expect(await refusal(link.request("start", { seed: 1, params }, SLOW))).toBe("too-many-params");
    });
  });

  run("a learned state is looked at whole before the first byte of it is taken", async () => {
    await withDevice(board, async ({ link }) => {
      await link.request("start", { seed: 1, steps: 3 }, SLOW);
      await paused({ link });
      const own = await readRegion(link, Region.learnedState, SLOW);
      const sealed = sealState(own);
      const damaged = (at: number) => {
        const bytes = sealed.slice();
        bytes[at]! ^= 0x10;
        return bytes;
      };
      const refused = async (at: number) => {
        const write = writeRegion(link, Region.learnedState, damaged(at), SLOW);
        expect([at, await refusal(write)]).toEqual([at, "state-mismatch"]);
      };
      const resumed = () => refusal(link.request("resume", { steps: 1 }, SLOW));
      // mark, version, length, structure
      for (const at of [0, 4, 8, 12]) await refused(at);
      expect(await readRegion(link, Region.learnedState, SLOW)).toEqual(own);
      // step, check value, a weight, and one that ends in the middle
      for (const at of [16, 24, own.length - 9]) await refused(at);
      await link.request("write", { region: 0, offset: 0, bytes: damaged(16).subarray(0, 512), last: false });
      if (board === "mps2-an386") {
        // the portable module leaves no room for a second state: it does not run on what is half there
        expect(await resumed()).toBe("state-torn");
        await writeRegion(link, Region.learnedState, sealed, SLOW);
      }
      expect(await readRegion(link, Region.learnedState, SLOW)).toEqual(own);
      expect((await link.request("status", {}, SLOW)).error).toBeUndefined();
      expect(await resumed()).toBe("done");
      await paused({ link });
      expect(await readRegion(link, Region.learnedState, SLOW)).not.toEqual(own);
      await writeRegion(link, Region.learnedState, sealed, SLOW);
      expect(await readRegion(link, Region.learnedState, SLOW)).toEqual(own);
    });
  });

  run("ends when it is told, and leaves nothing", async () => {
    const device = await startVirtualDevice({ id: "short", board, module, samples });
    const closed = once(device.link, "close");
    await device.link.request("start", { seed: 1 }, SLOW);
    await Promise.all([device.stop(), device.stop()]);
    await closed;
    expect(await device.exited).toMatchObject({ code: 0, signal: null });
    expect(gone(device.pid as number)).toBe(true);
    await expect(device.link.request("status")).rejects.toMatchObject({ reason: "link-down" });
    expect(await deviceFolders()).toEqual([]);
  });

  run("ends with an abort signal", async () => {
    const controller = new AbortController();
    const device = await startVirtualDevice({
      id: "abort",
      board,
      module,
      samples,
      signal: controller.signal,
    });
    controller.abort();
    expect((await device.exited).signal).toBeNull();
    const again = startVirtualDevice({ id: "abort", board, module, samples, signal: controller.signal });
    await expect(again).rejects.toThrow(/abort/i);
  });

  run("ends when its parent is killed, and leaves nothing", async () => {
    const script = new URL("./parent.ts", import.meta.url).pathname;
    const args = ["--import", "tsx", script, board, module, samples];
    const parent = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(line.toString());
    expect(gone(pid)).toBe(false);
    parent.kill("SIGKILL");
    await vi.waitFor(
      async () => {
        // The whole process group: an emulator has a guard in front of it.
        expect([gone(pid), gone(-pid)]).toEqual([true, true]);
        expect(await deviceFolders()).toEqual([]);
      },
      { timeout: 30_000 },
    );
  });
});

describe("what cannot start says why", () => {
  test("a name that is no id", async () => {
    await expect(startVirtualDevice({ id: "a/b", board: "node", module, samples })).rejects.toThrow(
      /no device id/,
    );
  });

  test("a file that is not there", async () => {
    const start = startVirtualDevice({ id: "a", board: "node", module: "/no/such.wasm", samples });
    await expect(start).rejects.toThrow("a: there is no file /no/such.wasm");
  });

  const broken = async () => {
    const path = join(folder, "broken");
    await writeFile(path, "these are no samples");
    return path;
  };

  test("a sample file that is none (node)", async () => {
    const start = startVirtualDevice({ id: "a", board: "node", module, samples: await broken() });
    await expect(start).rejects.toThrow(VirtualDeviceError);
    await expect(start).rejects.toThrow(
      /a \(node\) ended before it said hello: exit status 3: .*not a sample file/,
    );
  });

  test("a module that is none (node)", async () => {
    const start = startVirtualDevice({ id: "a", board: "node", module: await broken(), samples });
    await expect(start).rejects.toThrow(/exit status 3: .*not a valid WebAssembly module/);
  });

  const posix = requires("gcc");
  test.skipIf(posix.skip)("a sample file that is none (posix)", async () => {
    const start = startVirtualDevice({ id: "a", board: "posix", module, samples: await broken() });
    await expect(start).rejects.toThrow(/a \(posix\) ended before it said hello: exit status 3: /);
  });

  test.skipIf(posix.skip)("a module that is none, when it is started (posix)", async () => {
    const path = await broken();
    const device = await startVirtualDevice({ id: "a", board: "posix", module: path, samples });
    const error = await device.link.request("start", { seed: 1 }).catch((it) => it);
    expect(error).toBeInstanceOf(RequestError);
    expect(error.reason).toBe("bad-module");
    await device.stop();
  });

  const arm = requires("arm-none-eabi-gcc", "qemu-system-arm");
  test.skipIf(arm.skip)("samples that do not fit the board", async () => {
    const path = join(folder, "huge.samples");
    await writeFile(path, new Uint8Array(17 * 1024 * 1024));
    const start = startVirtualDevice({ id: "a", board: "mps2-an386", module, samples: path });
    await expect(start).rejects.toThrow(/but mps2-an386 has 16777216: use fewer samples/);
  });
});

const posix = requires("gcc");
posix.describe("the firmware's link, over a bad wire", () => {
  test("every request is answered once, and the learned state arrives whole", async () => {
    const { path } = await buildFirmware("posix");
    const args = ["--id", "lossy", "--module", module, "--samples", samples];
    const child = spawn(path, args, { stdio: ["pipe", "pipe", "inherit"] });
    const wire = new LossyTransport(new ChildProcessTransport(child), 11);
    const link = new DeviceLink(wire);
    try {
      await link.request("start", { seed: 3, steps: 5 }, SLOW);
      await paused({ link });
      const clean = await readRegion(link, Region.learnedState, SLOW);
      wire.percent = 4;
      // One reading is a few chunks, and how many depends on how the pipe cuts
      // them: read until the wire has spoiled enough to count.
      for (let read = 0; read === 0 || link.stats.resent < 3; read++) {
        expect(read, "readings without three frames sent again").toBeLessThan(100);
        expect(await readRegion(link, Region.learnedState, SLOW)).toEqual(clean);
      }
      expect(link.stats.epochs).toBe(1);
    } finally {
      await link.close();
    }
    expect(child.exitCode).toBe(0);
  });

  test("it is found again after noise and half a frame", async () => {
    const { path } = await buildFirmware("posix");
    const child = spawn(path, ["--module", module, "--samples", samples], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const transport = new ChildProcessTransport(child);
    const link = new DeviceLink(transport);
    try {
      await link.request("status", {}, SLOW);
      transport.send(Uint8Array.from({ length: 5000 }, (_, i) => (i * 31 + 7) & 255));
      transport.send(Uint8Array.of(0, 9, 1, 0x20, 1));
      expect(await link.request("status", {}, SLOW)).toMatchObject({ running: false });
    } finally {
      await link.close();
    }
  });
});
