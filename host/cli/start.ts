// octomote start: the whole of Octomote on this machine. Virtual devices learn, a bridge takes what they say to a broker,
// and a page shows it.

import { Option } from "commander";
import type { Bridge } from "../bridge/bridge.ts";
import type { BridgeDevice } from "../bridge/device.ts";
import { OctomoteError } from "../bridge/errors.ts";
import type { DatasetName } from "../data/dataset.ts";
import { MAX_DEVICES } from "./start/plan.ts";
import { type FrameSize, frameSize } from "./start/source.ts";
import type { View } from "./start/view.ts";
import { type App, findApp } from "./support/apps.ts";
import { Exit } from "./support/exit.ts";
import { duration } from "./support/format.ts";
import { Lifetime } from "./support/lifetime.ts";
import { param } from "./support/params.ts";
import { Progress } from "./support/progress.ts";
import { Screen } from "./support/screen.ts";
import { style } from "./support/style.ts";
import {
  addBrokerOptions,
  type BrokerOptions,
  type DefineVerb,
  mqttOptions,
  port,
  positive,
  repeated,
  tlsFiles,
  whole,
} from "./support/verb.ts";
import { version } from "./support/version.ts";

/** Octomote's own apps whose other half runs here, and what their sensors must give for that. */
const OTHER_HALVES: Readonly<Record<string, "dataset" | "classes">> = {
  split: "dataset",
  "camera-split": "classes",
};
/** A device that has not made a step by then never will. */
const FIRST_STEP_MS = 120_000;
/** At the end each device is asked once more how it is doing. */
const LAST_WORD_MS = 2000;

interface StartOptions extends BrokerOptions {
  seconds?: number;
  json?: string;
  app: string;
  devices: number;
  data: DatasetName;
  images: number;
  frames?: string;
  frameSize: FrameSize;
  fps: number;
  param?: [string, number][];
  host: string;
  port: number;
  mqttPort: number;
  homeAssistant: boolean;
  record?: string;
  verbose?: boolean;
}

export const defineStart: DefineVerb = (program, finish) => {
  const command = program
    .command("start")
    .description("build everything, run virtual devices, bridge and page on this machine")
    .option("--seconds <n>", "end after this time, counted from the first training step", positive(1e9))
    .option("--json <file>", "write the result as JSON")
    .option("--app <name|file>", "an app of Octomote's, a .ts file or a built .wasm file", "trainer")
    .option("--devices <n>", "number of virtual devices", whole(1, MAX_DEVICES), 3)
    .addOption(
      new Option("--data <set>", "images to learn from")
        .choices(["fashion-mnist", "generated"])
        .default("fashion-mnist"),
    )
    .option("--images <n>", "training images to use, at most", whole(1, 60_000), 10_000)
    .option("--frames <scene|file>", "what cameras see: a drawn scene, raw frames, or a video (with ffmpeg)")
    .option("--frame-size <WxH>", "size of a camera's frame", frameSize, { width: 96, height: 72 })
    .option("--fps <n>", "frames per second of cameras", whole(1, 1000), 10)
    .option("--param <name=value>", "a parameter of the app (repeatable)", repeated(param))
    .option("--port <n>", "port of the page and its WebSocket", port, 8080)
    .option("--mqtt-port <n>", "port of the embedded broker", port, 1883)
    .option(
      "--host <address>",
      "address to listen on; 0.0.0.0 opens page and broker to the network",
      "127.0.0.1",
    )
    .option("--no-home-assistant", "do not announce devices to Home Assistant")
    .option(
      "--record <file>",
      "write what each device sees and is told to a log that octomote replay repeats",
    )
    .option("--verbose", "print every line of the log")
    .addHelpText(
      "after",
      `
Ports that are taken are replaced by others. Ctrl-C ends everything.

Examples:
  $ octomote start
  $ octomote start --seconds 60 --json result.json
  $ octomote start --broker mqtt://192.168.1.2 --user me
  $ octomote start --devices 5 --app my-sensor.ts --param lr=0.01
  $ octomote start --app camera
  $ octomote start --app camera --frames walk.mp4 --fps 25
  $ octomote start --app camera-split
`,
    )
    .action(async (options: StartOptions) => finish(await start(options)));
  addBrokerOptions(command);
};

async function start(options: StartOptions): Promise<number> {
  const app = findApp(options.app);
  const screen = new Screen();
  screen.line();
  screen.line(
    `  ${style.bold(style.magenta("octomote"))} ${version}  ${style.dim("learning on microcontrollers")}`,
  );
  screen.line();
  const lifetime = new Lifetime({ withParent: true });
  lifetime.start();
  try {
    return await run(app, options, screen, lifetime);
  } catch (error) {
    // Whatever breaks while leaving is not why we leave.
    if (lifetime.signal.aborted) return Exit.failed;
    throw error;
  } finally {
    lifetime.leave("done");
    await lifetime.end((error) => screen.line(`  ${style.red("error")} while leaving: ${String(error)}`));
    if (lifetime.reason !== "done") {
      const reason = lifetime.reason === "SIGINT" ? "Ctrl-C" : lifetime.reason;
      screen.line(`  ${style.dim(`${reason}: everything has ended`)}`);
    }
  }
}

async function run(app: App, options: StartOptions, screen: Screen, lifetime: Lifetime): Promise<number> {
  const progress = new Progress(screen);
  const { reportDevices, writeReport } = await import("./start/report.ts");
  if (options.json) writeReport(options.json, null); // better now than after the run
  const { prepare } = await import("./start/prepare.ts");
  const prepared = await untilLeaving(prepare({ ...options, app }, progress, lifetime.signal), lifetime);

  const { Bridge } = await import("../bridge/bridge.ts");
  const { startServices } = await import("./start/services.ts");
  const { Fleet } = await import("./start/fleet.ts");
  const { View } = await import("./start/view.ts");
  const services = await startServices(
    { ...options, tls: tlsFiles(options), page: prepared.page },
    progress,
    lifetime,
  );
  const bridge = new Bridge({
    mqtt: mqttOptions(services.brokerUrl, options),
    base: options.base,
    homeAssistant: options.homeAssistant,
    facts: { version, dataset: prepared.source.name },
  });
  const view = new View(screen, bridge, {
    verbose: options.verbose ?? false,
    seconds: options.seconds,
    leaving: lifetime.signal,
  });
  await bridge.start();
  lifetime.atEnd(() => bridge.stop());
  view.start();
  lifetime.atEnd(() => view.stop());
  progress.note(
    "bridge",
    `${bridge.mqtt.broker}, MQTT ${bridge.mqtt.version === 5 ? "5" : "3.1.1"}, below ${options.base}`,
  );

  const params = Object.fromEntries(options.param ?? []);
  const wants = OTHER_HALVES[app.name];
  if (wants && prepared.portable && prepared.source[wants] !== undefined) {
    const { startCloud } = await import("./start/cloud.ts");
    const cloud = startCloud(
      {
        mqtt: mqttOptions(services.brokerUrl, options),
        base: options.base,
        source: prepared.source,
        module: prepared.portable,
        joint: (params.joint ?? 0) !== 0,
        tell: (level, message) => bridge.bus.emit("log", { level, message: `cloud: ${message}` }),
      },
      progress,
      lifetime,
    );
    view.cloud = await untilLeaving(cloud, lifetime);
  }

  const fleet = new Fleet(bridge, lifetime, (level, message) => bridge.bus.emit("log", { level, message }));
  await progress.step("devices", "starting", async () => {
    await untilLeaving(fleet.start({ ...prepared, record: options.record }), lifetime);
    return prepared.devices.map(({ id, board }) => `${id} ${style.dim(board)}`).join(", ");
  });
  view.run();
  const finished = limitTime(options.seconds, bridge, view, lifetime);
  let allLearn = true;
  void fleet.learn(params).then((all) => {
    allLearn = all;
  });
  await lifetime.left();

  const devices = bridge.devices.all();
  await Promise.all(devices.map(askOnceMore));
  view.stop();
  if (options.json) {
    writeReport(options.json, {
      dataset: prepared.source.name,
      broker: bridge.mqtt.broker,
      page: services.pageUrl,
      devices: reportDevices(devices),
      ...(view.cloud && { cloud: view.cloud() }),
      mqttMessages: bridge.mqtt.stats.out,
    });
  }
  // Without --seconds, Ctrl-C is how it ends.
  const interrupted = ["SIGINT", "SIGTERM", "SIGHUP"].includes(lifetime.reason);
  const asWanted = finished() || (options.seconds === undefined && interrupted);
  return asWanted && allLearn ? Exit.ok : Exit.failed;
}

/** Leaves `seconds` after the first training step, if there is one; the result tells whether that was why it was left. */
function limitTime(
  seconds: number | undefined,
  { bus }: Bridge,
  view: View,
  lifetime: Lifetime,
): () => boolean {
  let finished = false;
  let timer = setTimeout(() => {
    bus.emit("log", {
      level: "error",
      message: `no device has made a step within ${duration(FIRST_STEP_MS)}`,
    });
    lifetime.leave("no training step");
  }, FIRST_STEP_MS);
  const undo = bus.on("deviceState", ({ device }) => {
    const state = device.stateJson();
    // a camera that waits for somebody to teach it sees all the same
    if (!state || (state.step === 0 && state.pass === undefined)) return;
    undo();
    view.firstStep();
    clearTimeout(timer);
    if (seconds === undefined) return;
    timer = setTimeout(() => {
      finished = true;
      lifetime.leave("done");
    }, seconds * 1000);
  });
  lifetime.atEnd(() => clearTimeout(timer));
  return () => finished;
}

/** The result of `work`; throws as soon as it is time to leave, whatever becomes of it. */
async function untilLeaving<T>(work: Promise<T>, lifetime: Lifetime): Promise<T> {
  const left = lifetime.left().then((): never => {
    throw new OctomoteError(`Interrupted (${lifetime.reason})`);
  });
  return Promise.race([work, left]);
}

/** States come a few times a second; the report is of the end. */
async function askOnceMore(device: BridgeDevice): Promise<void> {
  if (!device.online) return;
  try {
    device.setState(await device.link.request("status", {}, { timeoutMs: LAST_WORD_MS }));
  } catch {
    // A device that is ending as well: its last state stands.
  }
}
