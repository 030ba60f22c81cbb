// Before the first suite: builds once what the suites share. Each of these is incremental, so that a suite's own call
// finds it done, and two suites never write the same file at the same time.
import { buildDashboard } from "../../host/build/dashboard.ts";
import { availableBoards, buildFirmware } from "../../host/build/firmware.ts";
import { buildIntrinsics, buildModules } from "../../host/build/modules.ts";

export default async function setup(): Promise<void> {
  const parts: [what: string, build: () => Promise<unknown>][] = [
    ["modules", () => buildModules()],
    ["intrinsics", () => buildIntrinsics()],
    ["the page", () => buildDashboard()],
  ];
  for (const { board, available } of await availableBoards()) {
    if (!available) continue;
    parts.push([`firmware of ${board}`, () => buildFirmware(board)]);
    // what users run, beside the sanitized build that tests run: tests/bitexact and tests/boards/firmware.test.ts use it
    if (board === "posix") parts.push(["plain firmware", () => buildFirmware(board, { sanitize: false })]);
  }
  for (const [what, build] of parts) {
    try {
      await build();
    } catch (error) {
      // The suites that need it fail with the same reason; the others still run.
      console.error(`building ${what} failed: ${error instanceof Error ? error.message : error}`);
    }
  }
}
