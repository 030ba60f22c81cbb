// The link's behaviour, one sentence at a time, in fake time.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DeviceLink, type DeviceLinkOptions } from "../../host/link/device-link.ts";
import { RequestError } from "../../host/link/errors.ts";
import { readRegion, writeRegion } from "../../host/link/regions.ts";
import { encodeFrame, FrameType } from "../../host/protocol/frame.ts";
import { encodeHello, encodeState, type MessageError } from "../../host/protocol/messages.ts";
import { Region } from "../../host/protocol/requests.ts";
import { CLEAN, type Faults, SimulatedTransport, Simulation } from "./simulation.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const wait = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const utf8 = (text: string) => new TextEncoder().encode(text);
const failure = (request: Promise<unknown>) =>
  request.then(
    () => expect.unreachable("the request was answered"),
    (error: RequestError) => error,
  );

/** A link to a simulated device; everything is closed at the end. */
async function linked(
  body: (link: DeviceLink, simulation: Simulation) => Promise<void>,
  options: DeviceLinkOptions & { faults?: Faults } = {},
) {
  const simulation = new Simulation(1, options.faults);
  const link = new DeviceLink(simulation.transport, options);
  await body(link, simulation);
  simulation.device.stop();
  await link.close();
  await wait(10);
}

const DEAD = { ...CLEAN, drop: 100 };

describe("greeting", () => {
  test("a device that is there is greeted at once", () =>
    linked(async (link) => {
      const told: string[] = [];
      link.on("hello", (hello) => told.push(`hello ${hello.id}`));
      link.on("up", () => told.push("up"));
      await wait(100);
      expect(told).toEqual(["hello sim-1", "up"]);
      expect(link.hello?.board).toBe("simulation");
      expect(link.name).toBe("sim-1");
    }));

  test("a device that was welcomed by an earlier host starts a new epoch", () =>
    linked(async (link, simulation) => {
      await wait(100);
      const epoch = link.hello?.epoch as number;
      const second = new DeviceLink(simulation.transport);
      await wait(100);
      expect(second.hello?.epoch).toBe(epoch + 1);
      await second.close();
    }));

  test("a device that comes late is found", () =>
    linked(
      async (link, simulation) => {
        await wait(60_000);
        expect(link.isUp).toBe(false);
        expect(link.name).toBe("simulation");
        simulation.faults = CLEAN;
        await wait(5000);
        expect(link.isUp).toBe(true);
      },
      { faults: DEAD },
    ));

  test("a device of another protocol is told as a problem, once", async () => {
    const transport = new SimulatedTransport();
    const link = new DeviceLink(transport);
    const problems: MessageError[] = [];
    link.on("problem", (problem) => problems.push(problem));
    const hello = {
      ...{ protocol: 2, epoch: 1, id: "new", board: "b", firmware: "9", engine: "e", abi: 9 },
      ...{ imports: [], moduleBytes: 0, memory: {}, running: false },
    };
    const bytes = encodeFrame({
      type: FrameType.hello,
      reliable: false,
      epoch: 1,
      sequence: 0,
      payload: encodeHello(hello),
    });
    for (let i = 0; i < 3; i++) transport.emit("data", bytes);
    expect(link.isUp).toBe(false);
    expect(problems.map((problem) => problem.message)).toEqual([
      "new speaks protocol 2, but this host speaks 1: update the older of the two",
    ]);
    expect(link.stats.malformed).toBe(3);
    await link.close();
  });
});

describe("requests", () => {
  test("are answered", () =>
    linked(async (link) => {
      const answer = link.request("selfTest");
      await wait(100);
      expect(await answer).toBe(0xfedcba98);
    }));

  test("made before the device is there wait for it", () =>
    linked(async (link, simulation) => {
      simulation.faults = DEAD;
      const answer = link.request("message", { bytes: utf8("early") }, { timeoutMs: 20_000 });
      await wait(5000);
      simulation.faults = CLEAN;
      await wait(10_000);
      await answer;
      expect(simulation.carriedOut.get("early")).toBe(1);
    }));

  test("keep their order, however many there are", () =>
    linked(async (link, simulation) => {
      const names = Array.from({ length: 60 }, (_, i) => `m${i}`);
      const answers = names.map((name) => link.request("message", { bytes: utf8(name) }));
      await wait(9000);
      await Promise.all(answers);
      expect([...simulation.carriedOut.keys()]).toEqual(names);
    }));

  test("that the device refuses carry its fault and the caller's stack", () =>
    linked(async (link) => {
      const request = failure(link.request("write", { region: 0, offset: 9, bytes: utf8("x"), last: true }));
      await wait(100);
      const error = await request;
      expect(error).toBeInstanceOf(RequestError);
      expect(error).toMatchObject({ code: 64, reason: "bad-range", verb: "write", device: "sim-1" });
      expect(error.message).toMatch(/^sim-1: write failed: .*\(end or length: 10; limit: 0\)/);
      expect(error.stack).toMatch(/device-link\.test\.ts/);
    }));

  test("that are never answered fail after their time", () =>
    linked(async (link, simulation) => {
      await wait(100);
      simulation.faults = DEAD;
      const error = failure(link.request("pause", {}, { timeoutMs: 1234 }));
      await wait(1233);
      expect(link.isUp).toBe(true);
      await wait(1);
      expect((await error).reason).toBe("timeout");
      expect((await error).stack).toMatch(/device-link\.test\.ts/);
    }));

  test("that a reset interrupts fail, and are not carried out again", () =>
    linked(async (link, simulation) => {
      await wait(100);
      simulation.toHost.faults = DEAD;
      const lost = failure(link.request("message", { bytes: utf8("once") }));
      await wait(50);
      simulation.toHost.faults = CLEAN;
      simulation.boot();
      await wait(100);
      expect((await lost).reason).toBe("link-down");
      await wait(5000);
      expect(simulation.carriedOut.get("once")).toBe(1);
      const next = link.request("selfTest");
      await wait(100);
      expect(await next).toBe(0xfedcba98);
    }));

  test("are refused when too many wait", () =>
    linked(
      async (link) => {
        const first = [link.request("pause"), link.request("pause")];
        const error = await failure(link.request("pause"));
        expect(error).toMatchObject({ reason: "busy", fault: { got: 2, want: 2 } });
        await wait(100);
        await Promise.all(first);
      },
      { limit: 2 },
    ));

  test("with bad arguments never reach the wire", () =>
    linked(async (link) => {
      await wait(100);
      const before = link.stats.framesOut;
      const error = await failure(link.request("read", { region: 0, offset: 0, length: 4096 }));
      expect(error).toMatchObject({ reason: "bad-request" });
      expect(error.message).toMatch(/4096 bytes: a request moves at most 512/);
      expect(link.stats.framesOut).toBe(before);
    }));

  test("whose answers come too late are only counted", () =>
    linked(async (link, simulation) => {
      await wait(100);
      simulation.toHost.faults = DEAD;
      const error = failure(link.request("pause", {}, { timeoutMs: 300 }));
      await wait(300);
      await error;
      simulation.toHost.faults = CLEAN;
      await wait(2000);
      expect(link.stats.late).toBe(1);
    }));

  test("fail at once on a closed link", async () => {
    await linked(async (link) => {
      const pending = failure(link.request("pause"));
      await link.close();
      expect((await pending).reason).toBe("link-down");
      expect(await failure(link.request("pause"))).toMatchObject({ reason: "link-down" });
    });
  });
});

describe("coming back", () => {
  test("after a reset, with the number of the epoch before", () =>
    linked(async (link, simulation) => {
      const told: string[] = [];
      link.on("down", (reason) => told.push(reason));
      const before = link.request("message", { bytes: utf8("before") });
      await wait(100);
      await before;
      simulation.boot(link.hello?.epoch);
      await wait(100);
      const after = link.request("message", { bytes: utf8("after") });
      await wait(100);
      await after;
      expect(told).toEqual(["the device has started anew"]);
      expect(link.stats.epochs).toBe(2);
    }));

  test("a welcome that was lost is sent again, without a new epoch", () =>
    linked(async (link, simulation) => {
      simulation.toDevice.faults = DEAD;
      await wait(1200);
      expect(link.isUp).toBe(true);
      expect(simulation.device.isUp).toBe(false);
      const early = link.request("message", { bytes: utf8("kept") });
      await wait(100);
      simulation.toDevice.faults = CLEAN;
      await wait(2000);
      await early;
      expect(simulation.carriedOut.get("kept")).toBe(1);
      expect(link.stats.epochs).toBe(1);
    }));

  test("from silence: the link is found dead, and alive again", () =>
    linked(async (link, simulation) => {
      const told: string[] = [];
      link.on("down", (reason) => told.push(reason));
      link.on("up", () => told.push("up"));
      await wait(100);
      simulation.faults = DEAD;
      await wait(60_000);
      simulation.faults = CLEAN;
      await wait(10_000);
      expect(told).toEqual(["up", "the device does not acknowledge any more", "up"]);
    }));

  test("when the connection is lost and opened again", () =>
    linked(async (link, simulation) => {
      const told: string[] = [];
      link.on("down", (reason) => told.push(reason));
      link.on("up", () => told.push("up"));
      await wait(100);
      simulation.transport.connected = false;
      simulation.transport.emit("error", new Error("unplugged"));
      simulation.transport.emit("lost");
      await wait(10_000);
      simulation.transport.connected = true;
      simulation.transport.emit("open");
      await wait(1000);
      expect(told).toEqual(["up", "the connection was lost: unplugged", "up"]);
    }));
});

describe("streams", () => {
  test("arrive, and losses are counted", () =>
    linked(async (link, simulation) => {
      const states: number[] = [];
      const features: string[] = [];
      const logs: string[] = [];
      link.on("state", (state) => states.push(state.steps));
      link.on("features", (bytes) => features.push(new TextDecoder().decode(bytes)));
      link.on("log", ({ level, text }) => logs.push(`${level} ${text}`));
      await wait(150);
      simulation.device.features(utf8("a"));
      simulation.toHost.faults = DEAD;
      simulation.device.features(utf8("b"));
      simulation.device.features(utf8("c"));
      simulation.toHost.faults = CLEAN;
      simulation.device.log({ level: 2, text: "hello" });
      await wait(150);
      expect(features).toEqual(["a"]);
      expect(logs).toEqual(["2 hello"]);
      expect(states.length).toBeGreaterThan(1);
      expect(link.stats.lost).toBe(2);
    }));

  test("that come twice are told once", () =>
    linked(async (link, simulation) => {
      const features: number[] = [];
      link.on("features", (bytes) => features.push(bytes[0] as number));
      await wait(100);
      simulation.toHost.faults = { ...CLEAN, repeat: 100 };
      for (let i = 0; i < 5; i++) simulation.device.features(Uint8Array.of(i));
      await wait(100);
      expect(features).toEqual([0, 1, 2, 3, 4]);
      expect(link.stats.lost).toBe(0);
    }));

  test("of another epoch are dropped", () =>
    linked(async (link, simulation) => {
      const states: unknown[] = [];
      await wait(100);
      link.on("state", (state) => states.push(state));
      const payload = encodeState({ uptime: 0, steps: 0, bytesSent: 0, dropped: 0, running: true });
      const epoch = ((link.hello?.epoch as number) + 1) % 16;
      const frame = { type: FrameType.state, reliable: false, epoch, sequence: 500, payload };
      simulation.transport.emit("data", encodeFrame(frame));
      expect(states).toEqual([]);
      expect(link.stats).toMatchObject({ stale: 1, lost: 0 });
    }));

  test("text between frames is passed on", () =>
    linked(async (link, simulation) => {
      const text: string[] = [];
      link.on("text", (line) => text.push(line));
      simulation.transport.emit("data", utf8("boot: ok\n"));
      await wait(100);
      expect(text).toEqual(["boot: ok\n"]);
    }));
});

test("a silent device is asked for its status", () =>
  linked(
    async (link, simulation) => {
      simulation.quiet = true;
      let asked = 0;
      link.on("state", () => asked++);
      await wait(5500);
      expect(asked).toBeGreaterThan(1);
      expect(link.isUp).toBe(true);
    },
    { idleMs: 1000 },
  ));

describe("regions", () => {
  test("of any size are written and read back", () =>
    linked(async (link, simulation) => {
      for (const size of [0, 1, 511, 512, 513, 5000]) {
        simulation.region = new Uint8Array(size);
        const content = Uint8Array.from({ length: size }, (_, i) => i * 7);
        const written = writeRegion(link, Region.learnedState, content);
        await wait(5000);
        await written;
        const back = readRegion(link, Region.learnedState);
        await wait(5000);
        expect(await back).toEqual(content);
      }
    }));

  test("a region that changes its size is an error", () =>
    linked(async (link, simulation) => {
      simulation.region = new Uint8Array(2000);
      const error = failure(readRegion(link, Region.learnedState));
      await wait(3);
      simulation.region = new Uint8Array(100);
      await wait(5000);
      expect((await error).reason).toBe("bad-message");
    }));
});

test("a flood costs no memory: nothing is kept of what is not understood", () =>
  linked(async (link, simulation) => {
    await wait(100);
    const junk = Uint8Array.from({ length: 65_536 }, (_, i) => (i * 31 + (i >> 8)) & 255);
    for (let i = 0; i < 20; i++) simulation.transport.emit("data", junk);
    expect(link.stats.noise + link.stats.bytesIn).toBeGreaterThan(junk.length);
    const answer = link.request("selfTest");
    await wait(1000);
    expect(await answer).toBe(0xfedcba98);
  }));
