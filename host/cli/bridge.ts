// octomote bridge: connects devices to a broker, until it is ended.

import { DEFAULT_BAUD } from "../link/serial-transport.ts";
import { Exit, UsageError } from "./support/exit.ts";
import { Lifetime } from "./support/lifetime.ts";
import type { Recordings } from "./support/recordings.ts";
import { harmless, style } from "./support/style.ts";
import {
  type Address,
  addBrokerOptions,
  address,
  type BrokerOptions,
  type DefineVerb,
  mqttOptions,
  repeated,
  whole,
} from "./support/verb.ts";
import { version } from "./support/version.ts";

interface BridgeVerbOptions extends BrokerOptions {
  broker: string;
  port?: string[];
  baud: number;
  tcpListen?: Address[];
  connect?: Address[];
  exec?: string[];
  homeAssistant: boolean;
  json?: boolean;
  record?: string;
  recordLimit?: number;
  module?: string[];
  samples?: { device?: string; path: string }[];
}

/** `kitchen=samples.bin`, or one file for all. */
function samplesOf(text: string): { device?: string; path: string } {
  const at = text.indexOf("=");
  return at < 0 ? { path: text } : { device: text.slice(0, at), path: text.slice(at + 1) };
}

const MEGABYTE = 1 << 20;

export const defineBridge: DefineVerb = (program, finish) => {
  const command = program
    .command("bridge")
    .description("connect devices to a broker")
    .option("--port <path>", "a board on a serial port (repeatable)", repeated(String))
    .option("--baud <n>", "bits per second of serial ports", whole(50, 20_000_000), DEFAULT_BAUD)
    .option(
      "--tcp-listen <[host:]port>",
      "let devices connect here (repeatable)",
      repeated(address("127.0.0.1")),
    )
    .option("--connect <host:port>", "connect to a device (repeatable)", repeated(address()))
    .option(
      "--exec <command>",
      "run a device and talk to its standard streams (repeatable)",
      repeated(String),
    )
    .option("--no-home-assistant", "do not announce devices to Home Assistant")
    .option("--record <file>", "write a log of each device that octomote replay repeats: FILE.<device>")
    .option(
      "--record-limit <MB>",
      "a log that is larger ends; the device's next start begins another",
      whole(1, 1e6),
    )
    .option("--module <file>", "what the recorded devices run (repeatable)", repeated(String))
    .option(
      "--samples <[device=]file>",
      "what the sensors of recorded devices play (repeatable)",
      repeated(samplesOf),
    )
    .option("--json", "print the log as JSON lines")
    .addHelpText(
      "after",
      `
A device that connects by TCP is not asked for a password: listen on addresses of a network that you trust.
A serial port is opened as soon as it is there, and again after it was unplugged, also at another path if the board has
a USB serial number.
A log begins with a start of the device: one that learns already is recorded from its next start on. Files that are
there stay; logs are numbered.

Examples:
  $ octomote bridge --port /dev/ttyACM0 --port /dev/ttyUSB0 --baud 115200
  $ octomote bridge --broker mqtt://192.168.1.2 --user me --tcp-listen 0.0.0.0:7000
  $ octomote bridge --connect 192.168.1.20:7000 --connect 192.168.1.21:7000
  $ octomote bridge --tcp-listen 7000 --record session.cbor --module build/device/trainer.wasm --samples s.bin
  $ octomote bridge --exec "dist/boards/posix/octomote-device --id kitchen --module build/device/trainer.wasm --samples s.bin --autostart"
`,
    )
    .action(async (options: BridgeVerbOptions) => finish(await bridge(options)));
  addBrokerOptions(command, "mqtt://localhost:1883");
};

async function bridge(options: BridgeVerbOptions): Promise<number> {
  const { port = [], tcpListen = [], connect = [], exec = [] } = options;
  if (port.length + tcpListen.length + connect.length + exec.length === 0) {
    throw new UsageError(
      "There is no device to bridge",
      'say where devices are: --port /dev/ttyACM0, --tcp-listen 7000, --connect host:port or --exec "command"',
    );
  }
  const { record, module: modules = [], samples = [] } = options;
  if (record !== undefined && (modules.length === 0 || samples.length === 0)) {
    throw new UsageError(
      "--record needs what the devices run and what their sensors play",
      "add --module build/device/trainer.wasm --samples FILE; what a sensor of hardware sees can't be recorded",
    );
  }
  const { Bridge } = await import("../bridge/bridge.ts");
  const { DeviceSources } = await import("./support/device-sources.ts");
  const print = (level: string, message: string) => {
    const line = options.json
      ? JSON.stringify({ time: Date.now(), level, message })
      : `${paint(level)(level)} ${harmless(message)}`;
    process.stdout.write(`${line}\n`);
  };
  const lifetime = new Lifetime();
  lifetime.start();
  const it = new Bridge({
    mqtt: mqttOptions(options.broker, options),
    base: options.base,
    homeAssistant: options.homeAssistant,
    facts: { version },
  });
  it.bus.on("log", ({ level, message }) => print(level, message));
  it.bus.on("deviceLog", ({ device, level, message }) => print(level, `${device.id}: ${message}`));
  const sources = new DeviceSources(it, (message) => print("info", message));
  let recordings: Recordings | undefined;
  if (record !== undefined) {
    const { Recordings: All } = await import("./support/recordings.ts");
    const limit = options.recordLimit === undefined ? undefined : options.recordLimit * MEGABYTE;
    recordings = new All({
      path: record,
      modules,
      samples,
      tell: print,
      ...(limit !== undefined && { limit }),
    });
    await recordings.start(it.bus);
  }
  try {
    await it.start();
    lifetime.atEnd(() => it.stop());
    lifetime.atEnd(() => sources.stop());
    lifetime.atEnd(() => recordings?.end());
    print(
      "info",
      `bridging to ${it.mqtt.broker}, MQTT ${it.mqtt.version === 5 ? "5" : "3.1.1"}, below ${options.base}`,
    );
    for (const path of new Set(port)) await sources.port(path, options.baud);
    for (const where of tcpListen) await sources.listen(where);
    for (const where of connect) sources.connect(where);
    for (const line of exec) sources.exec(line);
    await lifetime.left();
    print("info", `leaving (${lifetime.reason})`);
  } finally {
    await lifetime.end((error) => print("error", String(error)));
  }
  return Exit.ok;
}

function paint(level: string): (text: string) => string {
  if (level === "error") return style.red;
  if (level === "warning") return style.yellow;
  return style.cyan;
}
