// Building firmware, the virtual device's command line, and the memory budget of the emulated board.
import { mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { compileProgram } from "../../host/build/compile-c.ts";
import { availableBoards, BOARDS, buildFirmware } from "../../host/build/firmware.ts";
import { findCompiler, findWasm3, runTool } from "../../host/build/toolchain.ts";
import { FrameDecoder, FrameType } from "../../host/protocol/frame.ts";
import { decodeHello } from "../../host/protocol/messages.ts";
import { requires } from "../support/requirements.ts";
import { scratchFolder } from "./support/device.ts";
import { sampleFile } from "./support/modules.ts";

const ROOT = join(import.meta.dirname, "../..");
let files: Awaited<ReturnType<typeof scratchFolder>>;

beforeAll(async () => {
  files = await scratchFolder();
});
afterAll(() => files.remove());
afterEach(() => vi.unstubAllEnvs());

describe("what can be built here", () => {
  it("every board is told, with what is missing and how to get it", async () => {
    vi.stubEnv("PATH", files.path("empty"));
    vi.stubEnv("CC", "");
    const boards = await availableBoards();
    expect(boards.map(({ board }) => board)).toEqual([...BOARDS]);
    expect(boards[0]).toMatchObject({
      available: false,
      why: expect.stringContaining("apt-get install gcc"),
    });
    expect(boards[1]?.why).toBe(
      "arm-none-eabi-gcc and qemu-system-arm not found: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm",
    );
    await expect(buildFirmware("posix")).rejects.toThrow("posix cannot be built: a C compiler not found");
  });

  it("a wasm3 tree that is none is named", () => {
    vi.stubEnv("WASM3_DIR", files.path("nowhere"));
    expect(() => findWasm3(ROOT)).toThrow(
      /WASM3_DIR is .*nowhere, but neither it nor its folder source\/ has wasm3\.h/,
    );
  });

  it("a wasm3 tree may keep its files in source/, and brings no operating system along", async () => {
    await mkdir(files.path("tree/source"), { recursive: true });
    for (const name of ["wasm3.h", "m3_env.c", "m3_api_wasi.c", "main.c"]) {
      await writeFile(files.path(`tree/source/${name}`), "");
    }
    vi.stubEnv("WASM3_DIR", files.path("tree"));
    expect(findWasm3(ROOT).sources).toEqual([files.path("tree/source/m3_env.c")]);
  });
});

requires("gcc").describe("compiling", () => {
  it("does again what changed and nothing else", async () => {
    await mkdir(files.path("c"), { recursive: true });
    const write = (name: string, text: string) => writeFile(files.path(`c/${name}`), text);
    await write("answer.h", "#define ANSWER 41\n");
    await write(
      "main.c",
      '#include "answer.h"\n#include "other.h"\nint main(void) { return ANSWER + other(); }\n',
    );
    await write("other.h", "int other(void);\n");
    await write("other.c", '#include "other.h"\nint other(void) { return 1; }\n');
    const compiled: string[] = [];
    const build = async (flag = "-O0") => {
      compiled.length = 0;
      const changed = await compileProgram({
        compiler: findCompiler() as string,
        jobs: ["main.c", "other.c"].map((name) => ({ source: files.path(`c/${name}`), flags: [flag] })),
        linkFlags: [],
        objects: files.path("objects"),
        output: files.path("program"),
        root: files.path("c"),
        onCompile: (source) => compiled.push(source),
      });
      return {
        changed,
        compiled: [...compiled].sort(),
        code: (await runTool(files.path("program"), [], ROOT)).code,
      };
    };
    expect(await build()).toEqual({ changed: true, compiled: ["main.c", "other.c"], code: 42 });
    expect(await build()).toEqual({ changed: false, compiled: [], code: 42 });
    await write("answer.h", "#define ANSWER 6\n");
    const later = new Date(Date.now() + 1000);
    await utimes(files.path("c/answer.h"), later, later);
    expect(await build()).toEqual({ changed: true, compiled: ["main.c"], code: 7 });
    expect((await build("-O1")).compiled).toEqual(["main.c", "other.c"]);
    await write("other.c", "int other(void) { return nothing; }\n");
    await expect(build("-O1")).rejects.toThrow(/other\.c does not compile:\n[\s\S]*nothing/);
  });
});

requires("gcc").describe("the virtual device's command line", () => {
  // as users have it, without sanitizers
  const built = () => buildFirmware("posix", { sanitize: false });
  const run = async (...args: string[]) => runTool((await built()).path, args, ROOT);

  it("explains itself", async () => {
    const { code, stdout } = await run("--help");
    expect(code).toBe(0);
    for (const name of ["--id", "--module", "--samples", "--connect", "--autostart", "--seed", "--pool"]) {
      expect(stdout).toContain(name);
    }
  });

  it.each([
    [["--frobnicate", "x"], "--frobnicate is not an option"],
    [["--id"], "--id needs a value"],
    [["--id", "a b"], "--id must be a letter or digit, then at most 30"],
    [["--seed", "-1"], "--seed must be a number"],
    [["--seed=4294967296"], "--seed must be a number"],
    [["--pool", "1"], "--pool must be a number of KiB from 16"],
    [["--connect", "nowhere"], "--connect must be HOST:PORT"],
  ])("%j is bad usage", async (args, message) => {
    const { code, stderr } = await run(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  it("says which file it cannot use, and why", async () => {
    const absent = await run("--module", files.path("absent.wasm"));
    expect(absent).toMatchObject({ code: 3, stderr: expect.stringMatching(/absent\.wasm: No such file/) });
    const cut = await files.write("cut.bin", sampleFile(4).subarray(0, 100));
    const short = await run("--samples", cut);
    expect(short).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("fewer samples than its header says"),
    });
    const text = await files.write("text.bin", new TextEncoder().encode("this is no file of samples at all"));
    expect((await run("--samples", text)).stderr).toContain("no OMSF at its start");
  });

  it("says that nobody listens", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((listening) => server.once("listening", listening));
    const { port } = server.address() as { port: number };
    await new Promise((closed) => server.close(closed));
    const { code, stderr } = await run("--connect", `127.0.0.1:${port}`);
    expect(code).toBe(4);
    expect(stderr).toContain(`cannot connect to 127.0.0.1 port ${port}: Connection refused`);
  });

  it("connects over TCP, and again in a new epoch when the connection breaks", async () => {
    const epochs: number[] = [];
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      const decoder = new FrameDecoder({
        frame({ type, payload }) {
          if (type !== FrameType.hello || epochs.length === sockets.length) return;
          epochs.push(decodeHello(payload).epoch);
          if (epochs.length < 3) socket.destroy();
          else child?.kill();
        },
      });
      socket.on("data", (bytes) => decoder.push(bytes)).on("error", () => {});
    }).listen(0, "127.0.0.1");
    await new Promise((listening) => server.once("listening", listening));
    const { port } = server.address() as { port: number };
    const { spawn } = await import("node:child_process");
    const child = spawn((await built()).path, [`--connect=127.0.0.1:${port}`], {
      stdio: "ignore",
    });
    const code = await new Promise((exited) => child.once("exit", exited));
    server.close();
    for (const socket of sockets) socket.destroy();
    expect(code).toBe(0);
    const [first] = epochs as [number];
    expect(epochs).toEqual([first, first + 1, first + 2]);
  });
});

requires("arm-none-eabi-gcc").describe("mps2-an386", () => {
  it("keeps to 128 KB of RAM, most of it for the module", async () => {
    const { bytes, path } = await buildFirmware("mps2-an386");
    expect(path).toBe(join(ROOT, "dist/boards/mps2-an386/firmware.elf"));
    const { ram, pool, stack, data, bss, flash } = bytes as NonNullable<typeof bytes>;
    expect(ram).toBe(stack + data + bss);
    expect(ram + pool).toBeLessThanOrEqual(128 * 1024);
    expect(ram + pool).toBeGreaterThan(128 * 1024 - 64);
    expect(pool).toBeGreaterThan(112 * 1024);
    expect(flash).toBeLessThan(96 * 1024);
  });

  it("uses no floating-point instruction and no allocator but the pool's", async () => {
    const { path } = await buildFirmware("mps2-an386");
    const { stdout } = await runTool("arm-none-eabi-nm", [path], ROOT);
    const symbols = stdout.split("\n").map((line) => line.split(" ")[2]);
    expect(symbols).toContain("poolMalloc");
    for (const name of ["malloc", "_malloc_r", "free", "printf", "__aeabi_dadd", "__aeabi_fmul"]) {
      expect(symbols).not.toContain(name);
    }
  });

  it("tells in board.json what its linker script says", async () => {
    const board = JSON.parse(await readFile(join(ROOT, "boards/mps2-an386/board.json"), "utf8"));
    const script = await readFile(join(ROOT, "boards/mps2-an386/board.ld"), "utf8");
    const region = (name: string) =>
      new RegExp(`${name} .*ORIGIN = (0x\\w+), LENGTH = (\\d+)([KM])`).exec(script);
    for (const [name, memory] of [
      ["FLASH", board.memory.flash],
      ["RAM", board.memory.ram],
    ] as const) {
      const [, origin, length, unit] = region(name) as unknown as [string, string, string, string];
      expect(origin).toBe(memory.origin);
      expect(Number(length) * (unit === "K" ? 1024 : 1024 * 1024)).toBe(memory.bytes);
    }
  });
});
