// Starts virtual devices, each a process that ends with this one: firmware for this machine (posix), firmware for a
// board in an emulator (mps2-an386), or the module in Node (node). The link to it is an ordinary DeviceLink.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildFirmware } from "../build/firmware.ts";
import { DeviceLink } from "../link/device-link.ts";
import { silenceText, watchSilence } from "../link/silence.ts";
import { ChildProcessTransport, listenTcp, type Transport } from "../link/transport.ts";
import { DEVICE_ID } from "../protocol/messages.ts";
import { emulatorArgs, encodeBootImage, readEmulatedBoard } from "./boot-image.ts";

export type VirtualBoard = "posix" | "mps2-an386" | "node";

export interface VirtualDeviceOptions {
  /** See DEVICE_ID. */
  id: string;
  board: VirtualBoard;
  /** Path of a module; boards and Node take portable and device modules. */
  module: string;
  /** Path of a sample file, the sensor's. */
  samples: string;
  /** Ends the device. */
  signal?: AbortSignal;
  /** How long the device may take to say hello: 30 s. */
  helloMs?: number;
  /** A device from which nothing comes for so long is killed: 60 s. */
  silentMs?: number;
}

export interface DeviceExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The end of what the process wrote to standard error. */
  output: string;
}

export interface VirtualDevice {
  readonly id: string;
  readonly board: VirtualBoard;
  /** Up already when `startVirtualDevice` returns. */
  readonly link: DeviceLink;
  readonly pid?: number;
  /** Ends the process and waits for it; again and again if need be. */
  stop(): Promise<void>;
  readonly exited: Promise<DeviceExit>;
}

/** A virtual device could not be started; says which, and why. */
export class VirtualDeviceError extends Error {
  override readonly name = "VirtualDeviceError";
}

/** Time to end by itself once its standard input has ended, before it is told so by a signal. */
const GRACE_MS = 2000;
const HELLO_MS = 30_000;
const MAX_OUTPUT = 4000;

/**
 * Builds what the board needs, starts the device and waits for its hello. It then waits for the request `start`.
 * @throws VirtualDeviceError if it ends or stays silent; FirmwareError if it can't be built.
 */
export async function startVirtualDevice(options: VirtualDeviceOptions): Promise<VirtualDevice> {
  const { id, board, module, samples } = options;
  if (!DEVICE_ID.test(id)) {
    throw new VirtualDeviceError(
      `"${id}" is no device id: a letter or digit, then at most 30 of these or _ . -`,
    );
  }
  for (const path of [module, samples]) {
    const found = await stat(path).catch(() => null);
    if (!found?.isFile()) throw new VirtualDeviceError(`${id}: there is no file ${path}`);
  }
  options.signal?.throwIfAborted();
  const { child, transport, dispose } = await STARTERS[board](options);
  const { exited, stop, kill } = lifetime(child, dispose);
  const abort = () => void stop();
  options.signal?.addEventListener("abort", abort, { once: true });
  void exited.then(() => options.signal?.removeEventListener("abort", abort));
  if (options.signal?.aborted) abort();

  const link = await connect(options, transport, exited).catch(async (error) => {
    await stop();
    throw error;
  });
  const { silentMs } = options;
  watchSilence(link, () => kill(silenceText(silentMs)), silentMs);
  void exited.then(() => link.close());
  return { id, board, link, exited, stop, ...(child.pid === undefined ? {} : { pid: child.pid }) };
}

interface Started {
  child: ChildProcess;
  /** Rejects or stays open; the process's end settles the matter either way. */
  transport: Promise<Transport>;
  dispose(): Promise<void>;
}

const nothing = async () => {};

const STARTERS: Record<VirtualBoard, (options: VirtualDeviceOptions) => Promise<Started>> = {
  async posix({ id, module, samples }) {
    const { path } = await buildFirmware("posix");
    const child = run(path, ["--id", id, "--module", module, "--samples", samples], "pipe");
    return { child, transport: Promise.resolve(new ChildProcessTransport(child)), dispose: nothing };
  },

  async node({ id, module, samples }) {
    const script = fileURLToPath(new URL("./node-device.ts", import.meta.url));
    // Loaded when needed: it brings the AssemblyScript compiler along.
    const { buildIntrinsics } = await import("../build/modules.ts");
    const files = ["--module", module, "--samples", samples, "--intrinsics", await buildIntrinsics()];
    const args = ["--import", import.meta.resolve("tsx"), script, "--id", id, ...files];
    const child = run(process.execPath, args, "pipe");
    return { child, transport: Promise.resolve(new ChildProcessTransport(child)), dispose: nothing };
  },

  async "mps2-an386"({ id, board, module, samples }) {
    const [{ path: firmware }, file] = await Promise.all([
      buildFirmware("mps2-an386"),
      readEmulatedBoard(board),
    ]);
    const image = encodeBootImage({ id, module: await readFile(module), samples: await readFile(samples) });
    const room = file.memory.external.bytes;
    if (image.length > room) {
      throw new VirtualDeviceError(
        `${id}: module and samples are ${image.length} bytes, but ${board} has ${room}: use fewer samples`,
      );
    }
    const folder = await mkdtemp(join(tmpdir(), "octomote-device-"));
    const remove = () => rm(folder, { recursive: true, force: true });
    try {
      const boot = join(folder, "boot.bin");
      await writeFile(boot, image);
      let accept: (transport: Transport) => void = () => {};
      const transport = new Promise<Transport>((resolve) => {
        accept = resolve;
      });
      let taken = false;
      const listener = await listenTcp({ host: "127.0.0.1", port: 0 }, (connection) => {
        if (taken) void connection.close();
        else accept(connection);
        taken = true;
      });
      const serial = `tcp:${listener.host}:${listener.port}`;
      const args = emulatorArgs(file, { serial, firmware, boot });
      const guard = fileURLToPath(new URL("./guard.sh", import.meta.url));
      const child = run("sh", [guard, folder, file.emulator.program, ...args], "ignore");
      const dispose = async () => {
        await listener.close();
        await remove();
      };
      return { child, transport, dispose };
    } catch (error) {
      await remove();
      throw error;
    }
  },
};

/**
 * Its own process group: Ctrl-C in a terminal reaches this process, which ends its devices in order. If this process is
 * killed, the device's standard input ends, and so does the device.
 */
function run(program: string, args: string[], output: "pipe" | "ignore"): ChildProcess {
  return spawn(program, args, { stdio: ["pipe", output, "pipe"], detached: true });
}

function lifetime(child: ChildProcess, dispose: () => Promise<void>) {
  let output = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    output = (output + text).slice(-MAX_OUTPUT);
  });
  child.stdin?.on("error", () => {
    // It has ended; `exited` says so.
  });
  const exited = new Promise<DeviceExit>((resolve) => {
    child.once("error", (error) => {
      output = `${output}${error.message}`;
    });
    child.once("close", (code, signal) => resolve({ code, signal, output: output.trim() }));
  }).then(async (exit) => {
    await dispose();
    return exit;
  });
  const signalGroup = (signal: NodeJS.Signals) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
  const stop = async () => {
    child.stdin?.end();
    const timers = [
      setTimeout(() => signalGroup("SIGTERM"), GRACE_MS),
      setTimeout(() => signalGroup("SIGKILL"), 2 * GRACE_MS),
    ];
    await exited;
    for (const timer of timers) clearTimeout(timer);
  };
  const kill = (why: string) => {
    output = `${output}\nkilled: ${why}`;
    signalGroup("SIGKILL");
  };
  return { exited, stop, kill };
}

/** Waits for the transport and for the device's hello, or for the end of the process. */
async function connect(
  { id, board, helloMs = HELLO_MS }: VirtualDeviceOptions,
  transport: Promise<Transport>,
  exited: Promise<DeviceExit>,
): Promise<DeviceLink> {
  const name = `${id} (${board})`;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const text = `${name} did not say hello within ${helloMs / 1000} s`;
    timer = setTimeout(() => reject(new VirtualDeviceError(text)), helloMs);
  });
  const ended = exited.then(({ code, signal, output }) => {
    const how = signal === null ? `exit status ${code}` : signal;
    throw new VirtualDeviceError(`${name} ended before it said hello: ${how}${output && `: ${output}`}`);
  });
  let link: DeviceLink | undefined;
  try {
    link = new DeviceLink(await Promise.race([transport, late, ended]));
    const up = new Promise<void>((resolve) => link?.once("up", resolve));
    await Promise.race([up, late, ended]);
    return link;
  } catch (error) {
    // Not awaited: a process that hangs is ended by the caller.
    void link?.close();
    throw error;
  } finally {
    clearTimeout(timer);
    // Whichever did not win the race is settled here, so that it is no unhandled rejection.
    late.catch(() => undefined);
    ended.catch(() => undefined);
  }
}
