// A virtual device as a Node process: the same module and the same link as firmware, without a C compiler. The link is
// standard input and output; when standard input ends, so does the process.
//
//   node --import tsx node-device.ts --id NAME --module FILE --samples FILE [--intrinsics FILE]

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { readSampleFile } from "../data/sample-file.ts";
import { admit } from "../module/admission.ts";
import { ABI_VERSION, ALLOWED_IMPORTS, HOST_MODULE } from "../module/imports.ts";
import { DEVICE_ID } from "../protocol/messages.ts";
import { DeviceEndpoint } from "./device-endpoint.ts";
import { ModuleRunner } from "./module-runner.ts";

const EXIT_USAGE = 2;
const EXIT_INPUT = 3;
/** Bytes that may wait for the reader of standard output. */
const HIGH_WATER = 64 * 1024;

function leave(code: number, why: string): never {
  process.stderr.write(`octomote: ${why}\n`);
  process.exit(code);
}

function options() {
  const text = { type: "string" } as const;
  try {
    const { values } = parseArgs({ options: { id: text, module: text, samples: text, intrinsics: text } });
    const { id = "node", module, samples, intrinsics } = values;
    if (!DEVICE_ID.test(id))
      throw new Error(`--id ${id}: a letter or digit, then at most 30 of these or _ . -`);
    if (module === undefined || samples === undefined) throw new Error("--module and --samples are needed");
    return { id, module, samples, intrinsics };
  } catch (error) {
    return leave(EXIT_USAGE, (error as Error).message);
  }
}

/** The package's version is the firmware's. */
function version(): string {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}

async function main(): Promise<void> {
  const { id, module, samples, intrinsics } = options();
  const read = async (path: string) => new Uint8Array(await readFile(path));
  const [wasm, played, twins] = await Promise.all([
    read(module),
    readSampleFile(samples),
    intrinsics === undefined ? undefined : read(intrinsics),
  ]);
  await admit(wasm);
  const imports = twins === undefined ? [HOST_MODULE] : Object.keys(ALLOWED_IMPORTS);
  const hello = {
    id,
    board: "node",
    firmware: version(),
    engine: "node",
    abi: ABI_VERSION,
    imports,
    moduleBytes: wasm.length,
    moduleSha256: new Uint8Array(createHash("sha256").update(wasm).digest()),
  };

  const runner = new ModuleRunner({
    module: wasm,
    ...(twins === undefined ? {} : { intrinsics: twins }),
    samples: played,
    clock: () => performance.now(),
    features: (bytes) => endpoint.features(bytes),
    log: (level, text) => endpoint.log({ level, text }),
    counts: () => ({ bytesSent: endpoint.bytesSent, dropped: endpoint.dropped }),
  });
  const endpoint: DeviceEndpoint = new DeviceEndpoint(
    {
      send(bytes) {
        if (process.stdout.writableLength + bytes.length > HIGH_WATER) return false;
        process.stdout.write(bytes);
        return true;
      },
      hello: () => ({ ...hello, memory: runner.memory, running: runner.running }),
      state: () => runner.newState(),
      handlers: runner.handlers,
    },
    Math.imul(process.pid, 0x9e3779b1) ^ Date.now(),
  );
  process.stdin.on("data", (bytes: Uint8Array) => endpoint.receive(bytes));
  process.stdin.on("end", () => process.exit(0));
  process.stdin.on("error", () => process.exit(0));
  process.stdout.on("error", () => process.exit(0));
  endpoint.start();
}

main().catch((error) => leave(EXIT_INPUT, (error as Error).message));
