// octomote pass plan: what a network for PASS takes, layer by layer, before anything is built.

import { fileURLToPath } from "node:url";
import { InvalidArgumentError } from "commander";
import { messageOf, OctomoteError } from "../bridge/errors.ts";
import type { NetPlan, PlannedLayer } from "../pass/plan.ts";
import { Exit } from "./support/exit.ts";
import { readInput } from "./support/files.ts";
import { bytes, count } from "./support/format.ts";
import { type Column, tableLines } from "./support/table.ts";
import { type DefineVerb, whole } from "./support/verb.ts";

interface PlanOptions {
  net: string;
  size?: [width: number, height: number];
  arena?: number;
  patch: number;
  json?: boolean;
}

/** The net that the app camera carries. */
const CAMERA_NET = fileURLToPath(new URL("../../assembly/apps/camera/net.ts", import.meta.url));
/** Bytes of linear memory of the module that plans. */
const MOST = 4 * 1024 * 1024;

function size(text: string): [number, number] {
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(text);
  const [w, h] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || w < 1 || h < 1 || w > 32_767 || h > 32_767)
    throw new InvalidArgumentError("Write it as width x height: 160x120.");
  return [w, h];
}

function patch(text: string): number {
  if (!["4", "8", "16"].includes(text)) throw new InvalidArgumentError("It is 4, 8 or 16.");
  return Number(text);
}

export const definePass: DefineVerb = (program, finish) => {
  const verb = program
    .command("pass")
    .description("tell what a network takes that computes only what changed (PASS)")
    .addHelpText("after", "\nExample:\n  $ octomote pass plan --size 160x120 --arena 131072\n");
  verb
    .command("plan")
    .description("print what caching and what recomputing each layer costs, and what the planner decides")
    .option("--net <file>", "a network: the .ts file of netSource(), or the bytes of encodeNet()", CAMERA_NET)
    .option("--size <wxh>", "frames of another size than the network's own", size)
    .option("--arena <bytes>", "linear memory that there is", whole(1, MOST))
    .option("--patch <pixels>", "side of a patch: 4, 8 or 16", patch, 8)
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
A layer's output is cached, or computed again from the layer before wherever it is needed, which takes the bytes of a band of
rows, and multiplications (–: that cannot be). Without --arena everything is cached. What does not fit ends with 1, and says what would.

Examples:
  $ octomote pass plan
  $ octomote pass plan --net net.ts --size 160x120 --arena 131072
`,
    )
    .action(async (options: PlanOptions) => finish(await plan(options)));
};

async function plan(options: PlanOptions): Promise<number> {
  const { decodeNet, netBytes } = await import("../pass/decode.ts");
  const { NetError } = await import("../pass/net.ts");
  const { NetTooLarge, planNet, resized } = await import("../pass/plan.ts");
  const { ModuleTrap } = await import("../module/module-host.ts");
  const content = await readInput(options.net);
  try {
    const net = decodeNet(netBytes(content, options.net));
    const [w, h] = options.size ?? [net.input[1], net.input[0]];
    const limit = options.arena === undefined ? {} : { limit: options.arena };
    const made = await planNet(resized(net, h, w), { ...limit, patch: options.patch as 4 | 8 | 16 });
    process.stdout.write(options.json ? `${JSON.stringify(made, null, 2)}\n` : text(made, options.arena));
    return Exit.ok;
  } catch (error) {
    if (error instanceof NetTooLarge) {
      const fix = error.fits ? `--size ${error.fits[1]}x${error.fits[0]}` : "fewer filters or layers";
      throw new OctomoteError(error.message, `try ${fix}, or give --arena ${error.needed}`, { cause: error });
    }
    if (error instanceof NetError || error instanceof ModuleTrap)
      throw new OctomoteError(messageOf(error), "compare the network with docs/pass.md", { cause: error });
    throw error;
  }
}

const COLUMNS: readonly Column<PlannedLayer & { index: number }>[] = [
  { title: "layer", value: ({ index, kind }) => `${index} ${kind}` },
  { title: "output", value: ({ h, w, c }) => `${h}×${w}×${c}`, right: true },
  { title: "MAC", value: ({ macs, store }) => costOf(store, macs), right: true },
  { title: "cached: bytes", value: ({ cacheBytes, store }) => costOf(store, cacheBytes), right: true },
  { title: "recomputed: bytes", value: ({ bandBytes }) => (bandBytes ? count(bandBytes) : "–"), right: true },
  {
    title: "and MAC more",
    value: ({ bandBytes, extraMacs, store }) => (bandBytes === 0 ? "–" : costOf(store, extraMacs)),
    right: true,
  },
  { title: "is", value: ({ store }) => store },
];

/** `–`: the layer before makes it. */
const costOf = (store: PlannedLayer["store"], value: number): string =>
  store === "joined" ? "–" : count(value);

function text(
  { input: [h, w, c], layers, denseMacs, bytes: used }: NetPlan,
  arena: number | undefined,
): string {
  const rows = layers.map((layer, index) => ({ ...layer, index }));
  const room = arena === undefined ? "" : ` of ${count(arena)}`;
  return [
    `frames of ${w}×${h}${c > 1 ? `×${c}` : ""}`,
    ...tableLines(COLUMNS, rows, Number.POSITIVE_INFINITY),
    `${count(denseMacs)} MAC in a dense frame · ${count(used)}${room} bytes of linear memory (${bytes(used)})`,
    "",
  ].join("\n");
}
