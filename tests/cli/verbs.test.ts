import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Bridge } from "../../host/bridge/bridge.ts";
import { EmbeddedBroker } from "../../host/bridge/broker/embedded-broker.ts";
import { TestClient } from "../bridge/support/client.ts";
import { type SimulatedDevice, simulateDevice } from "../bridge/support/simulated-device.ts";
import { until } from "../bridge/support/wait.ts";
import { requires } from "../support/requirements.ts";
import { temporaryTree } from "../support/tree.ts";
import { endAll, octomote, processesOf, ROOT, type Running, run } from "./support/octomote.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

function begin(args: string[]): Running {
  const running = octomote(args);
  cleanups.push(() => endAll(running));
  return running;
}

async function broker(): Promise<string> {
  const it = new EmbeddedBroker({ port: 0 });
  await it.start();
  cleanups.push(() => it.stop());
  return it.url;
}

/** A bridge with simulated devices at a broker of its own. */
async function bridged(
  ...ids: string[]
): Promise<{ url: string; bridge: Bridge; devices: SimulatedDevice[] }> {
  const url = await broker();
  const bridge = new Bridge({ mqtt: { url }, facts: { version: "1.0.0" } });
  await bridge.start();
  cleanups.push(() => bridge.stop());
  const devices = ids.map((id) => {
    const device = simulateDevice(id);
    cleanups.push(() => device.close());
    bridge.attach(device.link, "memory");
    return device;
  });
  await until(() => bridge.devices.all().filter((device) => device.state).length === ids.length);
  return { url, bridge, devices };
}

describe("octomote sim", () => {
  const SIM = ["sim", "--data", "generated", "--images", "500", "--steps", "40", "--json"];

  it("learns the same, bit for bit, whichever module runs; and other things from another seed", async () => {
    const results = await Promise.all(
      [["--portable"], ["--device"], ["--seed", "2"]].map((args) => run([...SIM, ...args])),
    );
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
    const [portable, device, other] = results.map(({ stdout }) => JSON.parse(stdout));
    expect(portable).toMatchObject({
      app: "trainer",
      target: "portable",
      dataset: "generated",
      seed: 1,
      steps: 40,
    });
    expect(portable.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(device).toMatchObject({ target: "device", digest: portable.digest, loss: portable.loss });
    expect(other.digest).not.toBe(portable.digest);
    // 40 frames, every fifth held out.
    expect(portable.trained).toBe(32);
  });

  it("takes parameters and a built module, and prints for people without --json", async () => {
    const module = join(ROOT, "build/portable/trainer.wasm");
    const args = SIM.slice(0, -1);
    const [slow, fast] = await Promise.all([
      run([...args, "--app", module, "--param", "lr=0.0001"]),
      run([...args, "--app", module, "--param", "lr=0.05"]),
    ]);
    const digest = (text: string) => /digest +([0-9a-f]{64})/.exec(text)?.[1];
    expect(digest(slow.stdout)).toBeDefined();
    expect(digest(fast.stdout)).not.toBe(digest(slow.stdout));
    expect(slow.stdout).toMatch(/accuracy +\d+\.\d % of 8 held-out samples/);
  });

  it("fails with the reason when the module is none", async () => {
    const folder = temporaryTree({ "broken.wasm": "not a module" });
    const { code, stderr } = await run([...SIM, "--app", join(folder, "broken.wasm")]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/module/i);
    expect(stderr).not.toMatch(/ at .*\.ts:/);
  });
});

describe("octomote build", () => {
  it("compiles a user's app, prints its size, and copies it", async () => {
    const folder = temporaryTree({
      "mine.ts": readFileSync(join(ROOT, "assembly/apps/trainer.ts"), "utf8"),
    });
    const built = octomote(["build", "--modules-only", "--app", "mine.ts", "--out", "release", "--json"], {
      cwd: folder,
    });
    expect((await built.ended).code).toBe(0);
    const { modules, firmware } = JSON.parse(built.stdout());
    expect(firmware).toEqual([]);
    expect(modules).toEqual(
      ["portable", "device"].map((target) => ({
        app: "mine",
        target,
        path: join(folder, "build", target, "mine.wasm"),
        bytes: readFileSync(join(folder, "release", target, "mine.wasm")).length,
      })),
    );
  });

  it("shows the compiler's words when an app does not compile", async () => {
    const folder = temporaryTree({ "bad.ts": "export function step(): void { nonsense(); }\n" });
    const { code, stderr } = await run(["build", "--modules-only", "--app", join(folder, "bad.ts")]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/bad\.ts does not compile[\s\S]*nonsense/);
    expect(existsSync(join(folder, "build"))).toBe(false);
  });

  requires("gcc").describe("with a C compiler", () => {
    it("builds a board", async () => {
      const { code, stdout } = await run(["build", "--board", "posix"]);
      expect(code).toBe(0);
      expect(stdout).toMatch(/trainer +portable +\d+\.\d KB/);
      expect(stdout).toMatch(/trainer +device +\d+\.\d KB/);
      expect(stdout).toMatch(/^ {2}posix /m);
    });
  });

  requires("arm-none-eabi-gcc", "qemu-system-arm").describe("with a cross compiler", () => {
    it("prints flash and RAM", async () => {
      const { code, stdout } = await run(["build", "--board", "mps2-an386", "--json"]);
      expect(code).toBe(0);
      const [{ board, bytes }] = JSON.parse(stdout).firmware;
      expect(board).toBe("mps2-an386");
      expect(bytes.flash).toBeGreaterThan(10_000);
      expect(bytes.ram + bytes.pool).toBeLessThanOrEqual(128 * 1024);
    });
  });

  it("fails with the packages to install when a board that was asked for cannot be built", async () => {
    const { code, stderr } = await octomoteWithout("cc", ["build", "--board", "posix"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/posix cannot be built here[\s\S]*apt-get install/);
  });
});

async function octomoteWithout(_tool: "cc", args: string[]) {
  return run(args, { env: { CC: "/nonexistent/cc" } });
}

describe("octomote devices", () => {
  it("lists devices for people and for scripts", async () => {
    const { url } = await bridged("kitchen", "garage");
    const [table, json] = await Promise.all([
      run(["devices", "--broker", url]),
      run(["devices", "--broker", url, "--json"]),
    ]);
    expect(table.stdout).toMatch(
      /garage +online +posix +wasm3-0\.5\.0 +0\.1\.0 +4\.0 KB +7 +1\.2500 +50\.0 % +memory/,
    );
    expect(JSON.parse(json.stdout)).toMatchObject([
      { id: "garage", online: true, board: "posix", state: { step: 7, loss: 1.25 } },
      { id: "kitchen", online: true },
    ]);
  });

  it("says so when there is no bridge, or it has left", async () => {
    const { url, bridge } = await bridged("kitchen");
    const elsewhere = await run(["devices", "--broker", url, "--base", "other", "--timeout", "0.2"]);
    expect(elsewhere.code).toBe(1);
    expect(elsewhere.stderr).toMatch(/No bridge has told of devices below "other"[\s\S]*--base/);
    await bridge.stop();
    const left = await run(["devices", "--broker", url]);
    expect(left.code).toBe(0);
    expect(left.stderr).toMatch(/the bridge is offline/);
    expect(left.stdout).toMatch(/kitchen +offline/);
  });

  it("lets nothing that others publish reach the terminal as it is", async () => {
    const url = await broker();
    const client = await TestClient.connect(url, 4);
    cleanups.push(() => client.close());
    const evil = [{ id: "x", board: "\u001b]0;title\u0007\u001b[2J\u202eevil", online: true }];
    await client.mqtt.publishAsync("octomote/bridge/devices", JSON.stringify(evil), { retain: true, qos: 1 });
    const { code, stdout } = await run(["devices", "--broker", url], { env: { FORCE_COLOR: "0" } });
    expect(code).toBe(0);
    expect(stdout).toMatch(/evil/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });
});

describe("octomote monitor", () => {
  it("prints a JSON line for each message of the devices that were named, until its time is over", async () => {
    const { url, devices } = await bridged("kitchen", "garage");
    const running = begin(["monitor", "kitchen", "--broker", url, "--json", "--seconds", "3"]);
    const lines = () =>
      running
        .stdout()
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line));
    await until(() => lines().some(({ kind }) => kind === "state"));
    for (const device of devices) device.endpoint.log({ level: 0, text: "too hot" });
    expect(await running.ended).toEqual({ code: 0, signal: null });
    expect(lines()).toContainEqual({ kind: "log", device: "kitchen", level: "error", message: "too hot" });
    expect(lines()).toContainEqual(expect.objectContaining({ kind: "state", device: "kitchen", loss: 1.25 }));
    expect(lines()).toContainEqual({ kind: "availability", device: "kitchen", online: true });
    expect(lines().some(({ device }) => device === "garage")).toBe(false);
  });

  it("prints lines where there is no terminal, and ends on Ctrl-C", async () => {
    const { url, devices } = await bridged("kitchen");
    const running = begin(["monitor", "--broker", url]);
    await running.sees(/kitchen \(posix.*\) · step 7 · loss 1\.2500 · accuracy 50\.0 %/);
    devices[0]?.endpoint.log({ level: 1, text: "warm\u001b[31m" });
    await running.sees(/warning kitchen warm/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a device logs must not steer the terminal
    expect(running.raw()).not.toMatch(/\u001b\[31m/);
    process.kill(running.pid, "SIGINT");
    expect(await running.ended).toEqual({ code: 0, signal: null });
  });
});

requires("gcc").describe("octomote bridge", () => {
  const MODULE = join(ROOT, "build/device/trainer.wasm");

  /** The command of a posix device that starts by itself. */
  async function device(id: string): Promise<string> {
    const { buildFirmware } = await import("../../host/build/firmware.ts");
    const { buildModules } = await import("../../host/build/modules.ts");
    const { loadDataset } = await import("../../host/data/dataset.ts");
    const { encodeSamples } = await import("../../host/data/sample-file.ts");
    await buildModules();
    const { path } = await buildFirmware("posix");
    const samples = join(temporaryTree(), "samples");
    const dataset = await loadDataset("generated", { limit: { train: 200, test: 50 } });
    writeFileSync(samples, encodeSamples(dataset, { seed: 1 }));
    return `${path} --id ${id} --module ${MODULE} --samples ${samples} --autostart --seed 1`;
  }

  it("runs a device, restarts it when it dies, and ends it with itself", async () => {
    const url = await broker();
    const client = await TestClient.connect(url, 4);
    cleanups.push(() => client.close());
    const running = begin(["bridge", "--broker", url, "--exec", await device("porch")]);
    await client.wait("octomote/porch", (state) => state?.step > 0);
    const [first] = await client.wait("octomote/bridge/devices", (list) => list?.length === 1);
    expect(first.module.bytes).toBe(readFileSync(MODULE).length);
    const victim = processesOf(running).find(({ command }) => command.startsWith(join(ROOT, "dist/boards")));
    process.kill(victim?.pid as number, "SIGKILL");
    await client.wait("octomote/porch/availability", (value) => value.state === "offline");
    await running.sees(/started again in 1 s/);
    await client.wait("octomote/porch/availability", (value) => value.state === "online");
    process.kill(running.pid, "SIGTERM");
    expect(await running.ended).toEqual({ code: 0, signal: null });
    expect(processesOf(running)).toEqual([]);
    expect(client.json("octomote/bridge/state")).toEqual({ state: "offline" });
  });

  it("takes devices that connect by TCP, and goes on after a stranger who sends rubbish", async () => {
    const url = await broker();
    const client = await TestClient.connect(url, 4);
    cleanups.push(() => client.close());
    const running = begin(["bridge", "--broker", url, "--tcp-listen", "0", "--json"]);
    const [, port] = await running.sees(/may connect to 127\.0\.0\.1:(\d+)/);
    const { createConnection } = await import("node:net");
    const stranger = createConnection({ host: "127.0.0.1", port: Number(port) });
    stranger.on("error", () => {});
    cleanups.push(() => stranger.destroy());
    stranger.write(Buffer.alloc(100_000, 0xa5));
    const { spawn } = await import("node:child_process");
    const [program = "", ...args] = (await device("attic")).split(" ");
    const attic = spawn(program, [...args, "--connect", `127.0.0.1:${port}`], { stdio: "ignore" });
    cleanups.push(() => attic.kill("SIGKILL"));
    await client.wait("octomote/attic", (state) => state?.step > 0);
    expect((await client.ask("device/pause", { id: "attic" })).status).toBe("ok");
    await client.wait("octomote/attic", (state) => state.running === false);
    process.kill(running.pid, "SIGINT");
    expect(await running.ended).toEqual({ code: 0, signal: null });
  });

  it("finds a device that listens, also after the connection broke", async () => {
    const { DeviceEndpoint } = await import("../../host/devices/device-endpoint.ts");
    const { handlers, state } = simulateDevice("unused");
    const sockets: import("node:net").Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
      const endpoint = new DeviceEndpoint(
        {
          send: (bytes) => socket.write(bytes),
          hello: () => ({
            id: "shed",
            board: "posix",
            firmware: "0.1.0",
            engine: "wasm3-0.5.0",
            abi: 1,
            imports: [],
            moduleBytes: 0,
            memory: {},
            running: false,
          }),
          state: () => state,
          handlers,
        },
        sockets.length,
      );
      socket.on("data", (bytes) => endpoint.receive(bytes));
      socket.on("close", () => endpoint.stop());
      endpoint.start();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => server.close());
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const url = await broker();
    const client = await TestClient.connect(url, 4);
    cleanups.push(() => client.close());
    const running = begin(["bridge", "--broker", url, "--connect", `127.0.0.1:${port}`]);
    await client.wait("octomote/shed/availability", (value) => value?.state === "online");
    sockets[0]?.destroy();
    await client.wait("octomote/shed/availability", (value) => value.state === "offline");
    await client.wait("octomote/shed/availability", (value) => value.state === "online");
    process.kill(running.pid, "SIGINT");
    expect(await running.ended).toEqual({ code: 0, signal: null });
  });

  it("fails with a fix when it cannot listen", async () => {
    const { code, stderr } = await run([
      "bridge",
      "--broker",
      await broker(),
      "--tcp-listen",
      "192.0.2.1:7000",
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/Cannot listen on 192\.0\.2\.1:7000[\s\S]*--tcp-listen/);
  });
});
