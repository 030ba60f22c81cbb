// octomote monitor: follows states and logs of devices until it is ended.

import { deviceLine, deviceTable, LossCurves } from "./support/device-table.ts";
import { Exit } from "./support/exit.ts";
import { Lifetime } from "./support/lifetime.ts";
import { Screen } from "./support/screen.ts";
import { harmless, style } from "./support/style.ts";
import {
  addBrokerOptions,
  type BrokerOptions,
  type DefineVerb,
  mqttOptions,
  positive,
} from "./support/verb.ts";
import type { WatchEvent } from "./support/watch.ts";

/** Redraws of the table. */
const REDRAW_MS = 250;
/** Where nothing can be redrawn: a line a device, this often. */
const LINE_MS = 5000;

interface MonitorOptions extends BrokerOptions {
  broker: string;
  json?: boolean;
  seconds?: number;
}

export const defineMonitor: DefineVerb = (program, finish) => {
  const command = program
    .command("monitor")
    .description("follow states and logs of devices")
    .argument("[device...]", "only these devices")
    .option("--json", "print a JSON line for each message")
    .option("--seconds <n>", "end after this time", positive(1e9))
    .addHelpText(
      "after",
      `
Examples:
  $ octomote monitor
  $ octomote monitor kitchen garage --broker mqtt://192.168.1.2
  $ octomote monitor --json --seconds 10 | jq 'select(.kind == "state").loss'
`,
    )
    .action(async (only: string[], options: MonitorOptions) => finish(await monitor(new Set(only), options)));
  addBrokerOptions(command, "mqtt://localhost:1883");
};

async function monitor(only: ReadonlySet<string>, options: MonitorOptions): Promise<number> {
  const { MqttConnection } = await import("../bridge/mqtt/connection.ts");
  const { Watch } = await import("./support/watch.ts");
  const screen = new Screen();
  const lifetime = new Lifetime();
  lifetime.start();
  const wanted = (id: string | undefined) => only.size === 0 || (id !== undefined && only.has(id));
  const curves = new LossCurves();
  const lastLine = new Map<string, number>();
  const plain = !options.json && !screen.live;

  const heard = (event: WatchEvent) => {
    const device = "device" in event ? event.device : undefined;
    if (event.kind === "state") curves.add(event.device, event.state.step, event.state.loss);
    if (event.kind === "devices" || (event.kind !== "bridge" && !wanted(device))) return;
    if (options.json) screen.line(JSON.stringify(jsonOf(event)));
    else if (event.kind === "log") screen.line(logLine(event));
    else if (event.kind === "bridge")
      screen.line(style.dim(`the bridge is ${event.online ? "online" : "offline"}`));
    else if (plain && event.kind === "state" && Date.now() - (lastLine.get(event.device) ?? 0) >= LINE_MS) {
      lastLine.set(event.device, Date.now());
      const row = watch.rows().find((candidate) => candidate.id === event.device);
      if (row) screen.line(deviceLine(row));
    }
  };

  const mqtt = new MqttConnection(mqttOptions(options.broker, options));
  const watch = new Watch(mqtt, options.base, heard);
  mqtt.on("down", () =>
    process.stderr.write(`${style.yellow("!")} the broker at ${mqtt.broker} is gone; waiting\n`),
  );
  await mqtt.connect();
  lifetime.atEnd(() => mqtt.close());
  const draw = () => {
    const rows = watch.rows().filter((row) => wanted(row.id));
    screen.block(
      rows.length > 0 ? ["", ...deviceTable(rows, curves, screen.columns)] : [style.dim("no devices yet")],
    );
  };
  const redraw = setInterval(draw, REDRAW_MS);
  const end = options.seconds && setTimeout(() => lifetime.leave("time"), options.seconds * 1000);
  try {
    await watch.start();
    await lifetime.left();
  } finally {
    clearInterval(redraw);
    clearTimeout(end || undefined);
    if (screen.live && !options.json) draw();
    screen.settle();
    await lifetime.end(() => {});
  }
  return Exit.ok;
}

/** The line that `--json` prints. */
function jsonOf(event: Exclude<WatchEvent, { kind: "devices" }>): object {
  switch (event.kind) {
    case "state":
      return { kind: "state", device: event.device, ...event.state };
    case "availability":
      return { kind: "availability", device: event.device, online: event.online };
    case "bridge":
      return { kind: "bridge", online: event.online };
    case "log":
      return { kind: "log", device: event.device, ...event.log };
  }
}

const LEVEL_STYLE = { error: style.red, warning: style.yellow, info: style.cyan, debug: style.dim };

function logLine({
  device,
  log,
}: {
  device?: string;
  log: { level: keyof typeof LEVEL_STYLE; message: string };
}): string {
  return `${LEVEL_STYLE[log.level](log.level)} ${style.bold(harmless(device ?? "bridge"))} ${harmless(log.message)}`;
}
