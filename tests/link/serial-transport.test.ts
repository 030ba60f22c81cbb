// Serial ports over pseudo-terminals: opened, pulled, plugged in again, with firmware behind them.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DeviceLink } from "../../host/link/device-link.ts";
import { TransportError } from "../../host/link/errors.ts";
import { explainSerialError, type SerialPortInfo } from "../../host/link/serial-ports.ts";
import { type SerialOptions, SerialTransport } from "../../host/link/serial-transport.ts";
import type { TransportEvents } from "../../host/link/transport.ts";
import { until } from "../bridge/support/wait.ts";
import { freePort } from "../support/free-port.ts";
import { posixDevice } from "../support/posix-device.ts";
import { type Plugged, plug, port } from "../support/pty.ts";
import { requires } from "../support/requirements.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

let folder: string;
const cleanups: (() => unknown)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-serial-"));
});
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
  await rm(folder, { recursive: true, force: true });
});

/** A transport that remembers what happened to it. */
function open(options: SerialOptions) {
  const transport = new SerialTransport(options);
  cleanups.push(() => transport.close());
  const seen: string[] = [];
  const errors: TransportError[] = [];
  let text = "";
  for (const name of ["open", "lost", "close"] as (keyof TransportEvents)[]) {
    transport.on(name, () => seen.push(name));
  }
  transport.on("error", (error) => errors.push(error as TransportError));
  transport.on("data", (bytes) => {
    text += Buffer.from(bytes).toString();
  });
  return { transport, seen, errors, text: () => text };
}

async function plugged(path: string, other = "EXEC:cat"): Promise<Plugged> {
  const it = await plug(path, other);
  cleanups.push(() => it.unplug());
  return it;
}

const socat = requires("socat");
socat.describe("SerialTransport", () => {
  test("carries bytes both ways, any values, and closes", async () => {
    const [one, two] = [join(folder, "one"), join(folder, "two")];
    await plugged(one, port(two));
    const here = open({ path: one });
    const there = open({ path: two, baud: 921_600 });
    await until(() => here.seen.length + there.seen.length === 2);
    const every = Uint8Array.from({ length: 4096 }, (_, i) => i & 255);
    const got: number[] = [];
    there.transport.on("data", (bytes) => got.push(...bytes));
    expect(here.transport.send(every)).toBe(true);
    await until(() => got.length === every.length);
    expect(Uint8Array.from(got)).toEqual(every);
    there.transport.send(utf8("back"));
    await until(() => here.text() === "back");
    await here.transport.close();
    await here.transport.close();
    expect(here.seen).toEqual(["open", "close"]);
    expect(here.transport.send(every)).toBe(false);
    expect(here.errors).toEqual([]);
  });

  test("a port that is not there is told once, with those that are, and opened when it comes", async () => {
    const path = join(folder, "tty");
    const it = open({ path, list: async () => [{ path: "/dev/ttyUSB7" }, { path: "/dev/ttyACM3" }] });
    await until(() => it.errors.length > 0);
    expect(it.errors[0]?.message).toBe(`There is no serial port ${path}`);
    expect(it.errors[0]?.fix).toMatch("there are /dev/ttyUSB7, /dev/ttyACM3; it is opened as soon as");
    expect(it.transport.send(utf8("too early"))).toBe(false);
    await plugged(path);
    await until(() => it.seen.length === 1);
    it.transport.send(utf8("hello"));
    await until(() => it.text() === "hello");
    expect(it.errors).toHaveLength(1);
  });

  test("a port that is pulled is opened again when it is back", async () => {
    const path = join(folder, "tty");
    const first = await plugged(path);
    const it = open({ path });
    await until(() => it.seen.length === 1);
    await first.unplug();
    await until(() => it.seen.length === 2);
    expect(it.errors[0]?.message).toBe(`${path} was unplugged`);
    await plugged(path);
    await until(() => it.seen.length === 3);
    expect(it.seen).toEqual(["open", "lost", "open"]);
    it.transport.send(utf8("again"));
    await until(() => it.text() === "again");
  });

  test("a board is found by its serial number at another path, unless that number has several ports", async () => {
    const [before, after] = [join(folder, "ttyACM0"), join(folder, "ttyACM1")];
    const first = await plugged(before);
    let ports: SerialPortInfo[] = [{ path: before, serialNumber: "E660" }, { path: "/dev/ttyS0" }];
    const it = open({ path: before, list: async () => ports });
    await until(() => it.seen.length === 1);
    await first.unplug();
    const second = await plugged(after);
    ports = [
      { path: join(folder, "other"), serialNumber: "E770" },
      { path: after, serialNumber: "E660" },
    ];
    await until(() => it.seen.length === 3);
    await second.unplug();
    ports = [
      { path: after, serialNumber: "E660" },
      { path: join(folder, "if01"), serialNumber: "E660" },
    ];
    await plugged(after);
    await plugged(before);
    await until(() => it.seen.length === 5);
    it.transport.send(utf8("x"));
    await until(() => it.text() === "x");
    expect(it.seen).toEqual(["open", "lost", "open", "lost", "open"]);
  });

  test("a port is for one program, and the next one gets it when it is free", async () => {
    const path = join(folder, "tty");
    await plugged(path);
    const first = open({ path });
    await until(() => first.seen.length === 1);
    const second = open({ path });
    await until(() => second.errors.length > 0);
    expect(second.errors[0]).toBeInstanceOf(TransportError);
    expect(second.errors[0]?.message).toBe(`${path} is in use by another program`);
    await first.transport.close();
    await until(() => second.seen.length === 1);
  });

  test("what is no port is told, and closing does not wait for one", async () => {
    const path = join(folder, "file");
    await writeFile(path, "no port");
    const it = open({ path });
    await until(() => it.errors.length > 0);
    expect(it.errors[0]?.message).toBe(`${path} is no serial port, or cannot do 115200 baud`);
    await it.transport.close();
    expect(it.seen).toEqual(["close"]);
    const never = open({ path: join(folder, "never") });
    await never.transport.close();
    expect(never.seen).toEqual(["close"]);
  });
});

describe("what keeps a port from being opened is told with a fix", () => {
  const explain = (text: string, ports: SerialPortInfo[] = []) =>
    explainSerialError("/dev/ttyACM0", 9600, new Error(text), ports);

  test.each([
    ["Error: Permission denied, cannot open /dev/ttyACM0", /No permission/, /usermod -aG dialout/],
    ["Error Resource temporarily unavailable Cannot lock port", /in use/, /serial monitor/],
    ["Opening COM3: Access denied", /in use/, /close that program/],
    ["Opening COM3: File not found", /no serial port/, /there is none on this machine/],
    ["Error: No such file or directory, cannot open /dev/ttyACM0", /no serial port/, /there is none/],
    ["Error setting custom baud rate of 12", /9600 baud/, /rate/],
    ["Input/output error", /could not be opened: Input/, /plug it in again/],
  ])("%s", (text, message, fix) => {
    const error = explain(text);
    expect(error.message).toMatch(message);
    expect(error.fix).toMatch(fix);
  });

  test("a missing package keeps its own words", () => {
    const error = new TransportError("Serial ports need the package serialport", "npm install serialport");
    expect(explainSerialError("COM3", 9600, error, [])).toBe(error);
  });
});

requires("socat", "gcc").describe("firmware on a serial port", () => {
  test("that is pulled goes on learning, and is greeted again when it is back", async () => {
    const { program, args } = await posixDevice(folder, "uart");
    const path = join(folder, "tty");
    const tcp = await freePort();
    const cable = await plugged(path, `TCP-LISTEN:${tcp},bind=127.0.0.1,reuseaddr`);
    const board = spawn(program, [...args, "--connect", `127.0.0.1:${tcp}`], { stdio: "ignore" });
    cleanups.push(async () => {
      const gone = once(board, "close");
      board.kill("SIGKILL");
      await gone;
    });
    const link = new DeviceLink(new SerialTransport({ path }));
    cleanups.push(() => link.close());
    const downs: string[] = [];
    link.on("down", (reason) => downs.push(reason));
    await link.request("start", { seed: 1 }, { timeoutMs: 60_000 });
    expect(link.name).toBe("uart");
    const { steps } = await link.request("status", {});
    await cable.unplug();
    await until(() => downs.length === 1);
    expect(downs[0]).toMatch(`the connection was lost: ${path} was unplugged`);
    const waiting = link.request("status", {}, { timeoutMs: 60_000 });
    await plugged(path, `TCP-LISTEN:${tcp},bind=127.0.0.1,reuseaddr`);
    const state = await waiting;
    expect(state.running).toBe(true);
    expect(state.steps).toBeGreaterThan(steps);
    expect(link.stats.epochs).toBe(2);
  });
});
