// What must be there before devices can run: modules, firmware, the page, data.

import { availableBoards, buildFirmware } from "../../build/firmware.ts";
import { buildInThread, outputOf } from "../support/apps.ts";
import { bytes } from "../support/format.ts";
import type { Progress } from "../support/progress.ts";
import { style } from "../support/style.ts";
import { type PlannedDevice, planDevices } from "./plan.ts";
import { openSource, type SampleSource, type SourceOptions } from "./source.ts";

export interface Prepared {
  devices: PlannedDevice[];
  /** The app's device module, and the portable one if the app was built. */
  module: string;
  portable?: string;
  /** Directory of the built page. */
  page: string;
  source: SampleSource;
}

export interface PrepareOptions extends SourceOptions {
  /** Number of devices. */
  devices: number;
}

/** Builds what is not built yet, side by side; throws what a build throws. */
export async function prepare(
  options: PrepareOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<Prepared> {
  const boards = await availableBoards();
  const available = new Set(boards.filter((board) => board.available).map((board) => board.board as string));
  const devices = planDevices(options.devices, options.app.name, available);
  if (!available.has("posix")) {
    const hint =
      "no C compiler here, so the devices run their modules in Node (to run compiled firmware, install gcc)";
    progress.note("firmware", hint, style.yellow("!"));
  }
  let module = options.app.module ?? "";
  let portable: string | undefined;
  let page = "";
  let source: SampleSource | undefined;
  const work = [
    progress.step("modules", "compiling", async (tell) => {
      const request = options.app.source ? outputOf(options.app) : { apps: [] };
      const built = await buildInThread({ modules: request, intrinsics: true }, tell, signal);
      const device = built.modules.find((one) => one.target === "device");
      module ||= device?.path as string;
      portable = built.modules.find((one) => one.target === "portable")?.path;
      return built.modules.length === 0
        ? options.app.name
        : `${options.app.name} · ${built.modules.map((one) => `${one.target} ${bytes(one.bytes)}`).join(" · ")}`;
    }),
    progress.step("page", "building", async () => {
      const { buildDashboard } = await import("../../build/dashboard.ts");
      page = await buildDashboard();
      return "ready";
    }),
    progress.step("data", "looking", async () => {
      source = await openSource(options);
      return source.about;
    }),
    ...[...new Set(devices.map((device) => device.board))]
      .filter((board) => board !== "node")
      .map((board) =>
        progress.step("firmware", `compiling ${board}`, async (tell) => {
          const built = await buildFirmware(board, { onProgress: (text) => tell(`${board}: ${text}`) });
          if (built.bytes === undefined) return board;
          const { flash, ram, pool } = built.bytes;
          return `${board} · flash ${bytes(flash)}, RAM ${bytes(ram + pool)}`;
        }),
      ),
  ];
  // All are waited for: what fails first is reported when nothing runs any more.
  const failed = (await Promise.allSettled(work)).find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  return { devices, module, portable, page, source: source as SampleSource };
}
