// octomote weights: fetches what a device has learned into a file, and puts a file's weights on a device.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { OctomoteError } from "../bridge/errors.ts";
import { isState, openState, sealState } from "../protocol/checkpoint.ts";
import type { WeightsEntry } from "../protocol/weights.ts";
import { Exit } from "./support/exit.ts";
import { readInput, writeWhole } from "./support/files.ts";
import { bytes, count } from "./support/format.ts";
import { modulesOf } from "./support/modules.ts";
import { addBrokerOptions, type BrokerOptions, type DefineVerb, positive } from "./support/verb.ts";

interface WeightsOptions extends BrokerOptions {
  broker: string;
  device: string;
  app?: string;
  timeout: number;
  json?: boolean;
}

export const defineWeights: DefineVerb = (program, finish) => {
  const weights = program
    .command("weights")
    .description("fetch what a device has learned, or put it on a device")
    .addHelpText(
      "after",
      `
Examples:
  $ octomote weights get --device kitchen kitchen.weights
  $ octomote weights put --device garden kitchen.weights
`,
    );
  const get = weights
    .command("get")
    .description("write what a device has learned to a file")
    .argument("<file>", "the file to write")
    .option("--app <name|file>", "the app that runs on it; found by itself if it was built here")
    .action(async (file: string, options: WeightsOptions) => finish(await fetchWeights(file, options)));
  const put = weights
    .command("put")
    .description("put what a file holds on a device that runs the same app")
    .argument("<file>", "a file that `weights get` wrote")
    .action(async (file: string, options: WeightsOptions) => finish(await putWeights(file, options)));
  for (const command of [get, put]) {
    command
      .requiredOption("--device <id>", "the device")
      .option("--timeout <seconds>", "how long to wait for the bridge's answer", positive(3600), 120)
      .option("--json", "print one JSON object");
    addBrokerOptions(command, "mqtt://localhost:1883");
  }
};

async function fetchWeights(file: string, options: WeightsOptions): Promise<number> {
  const { ask } = await import("./support/ask.ts");
  const { encodeWeights } = await import("../protocol/weights.ts");
  const { stateHeader } = await import("../protocol/checkpoint.ts");
  const answer = await ask(options, "device/state/read", { id: options.device }, options.timeout);
  const sealed = new Uint8Array(Buffer.from(String(answer.state ?? ""), "base64"));
  if (!isState(sealed) || !Buffer.from(sealed).equals(sealState(sealed))) {
    throw new OctomoteError("The bridge's answer holds no learned state", "use a bridge of this release");
  }
  const state = openState(sealed);
  const { structure, step } = stateHeader(state);
  const entries = await entriesOf(structure, options, answer.module);
  const whole = encodeWeights(state, entries);
  await writeWhole(file, whole);
  told(options, {
    file,
    device: options.device,
    bytes: whole.length,
    step,
    layers: entries.length,
    sha256: createHash("sha256").update(state).digest("hex"),
  });
  return Exit.ok;
}

async function putWeights(file: string, options: WeightsOptions): Promise<number> {
  const { ask } = await import("./support/ask.ts");
  const { decodeWeights } = await import("../protocol/weights.ts");
  const { header, entries, state } = decodeWeights(await readInput(file));
  const request = { id: options.device, state: Buffer.from(sealState(state)).toString("base64") };
  await ask(options, "device/state/write", request, options.timeout);
  told(options, {
    file,
    device: options.device,
    bytes: state.length,
    step: header.step,
    layers: entries.length,
    sha256: createHash("sha256").update(state).digest("hex"),
  });
  return Exit.ok;
}

/** The table of the model's tensors, from the module that runs on the device or another one of the same app. */
async function entriesOf(
  structure: number,
  options: WeightsOptions,
  sha256: unknown,
): Promise<WeightsEntry[]> {
  const { tensorsOf } = await import("../module/tensors.ts");
  const { buildInThread } = await import("./support/apps.ts");
  const { intrinsics } = await buildInThread({ modules: { apps: [] }, intrinsics: true }, () => {});
  const twins = await readFile(intrinsics);
  let refused = "";
  for (const path of await modulesOf(options.app, typeof sha256 === "string" ? sha256 : "")) {
    try {
      const tensors = await tensorsOf(new Uint8Array(await readFile(path)), twins);
      if (tensors.structure === structure) return tensors.entries;
      refused = `${path} has another model`;
    } catch (error) {
      refused = `${path}: ${(error as Error).message}`;
    }
  }
  throw new OctomoteError(
    refused || `No module that was built here is the one on ${options.device}`,
    "name the app that runs on the device with --app; its module tells where the tensors lie",
  );
}

interface Told {
  file: string;
  device: string;
  bytes: number;
  step: number;
  layers: number;
  sha256: string;
}

function told(options: WeightsOptions, facts: Told): void {
  if (options.json) process.stdout.write(`${JSON.stringify(facts, null, 2)}\n`);
  else {
    const { file, device, layers, step, sha256 } = facts;
    const what = `${count(layers)} layers after ${count(step)} steps, ${bytes(facts.bytes)}`;
    process.stdout.write(`${file} · ${device} · ${what}\ndigest ${sha256}\n`);
  }
}
