// octomote devices: lists the devices that a bridge knows.

import { setTimeout as sleep } from "node:timers/promises";
import type { DeviceInfo } from "../dashboard/model/parse.ts";
import { Exit } from "./support/exit.ts";
import { bytes, count, decimal, percent } from "./support/format.ts";
import { harmless, style } from "./support/style.ts";
import { tableLines } from "./support/table.ts";
import {
  addBrokerOptions,
  type BrokerOptions,
  type DefineVerb,
  mqttOptions,
  positive,
} from "./support/verb.ts";
import type { WatchedDevice } from "./support/watch.ts";

/** Retained states follow the list at once; this is how long they may take. */
const STATES_MS = 250;

interface DevicesOptions extends BrokerOptions {
  broker: string;
  json?: boolean;
  timeout: number;
}

export const defineDevices: DefineVerb = (program, finish) => {
  const command = program
    .command("devices")
    .description("list the devices that a bridge knows")
    .option("--json", "print a JSON array")
    .option("--timeout <seconds>", "how long to wait for the bridge's list", positive(3600), 3)
    .addHelpText(
      "after",
      `
Examples:
  $ octomote devices
  $ octomote devices --broker mqtt://192.168.1.2 --user me --json
`,
    )
    .action(async (options: DevicesOptions) => finish(await devices(options)));
  addBrokerOptions(command, "mqtt://localhost:1883");
};

async function devices(options: DevicesOptions): Promise<number> {
  const { MqttConnection } = await import("../bridge/mqtt/connection.ts");
  const { Watch } = await import("./support/watch.ts");
  const { OctomoteError } = await import("../bridge/errors.ts");
  const mqtt = new MqttConnection(mqttOptions(options.broker, options));
  await mqtt.connect();
  try {
    let listed: () => void = () => {};
    const list = new Promise<void>((resolve) => {
      listed = resolve;
    });
    const watch = new Watch(mqtt, options.base, (event) => event.kind === "devices" && listed());
    await watch.start();
    const timer = new AbortController();
    await Promise.race([
      list,
      sleep(options.timeout * 1000, undefined, { signal: timer.signal }).catch(() => {}),
    ]);
    timer.abort();
    if (!watch.listed) {
      throw new OctomoteError(
        `No bridge has told of devices below "${options.base}" at ${mqtt.broker}`,
        "start one with octomote start or octomote bridge, or name its base topic with --base",
      );
    }
    await sleep(STATES_MS);
    // Retained topics come in any order.
    const known = [...watch.devices.values()]
      .filter((device) => device.info !== undefined)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    if (options.json) process.stdout.write(`${JSON.stringify(known.map(entryOf), null, 2)}\n`);
    else print(known, watch.bridgeOnline !== false);
    return Exit.ok;
  } finally {
    await mqtt.close();
  }
}

function entryOf({ info, state, online }: WatchedDevice): DeviceInfo & { state?: object } {
  return { ...(info as DeviceInfo), online, state };
}

function print(known: WatchedDevice[], bridgeOnline: boolean): void {
  if (!bridgeOnline)
    process.stderr.write(`${style.yellow("!")} the bridge is offline; this is what it told last\n`);
  if (known.length === 0) {
    process.stdout.write("No devices yet.\n");
    return;
  }
  const text = (value: string | undefined) => harmless(value ?? "–");
  const lines = tableLines<WatchedDevice>(
    [
      { title: "device", value: (row) => style.bold(text(row.id)) },
      { title: "", value: (row) => (row.online ? style.green("online") : style.dim("offline")) },
      { title: "board", value: (row) => text(row.info?.board) },
      { title: "engine", value: (row) => text(row.info?.engine), optional: 3 },
      { title: "firmware", value: (row) => text(row.info?.firmware), optional: 4 },
      { title: "module", value: (row) => bytes(row.info?.moduleBytes), right: true, optional: 2 },
      { title: "step", value: (row) => count(row.state?.step), right: true },
      { title: "loss", value: (row) => decimal(row.state?.loss), right: true },
      { title: "accuracy", value: (row) => percent(row.state?.accuracy), right: true },
      { title: "link", value: (row) => text(row.info?.transport), optional: 1 },
    ],
    known,
    process.stdout.columns || 160,
  );
  process.stdout.write(`${lines.join("\n")}\n`);
}
