// octomote build: compiles apps to modules and boards to firmware, and prints how big they are.

import { cp, mkdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { OctomoteError } from "../bridge/errors.ts";
import type { Board, BuiltFirmware } from "../build/firmware.ts";
import type { BuiltModule } from "../build/modules.ts";
import { type BuildRequest, buildInThread, findApp, outputOf } from "./support/apps.ts";
import { Exit, UsageError } from "./support/exit.ts";
import { bytes } from "./support/format.ts";
import { Progress } from "./support/progress.ts";
import { Screen } from "./support/screen.ts";
import { style } from "./support/style.ts";
import { tableLines } from "./support/table.ts";
import { type DefineVerb, repeated } from "./support/verb.ts";

interface BuildOptions {
  app?: string[];
  board?: string[];
  modulesOnly?: boolean;
  out?: string;
  json?: boolean;
}

export const defineBuild: DefineVerb = (program, finish) => {
  program
    .command("build")
    .description("compile apps to modules and boards to firmware, and print their sizes")
    .option(
      "--app <name|file>",
      "an app of Octomote's or a .ts file (repeatable; all of Octomote's)",
      repeated(String),
    )
    .option("--board <name>", "a board (repeatable; all that can be built here)", repeated(String))
    .option("--modules-only", "build no firmware")
    .option("--out <directory>", "also copy everything there")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Modules go to build/portable and build/device, firmware to dist/boards/<board>.

Examples:
  $ octomote build
  $ octomote build --board mps2-an386 --app my-sensor.ts
  $ octomote build --modules-only --out release
`,
    )
    .action(async (options: BuildOptions) => finish(await build(options)));
};

async function build(options: BuildOptions): Promise<number> {
  if (options.modulesOnly && options.board) {
    throw new UsageError("--modules-only and --board exclude each other", "leave one of them out");
  }
  const requests = (options.app ?? []).map((name): BuildRequest => {
    const app = findApp(name);
    if (app.module) throw new UsageError(`${name} is built already`, "name its .ts file");
    return { modules: outputOf(app) };
  });
  const { availableBoards, BOARDS, buildFirmware } = await import("../build/firmware.ts");
  for (const board of options.board ?? []) {
    if (!BOARDS.includes(board as Board)) {
      throw new UsageError(`There is no board "${board}"`, `boards are: ${BOARDS.join(", ")}`);
    }
  }
  const screen = new Screen(options.json ? process.stderr : process.stdout);
  const progress = new Progress(screen);

  const modules: BuiltModule[] = [];
  await progress.step("modules", "compiling", async (tell) => {
    for (const request of requests.length > 0 ? requests : [{}]) {
      modules.push(...(await buildInThread(request, tell)).modules);
    }
    return `${modules.length} built`;
  });

  const firmware: BuiltFirmware[] = [];
  const boards = options.modulesOnly ? [] : await availableBoards();
  for (const { board, available, why } of boards) {
    if (options.board && !options.board.includes(board)) continue;
    if (!available) {
      // A board that was asked for must be built; others are when they can be.
      if (options.board) throw new OctomoteError(`${board} cannot be built here`, why);
      progress.note(board, style.dim(`left out: ${why ?? "its tools are missing"}`), style.yellow("!"));
      continue;
    }
    await progress.step(board, "compiling", async (tell) => {
      const built = await buildFirmware(board, { onProgress: tell });
      firmware.push(built);
      return built.path;
    });
  }
  if (options.out) await copyTo(resolve(options.out), modules, firmware);
  if (options.json) process.stdout.write(`${JSON.stringify({ modules, firmware }, null, 2)}\n`);
  else print(screen, modules, firmware);
  return Exit.ok;
}

async function copyTo(out: string, modules: BuiltModule[], firmware: BuiltFirmware[]): Promise<void> {
  const copies = [
    ...modules.map(({ target, path }) => ({ path, folder: join(out, target) })),
    ...firmware.map(({ board, path }) => ({ path, folder: join(out, "boards", board) })),
  ];
  for (const { path, folder } of copies) {
    await mkdir(folder, { recursive: true });
    await cp(path, join(folder, basename(path)));
  }
}

function print(screen: Screen, modules: BuiltModule[], firmware: BuiltFirmware[]): void {
  const show = (lines: string[]) => {
    screen.line();
    for (const line of lines) screen.line(`  ${line}`);
  };
  show(
    tableLines<BuiltModule>(
      [
        { title: "module", value: (row) => style.bold(row.app) },
        { title: "target", value: (row) => row.target },
        { title: "size", value: (row) => bytes(row.bytes), right: true },
        { title: "file", value: (row) => row.path, optional: 1 },
      ],
      modules,
      screen.columns - 2,
    ),
  );
  if (firmware.length === 0) return;
  const size = (row: BuiltFirmware, of: (sizes: NonNullable<BuiltFirmware["bytes"]>) => number) =>
    row.bytes === undefined ? style.dim("–") : bytes(of(row.bytes));
  show(
    tableLines<BuiltFirmware>(
      [
        { title: "board", value: (row) => style.bold(row.board) },
        { title: "flash", value: (row) => size(row, ({ flash }) => flash), right: true },
        { title: "RAM", value: (row) => size(row, ({ ram }) => ram), right: true },
        { title: "module pool", value: (row) => size(row, ({ pool }) => pool), right: true },
        { title: "file", value: (row) => row.path, optional: 1 },
      ],
      firmware,
      screen.columns - 2,
    ),
  );
}
