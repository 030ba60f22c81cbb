// Devices for tests: posix firmware with sanitizers as a bare process or behind a DeviceLink, and QEMU.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildFirmware } from "../../../host/build/firmware.ts";
import { startVirtualDevice } from "../../../host/devices/virtual-device.ts";
import { DeviceLink } from "../../../host/link/device-link.ts";
import { ChildProcessTransport } from "../../../host/link/transport.ts";
import type { State } from "../../../host/protocol/messages.ts";

export type TestBoard = "posix" | "mps2-an386";

export interface TestDevice {
  link: DeviceLink;
  stop(): Promise<void>;
}

/** A folder for one suite's files. */
export async function scratchFolder(): Promise<{
  path(name: string): string;
  write: typeof put;
  remove(): Promise<void>;
}> {
  const folder = await mkdtemp(join(tmpdir(), "octomote-boards-"));
  const path = (name: string) => join(folder, name);
  const put = async (name: string, bytes: Uint8Array) => {
    await writeFile(path(name), bytes);
    return path(name);
  };
  return { path, write: put, remove: () => rm(folder, { recursive: true, force: true }) };
}
declare function put(name: string, bytes: Uint8Array): Promise<string>;

/** The firmware as a process, with sanitizers; its standard streams are the link. */
export async function spawnDevice(args: string[]): Promise<ChildProcessWithoutNullStreams> {
  const { path } = await buildFirmware("posix", { sanitize: true });
  return spawn(path, args, { stdio: ["pipe", "pipe", "pipe"] });
}

/** A device whose link is up. On posix it runs under sanitizers, and stopping it fails if they complained. */
export async function startDevice(board: TestBoard, module: string, samples: string): Promise<TestDevice> {
  if (board === "mps2-an386") {
    const device = await startVirtualDevice({ id: "bench-1", board, module, samples });
    return { link: device.link, stop: () => device.stop() };
  }
  const child = await spawnDevice(["--id", "bench-1", "--module", module, "--samples", samples]);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const exited = new Promise<number | null>((done) => child.once("close", done));
  const link = new DeviceLink(new ChildProcessTransport(child));
  await new Promise<void>((up, fail) => {
    link.once("up", up);
    link.once("close", () => fail(new Error(`the device ended before its link was up:\n${errors}`)));
  });
  return {
    link,
    async stop() {
      await link.close();
      const code = await exited;
      if (code !== 0) throw new Error(`the device ended with ${code}:\n${errors}`);
    },
  };
}

/** Asks for the status until it satisfies. */
export async function until(link: DeviceLink, satisfies: (state: State) => boolean): Promise<State> {
  for (;;) {
    const state = await link.request("status", {}, { timeoutMs: 60_000 });
    if (satisfies(state)) return state;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
