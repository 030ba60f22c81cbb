/**
 * `npm run bench:soak`: memory of `octomote start` over time: each virtual device, and the process with bridge, broker
 * and page.
 *
 *     --minutes N        how long, after three minutes of warm-up: 10
 *     --short            20 s after 5 s of warm-up, on drawn data: shows that it measures, not what
 *     --json FILE        writes what docs/benchmarks.md is made of
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { MqttConnection } from "../host/bridge/mqtt/connection.ts";
import { parseArgs } from "./arguments.ts";
import { writeJson } from "./json.ts";
import { type Machine, machineText, thisMachine } from "./machine.ts";
import { type Sample, type Trend, trendOf } from "./soak/fit.ts";
import { resident, residentTree } from "./soak/processes.ts";
import { markdownTable } from "./tables.ts";

export interface SoakOptions {
  seconds: number;
  warmUp: number;
  /** Between two samples. */
  interval: number;
  data: "fashion-mnist" | "generated";
  onProgress?(message: string): void;
}

export interface SoakResult {
  machine: Machine;
  seconds: number;
  warmUp: number;
  data: string;
  /** What was measured of each part: resident memory, or the heap in use. */
  parts: ({ name: string; what: "resident" | "heap" } & Trend)[];
  /** Steps of all devices, and messages that the bridge has sent, meanwhile. */
  work: { steps: number; messages: number };
}

export const LONG = { seconds: 600, warmUp: 180, interval: 2, data: "fashion-mnist" } as const;
export const SHORT = { seconds: 20, warmUp: 5, interval: 1, data: "generated" } as const;

const PROGRAM = fileURLToPath(new URL("../host/cli/octomote.mjs", import.meta.url));
/** Until all devices have made a step; firmware may have to be built. */
const START_MS = 180_000;

interface Health {
  heap: number;
  messages: { out: number };
}
interface Device {
  id: string;
  board: string;
  transport: string;
}

/** Runs `octomote start` and looks at it. @throws Error when it ends by itself */
export async function measureSoak(options: SoakOptions): Promise<SoakResult> {
  const [port, mqttPort] = [await freePort(), await freePort()];
  const args = ["--port", `${port}`, "--mqtt-port", `${mqttPort}`, "--data", options.data, "--verbose"];
  const child = spawn(process.execPath, [PROGRAM, "start", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, OCTOMOTE_BROKER: undefined, OCTOMOTE_BASE: undefined },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-4000);
    });
  }
  const closed = once(child, "close");
  const ended = closed.then((): never => {
    throw new Error(`octomote start has ended:\n${said}`);
  });
  ended.catch(() => undefined);
  try {
    return await Promise.race([ended, observe(options, child.pid as number, mqttPort)]);
  } finally {
    child.kill("SIGTERM");
    await closed;
  }
}

async function observe(options: SoakOptions, pid: number, mqttPort: number): Promise<SoakResult> {
  const mqtt = await reach(`mqtt://127.0.0.1:${mqttPort}`);
  try {
    const { devices, health, steps } = await listen(mqtt);
    options.onProgress?.(`warming up for ${options.warmUp} s`);
    await sleep(1000 * options.warmUp);
    const pids = new Map(
      devices().map(({ id, board, transport }) => {
        const [, process] = /process (\d+)/.exec(transport) ?? [];
        if (process === undefined) throw new Error(`${id} is no process: ${transport}`);
        return [`${id}, ${board}`, Number(process)] as const;
      }),
    );
    const series = new Map<string, Sample[]>();
    const add = (name: string, time: number, bytes: number): void => {
      series.set(name, [...(series.get(name) ?? []), { time, bytes }]);
    };
    const begin = { steps: steps(), messages: (await health()).messages.out };
    const start = performance.now();
    for (let time = 0; time < options.seconds; time = (performance.now() - start) / 1000) {
      add(BRIDGE, time, resident(pid));
      add(HEAP, time, (await health()).heap);
      for (const [name, device] of pids) add(name, time, residentTree(device));
      options.onProgress?.(`${Math.round(time)} s of ${options.seconds}`);
      await sleep(1000 * options.interval);
    }
    return {
      machine: thisMachine(),
      seconds: options.seconds,
      warmUp: options.warmUp,
      data: options.data,
      parts: [...series].map(([name, samples]) => ({
        name: name === HEAP ? BRIDGE : name,
        what: name === HEAP ? "heap" : "resident",
        ...trendOf(samples),
      })),
      work: { steps: steps() - begin.steps, messages: (await health()).messages.out - begin.messages },
    };
  } finally {
    await mqtt.close();
  }
}

const BRIDGE = "bridge, broker, page";
const HEAP = "heap";

async function reach(url: string): Promise<MqttConnection> {
  for (;;) {
    const mqtt = new MqttConnection({ url });
    try {
      await mqtt.connect();
      return mqtt;
    } catch {
      await sleep(200); // it is still building
    }
  }
}

/** Follows the bridge's topics; resolves when every device has made a step. */
async function listen(mqtt: MqttConnection) {
  let devices: Device[] = [];
  let answer: (health: Health) => void = () => {};
  const steps = new Map<string, number>();
  await mqtt.subscribe(
    ["octomote/+", "octomote/bridge/devices", "octomote/bridge/response/health"],
    ({ topic, payload }) => {
      const value = JSON.parse(payload.toString());
      if (topic === "octomote/bridge/devices") devices = value;
      else if (topic === "octomote/bridge/response/health") answer(value.data);
      else steps.set(topic, value.step ?? 0);
    },
  );
  const health = (): Promise<Health> =>
    new Promise((resolve) => {
      answer = resolve;
      mqtt.publish("octomote/bridge/request/health", "{}", { qos: 1 });
    });
  const late = performance.now() + START_MS;
  while (devices.length === 0 || devices.some(({ id }) => !steps.get(`octomote/${id}`))) {
    if (performance.now() > late) throw new Error(`a device has not made a step in ${START_MS / 1000} s`);
    await sleep(100);
  }
  const sum = (): number => [...steps.values()].reduce((all, one) => all + one, 0);
  return { devices: () => devices, health, steps: sum };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

const KIB = 1024;

/** @param result of a measurement: its table, and what was done meanwhile */
export function soakTable({ machine, parts, seconds, warmUp, data, work }: SoakResult): string {
  const kib = (bytes: number): number => Math.round(bytes / KIB);
  const rate = (bytes: number): string => (bytes / KIB).toFixed(1).replace("-", "−");
  const table = markdownTable(
    ["process", "KiB", "first third", "last third", "slope, KiB/min", "floor, KiB/min"],
    parts.map(({ name, what, first, last, slope, floor }) => [
      name,
      what === "heap" ? "heap in use" : "resident",
      kib(first),
      kib(last),
      rate(slope),
      rate(floor),
    ]),
    [0, 1],
  );
  const done = `${work.steps.toLocaleString("en-US")} steps on ${data}, ${work.messages.toLocaleString("en-US")} MQTT messages`;
  return `${seconds} s after ${warmUp} s of warm-up; ${done}; ${machineText(machine)}.\n\n${table}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "10" },
      short: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes}: give a number above 0`);
  if (values.short && values.json) throw new Error("--short is too short to be kept: leave one of them out");
  const result = await measureSoak({
    ...(values.short ? SHORT : { ...LONG, seconds: 60 * minutes }),
    onProgress: (message) => process.stderr.write(`\r${message}   `),
  });
  process.stderr.write("\n");
  console.log(soakTable(result));
  if (values.json) await writeJson(values.json, result);
}

if (process.argv[1] === import.meta.filename) await main();
