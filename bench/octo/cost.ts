/**
 * `npm run bench:octo -- --cost`: what a training step of each net costs on the emulated Cortex-M4, INT8 as portable and as device
 * module beside FP32 in plain C with the FPU (boards/runtime/fp32).
 */
import { join } from "node:path";
import { buildModules, ROOT, type Target } from "../../host/build/modules.ts";
import { encodeParts } from "../../host/data/sample-file.ts";
import { runBench } from "../count/run.ts";
import { runGuestSteps } from "../fp32/guest.ts";
import { planNet, trainingMacs } from "../net.ts";
import { markdownTable } from "../tables.ts";
import { FULL, loadData } from "./budget.ts";
import { NETS, type NetName, parametersOf } from "./nets.ts";

/** What 128 KB of RAM are: a net that takes more runs in an emulator only, whose memory is larger. */
const BOARD_RAM = 131_072;
const LAC = 1;
const PRC = 2;

export interface CostRow {
  net: NetName;
  title: string;
  bits?: number;
  /** LAC 1, PRC 2. */
  layers?: number;
  target?: Target;
}

export interface Cost extends CostRow {
  parameters: number;
  /** Those of LAC and PRC. */
  more: number;
  /** Products of a training step. */
  macs: number;
  instructions: number;
  /** All that it takes: of INT8 the whole device, firmware and engine included; of FP32 the net's buffers. */
  ram: number;
  /** Bytes of the module. */
  module?: number;
}

const int8 = (net: NetName, target: Target, title = "INT8", bits = 0, layers = 0): CostRow => ({
  net,
  title,
  bits,
  layers,
  target,
});

const ALL = Object.keys(NETS) as NetName[];

export const COST_ROWS: readonly CostRow[] = [
  ...ALL.flatMap((net): CostRow[] => [
    int8(net, "device"),
    int8(net, "portable"),
    { net, title: "FP32 in C, with FPU" },
  ]),
  int8("6.0k", "device", "INT8, LAC", 0, LAC),
  int8("6.0k", "device", "INT8, PRC", 0, PRC),
  int8("6.0k", "device", "4 bits", 4),
  int8("6.0k", "device", "4 bits, LAC", 4, LAC),
  int8("6.0k", "device", "4 bits, LAC and PRC", 4, LAC | PRC),
];

/** What CI counts. */
export const COST_SHORT = COST_ROWS.filter(
  ({ net, title, target }) => net === "6.0k" && target !== "portable" && /^(INT8|FP32.*)$/.test(title),
);

/** α and γ of each output channel; the range of each layer but the last, and the step of each grid. */
export function parametersBesides({ net, bits, layers = 0 }: CostRow): number {
  const weighted = planNet(NETS[net].spec).filter(({ parameters }) => parameters > 0);
  const channels = weighted.reduce((sum, { output }) => sum + output[2], 0);
  const ranges = weighted.length - 1 + (bits ? weighted.length : 0);
  return (layers & LAC ? 2 * channels : 0) + (layers & PRC ? ranges : 0);
}

/** Counts each row on drawn images; after warm-up steps. */
export async function measureCost(
  rows: readonly CostRow[],
  onCost: (cost: Cost) => void = () => {},
): Promise<Cost[]> {
  const costs: Cost[] = [];
  for (const row of rows) {
    const counted = row.target ? await countModule(row, row.target) : await countFp32(row);
    const told = {
      parameters: parametersOf(row.net),
      more: parametersBesides(row),
      macs: trainingMacs(NETS[row.net].spec),
    };
    costs.push({ ...row, ...told, ...counted });
    onCost(costs.at(-1)!);
  }
  return costs;
}

const drawn = (net: NetName) =>
  loadData(NETS[net].data === "coloured" ? "coloured" : "generated", { ...FULL, train: 4, test: 1 });

async function countModule({ net, bits, layers }: CostRow, target: Target) {
  const { number, pages } = NETS[net];
  // two pages at least: the firmware that counts puts these into its external RAM, whatever they need
  const memory = String(Math.max(pages, 2));
  const constants = [`NET=${number}`, `BITS=${bits ?? 0}`, `LAYERS=${layers ?? 0}`];
  const [built] = await buildModules({
    apps: [join(ROOT, "bench/apps/accuracy/accuracy.ts")],
    targets: [target],
    out: join(ROOT, "dist/bench/cost", constants.join("-").replaceAll("=", "")),
    options: [
      ...constants.flatMap((constant) => ["--use", constant]),
      ...["--initialMemory", memory, "--maximumMemory", memory],
    ],
  });
  const data = await drawn(net);
  const run = await runBench(built!.path, { samples: encodeParts(data, data.channels) });
  return { instructions: run.regions[0]!.instructions, ram: run.memory.ram, module: built!.bytes };
}

async function countFp32({ net }: CostRow) {
  const { train, height, width, channels } = await drawn(net);
  const size = height * width * channels;
  const samples = Array.from({ length: train.count }, (_, i) => {
    const pixels = train.pixels.subarray(i * size, (i + 1) * size);
    return [Float32Array.from(pixels, (p) => p / 255), train.labels[i]!] as const;
  });
  const { instructions, ram } = await runGuestSteps(NETS[net].spec, 0, samples, 0.01);
  return { instructions, ram };
}

export function costTable(costs: readonly Cost[]): string {
  const lines = costs.map(({ net, title, target, parameters, more, macs, instructions, ram, module }) => {
    const float = costs.find((other) => other.net === net && other.target === undefined);
    return [
      net,
      target ? `${title}, ${target} module` : title,
      parameters,
      more || "",
      instructions,
      (instructions / macs).toFixed(2),
      float ? `${(instructions / float.instructions).toFixed(2)}×` : "",
      ram > BOARD_RAM ? `${ram.toLocaleString("en-US")} (*)` : ram,
      module ?? "",
    ];
  });
  const head = [
    "net",
    "arithmetic",
    "parameters",
    "of LAC, PRC",
    "instructions",
    "per MAC",
    "FP32 = 1",
    "RAM, bytes",
    "module, bytes",
  ];
  return markdownTable(head, lines, [0, 1]);
}
