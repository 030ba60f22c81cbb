/**
 * `npm run bench:stack`: how deep the C stack of mps2-an386 goes in each entry point of a module, and in the loop with its
 * link: painted before every call (boards/mps2-an386/main_stack.c), counted from the stack's top, so with all that calls
 * it. The same firmware gives the same figures.
 *
 *     --json FILE        writes what docs/benchmarks.md is made of
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildFirmware } from "../host/build/firmware.ts";
import { type BuiltModule, buildModules, ROOT, type Target } from "../host/build/modules.ts";
import { loadDataset } from "../host/data/dataset.ts";
import { encodeSamples } from "../host/data/sample-file.ts";
import { emulatorArgs, encodeBootImage, readEmulatedBoard } from "../host/devices/boot-image.ts";
import { parseArgs } from "./arguments.ts";
import { CountError, runGuest } from "./count/plugin.ts";
import { writeJson } from "./json.ts";
import { find } from "./kernels/features.ts";
import { markdownTable } from "./tables.ts";

const BOARD = "mps2-an386";
/** What of the stack stays unused at the least: an interrupt in an interrupt, a compiler of another version. */
export const MARGIN = 128;

/** In the order of docs/abi.md. `load` is wasm3's parser and compiler, `link` the loop, whatever the link does in it. */
export const ENTRY_POINTS = [
  "load",
  "config",
  "initialize",
  "init",
  "step",
  "message",
  "selfTest",
  "restore",
  "link",
] as const;
export type EntryPoint = (typeof ENTRY_POINTS)[number];

export interface StackDepth {
  app: string;
  target: Target;
  /** Bytes; without what the module does not have. */
  bytes: Partial<Record<EntryPoint, number>>;
}

export interface StackResult {
  /** Bytes that the linker script sets aside. */
  reserved: number;
  depths: StackDepth[];
}

/** Which modules are measured: the trainer app as it is, and one that goes as deep as it is let. */
const MODULES: readonly [app: string, target: Target][] = [
  ["trainer", "device"],
  ["trainer", "portable"],
  ["deep", "device"],
];

export async function measureStack(onProgress?: (message: string) => void): Promise<StackResult> {
  const built = [
    ...(await buildModules()),
    ...(await buildModules({
      apps: [join(ROOT, "bench/apps/deep.ts")],
      out: join(ROOT, "dist/bench/modules"),
    })),
  ];
  const depths: StackDepth[] = [];
  let reserved = 0;
  for (const [app, target] of MODULES) {
    onProgress?.(`${app} (${target})`);
    const facts = await run(find(built, app, target));
    reserved = facts.get("reserved") ?? 0;
    const told = ENTRY_POINTS.filter((name) => facts.has(name));
    depths.push({ app, target, bytes: Object.fromEntries(told.map((name) => [name, facts.get(name)])) });
  }
  return { reserved, depths };
}

async function run(module: BuiltModule): Promise<Map<string, number>> {
  const firmware = await buildFirmware(BOARD, { stack: true });
  const image = encodeBootImage({
    id: "stack",
    module: await readFile(module.path),
    samples: encodeSamples(await loadDataset("generated", { limit: { train: 8, test: 1 }, seed: 1 }), {
      seed: 1,
    }),
  });
  const folder = await mkdtemp(join(tmpdir(), "octomote-stack-"));
  try {
    const boot = join(folder, "boot.bin");
    await writeFile(boot, image);
    const board = await readEmulatedBoard(BOARD);
    const args = emulatorArgs(board, { serial: "null", firmware: firmware.path, boot });
    const text = await runGuest([...args, "-semihosting-config", "enable=on,target=native"]);
    const lines = [...text.matchAll(/^(\w+) (\d+)$/gm)];
    if (lines.length === 0) throw new CountError(`the firmware told no depth: ${text.trim()}`);
    return new Map(lines.map(([, name, value]) => [name!, Number(value)]));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const NAMES: Partial<Record<EntryPoint, string>> = {
  load: "loading the module",
  link: "the loop and its link",
};

export function stackTable({ reserved, depths }: StackResult): string {
  const table = markdownTable(
    ["bytes of C stack", ...depths.map(({ app, target }) => `${app}, ${target}`)],
    ENTRY_POINTS.map((name) => [
      NAMES[name] ?? `\`${name}\``,
      ...depths.map(({ bytes }) => bytes[name] ?? ""),
    ]),
  );
  return `${table}\n\nSet aside: ${reserved.toLocaleString("en-US")} bytes.`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { json: { type: "string" } } });
  const result = await measureStack((message) => console.error(message));
  console.log(stackTable(result));
  if (values.json) await writeJson(values.json, result);
}

if (process.argv[1] === import.meta.filename) await main();
