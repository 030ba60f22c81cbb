// What `octomote start` shows while devices learn: the live table, or a line a device now and then.

import type { Bridge } from "../../bridge/bridge.ts";
import type { BridgeDevice } from "../../bridge/device.ts";
import type { CloudMetrics } from "../../cloud/metrics.ts";
import { metricsLine } from "../cloud/metrics-line.ts";
import { type DeviceRow, deviceLine, deviceTable, LossCurves } from "../support/device-table.ts";
import { count, duration } from "../support/format.ts";
import type { Screen } from "../support/screen.ts";
import { harmless, style } from "../support/style.ts";

const REDRAW_MS = 250;
/** Where nothing can be redrawn: lines this often. */
const LINES_MS = 5000;
/** The first ones soon after the first step, when others have made theirs. */
const FIRST_LINES_MS = 1000;

export interface ViewOptions {
  /** Print every line of the log, not only errors and warnings. */
  verbose: boolean;
  /** When the run ends by itself. */
  seconds?: number;
  /** Aborted when all is being ended: that devices go offline then is no news. */
  leaving: AbortSignal;
}

export class View {
  readonly #screen: Screen;
  readonly #bridge: Bridge;
  readonly #options: ViewOptions;
  readonly #curves = new LossCurves();
  /** Of a split model: how its cloud half is doing. */
  cloud: (() => CloudMetrics) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #undo: (() => void)[] = [];
  #began: number | undefined;
  #running = false;
  #first: NodeJS.Timeout | undefined;

  /** Does nothing. */
  constructor(screen: Screen, bridge: Bridge, options: ViewOptions) {
    this.#screen = screen;
    this.#bridge = bridge;
    this.#options = options;
  }

  /** Listens to logs and states. */
  start(): void {
    const { bus } = this.#bridge;
    const line = (level: string, text: string) => {
      if (this.#options.leaving.aborted) return;
      if (!this.#options.verbose && level !== "error" && level !== "warning") return;
      const paint = level === "error" ? style.red : level === "warning" ? style.yellow : style.dim;
      this.#screen.line(`  ${paint(level)} ${harmless(text)}`);
    };
    this.#undo = [
      bus.on("log", ({ level, message }) => line(level, message)),
      bus.on("deviceLog", ({ device, level, message }) => line(level, `${device.id}: ${message}`)),
      bus.on("deviceState", ({ device }) => {
        const state = device.stateJson();
        this.#curves.add(device.id, state?.step, state?.loss);
      }),
    ];
  }

  /** Time counts from here. */
  firstStep(): void {
    this.#began = performance.now();
    if (!this.#screen.live) this.#first = setTimeout(() => this.#lines(), FIRST_LINES_MS);
  }

  /** Draws from now on. */
  run(): void {
    this.#running = true;
    if (this.#screen.live) {
      this.#draw();
      this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    } else {
      this.#timer = setInterval(() => this.#lines(), LINES_MS);
    }
  }

  /** Draws a last time and listens no more. */
  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#first);
    for (const undo of this.#undo.splice(0)) undo();
    if (this.#running) {
      if (this.#screen.live) this.#draw("");
      else this.#lines();
      this.#running = false;
    }
    this.#screen.settle();
  }

  #draw(hint = " · Ctrl-C ends everything"): void {
    const rows = this.#bridge.devices.all().map(rowOf);
    this.#screen.block([
      "",
      ...deviceTable(rows, this.#curves, this.#screen.columns),
      ...(this.cloud ? ["", `  ${style.magenta("cloud")}  ${metricsLine(this.cloud())}`] : []),
      "",
      style.dim(`  ${this.#time()} · ${count(this.#bridge.mqtt.stats.out)} MQTT messages${hint}`),
    ]);
  }

  #lines(): void {
    for (const device of this.#bridge.devices.all()) {
      this.#screen.line(`${this.#time()} · ${deviceLine(rowOf(device))}`);
    }
    if (this.cloud) this.#screen.line(`${this.#time()} · cloud · ${metricsLine(this.cloud())}`);
  }

  #time(): string {
    const elapsed = duration(this.#began === undefined ? 0 : performance.now() - this.#began);
    const { seconds } = this.#options;
    return seconds === undefined ? elapsed : `${elapsed} of ${duration(seconds * 1000)}`;
  }
}

function rowOf(device: BridgeDevice): DeviceRow {
  const state = device.stateJson();
  return {
    id: device.id,
    board: device.hello.board,
    online: device.online,
    running: state?.running,
    step: state?.step,
    loss: state?.loss,
    accuracy: state?.accuracy,
    dirty: state?.pass?.dirty,
    saved: state?.pass?.macs === undefined ? undefined : 1 - state.pass.macs,
    occupied: state?.occupied,
    samplesPerSecond: state?.samplesPerSecond,
    bytesOut: state?.bytesOut,
    ramBytes: device.ramBytes,
    error: state?.error?.message,
  };
}
