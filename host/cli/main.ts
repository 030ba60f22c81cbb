// The command line: which verbs there are, and how they end. Each verb lives in the file of its name; what it needs is
// loaded when it runs, so that the first line appears at once.

import { Command, CommanderError } from "commander";
import { defineBridge } from "./bridge.ts";
import { defineBuild } from "./build.ts";
import { defineCloud } from "./cloud.ts";
import { defineDevices } from "./devices.ts";
import { defineExport } from "./export.ts";
import { defineImport } from "./import.ts";
import { defineMonitor } from "./monitor.ts";
import { definePass } from "./pass.ts";
import { defineReplay } from "./replay.ts";
import { defineSim } from "./sim.ts";
import { defineStart } from "./start.ts";
import { Exit, printError, UsageError } from "./support/exit.ts";
import { version } from "./support/version.ts";
import { defineWeights } from "./weights.ts";

/** Runs a command line without `node` and script; resolves to the exit code (support/exit.ts). */
export async function main(argv: string[]): Promise<number> {
  let code: number = Exit.ok;
  const finish = (result: number) => {
    code = result;
  };
  const program = new Command("octomote")
    .description("Learning on microcontrollers: build, run, bridge to MQTT, watch.")
    .version(version, "-V, --version", "print the version")
    .option("--debug", "print stack traces of errors")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [verb]", "print help of a verb")
    .configureHelp({ sortSubcommands: false })
    .showHelpAfterError("(octomote --help lists verbs and options)")
    .exitOverride()
    .addHelpText("after", HELP);
  const verbs = [
    defineStart,
    defineSim,
    defineBridge,
    defineDevices,
    defineMonitor,
    defineCloud,
    defineWeights,
    defineExport,
    defineImport,
    definePass,
    defineReplay,
    defineBuild,
  ];
  for (const define of verbs) define(program, finish);
  const debug = argv.includes("--debug");
  try {
    await program.parseAsync(
      argv.filter((argument) => argument !== "--debug"),
      { from: "user" },
    );
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.ok : Exit.usage;
    printError(error, debug);
    return error instanceof UsageError ? Exit.usage : Exit.failed;
  }
  return code;
}

const HELP = `
Exit codes: 0 done, 1 failed, 2 the command line was not understood.

Examples:
  $ octomote start                                      devices, broker, bridge and page on this machine
  $ octomote sim --steps 200                            one module on this machine, and its digest
  $ octomote bridge --broker mqtt://broker:1883 --tcp-listen 7000
  $ octomote monitor kitchen                            follow a device
`;
