/** The tables of a kernels measurement, in Markdown. */
import type { Target } from "../../host/build/modules.ts";
import { type Cell, markdownTable } from "../tables.ts";
import { LAYERS, LAYERS_APP } from "./layers.ts";
import type { CountedApp, CountedPart, KernelsResult } from "./measure.ts";
import { RIVALS } from "./rivals.ts";

const perMac = ({ instructions, macs }: CountedPart): string =>
  macs > 0 ? (instructions / macs).toFixed(2) : "";

/** Instructions of each part, in total and per MAC. */
export function countsTable({ targets }: CountedApp): string {
  const counted = Object.entries(targets);
  const names = counted[0]?.[1].parts ?? [];
  return markdownTable(
    ["part", "MAC", ...counted.flatMap(([target]) => [target, "per MAC"])],
    names.map(({ name, macs }, i) => [
      name,
      macs > 0 ? macs : "",
      ...counted.flatMap(([, { parts }]): Cell[] => [parts[i]!.instructions, perMac(parts[i]!)]),
    ]),
  );
}

/** Bytes of RAM and flash by part. */
export function memoryTable({ memory }: KernelsResult): string {
  const targets = Object.keys(memory) as Target[];
  const row = (name: string, of: (target: Target) => number): Cell[] => [name, ...targets.map(of)];
  return markdownTable(
    ["bytes", ...targets],
    [
      row("linear memory that the module uses", (target) => memory[target]!.linear),
      row("metacode (compiled by wasm3)", (target) => memory[target]!.metacode),
      row("the module's stack", (target) => memory[target]!.stack),
      row("wasm3's tables and descriptors", (target) => memory[target]!.other),
      row("firmware, static", (target) => memory[target]!.static),
      row("firmware, C stack", (target) => memory[target]!.cStack),
      row("**RAM in all**", (target) => memory[target]!.ram),
      row("firmware, flash", (target) => memory[target]!.flash),
      row("module, flash", (target) => memory[target]!.module),
    ],
  );
}

export function featuresTable({ features }: KernelsResult): string {
  return markdownTable(
    ["feature", "portable", "added", "device", "added"],
    features.map(({ feature, bytes, added }) => [
      feature,
      bytes.portable,
      signed(added.portable),
      bytes.device,
      signed(added.device),
    ]),
  );
}

const signed = (bytes: number): string =>
  `${bytes < 0 ? "−" : "+"}${Math.abs(bytes).toLocaleString("en-US")}`;

/** Bytes of the trainer module by source file. */
export function codeTable({ trainer }: KernelsResult): string {
  const of = (target: Target, part: string): Cell =>
    trainer.code[target].find((one) => one.part === part)?.bytes ?? "";
  const parts = [...new Set([...trainer.code.device, ...trainer.code.portable].map(({ part }) => part))];
  return markdownTable(
    ["part", "device", "portable"],
    [
      ...parts.map((part): Cell[] => [part, of("device", part), of("portable", part)]),
      ["**in all**", trainer.bytes.device, trainer.bytes.portable],
    ],
  );
}

/** The perceptron's step beside other projects'. */
export function rivalsTable({ apps }: KernelsResult): string {
  const mlp = apps.find(({ app }) => app === "mlp-step");
  const own = Object.entries(mlp?.targets ?? {}).map(([target, { ram, parts }]) => ({
    name: `Octomote, INT8 under wasm3, ${target} module`,
    instructions: parts.find(({ name }) => name === "training step")!.instructions,
    ram: ram / 1024,
  }));
  const base = RIVALS[0]!;
  return markdownTable(
    ["trainer", "instructions", `against ${base.name.split(" ")[0]}`, "RAM, KB"],
    [...own, ...RIVALS].map(({ name, instructions, ram }) => [
      name,
      instructions,
      `${(base.instructions / instructions).toFixed(2)}×`,
      ram.toFixed(1),
    ]),
  );
}

/** The forward pass of single layers beside CMSIS-NN's, in instructions per MAC. */
export function layersTable({ apps }: KernelsResult): string {
  const { device, portable } = apps.find(({ app }) => app === LAYERS_APP.app)?.targets ?? {};
  return markdownTable(
    ["layer", "MAC", "CMSIS-NN", "device", "ratio", "portable"],
    LAYERS.map(({ name, macs, cmsisNN }, i): Cell[] => {
      const own = device?.parts[i];
      const carried = portable?.parts[i];
      return [
        name,
        macs,
        cmsisNN.toFixed(2),
        own ? perMac(own) : "",
        own ? `${(own.instructions / macs / cmsisNN).toFixed(2)}×` : "",
        carried ? perMac(carried) : "",
      ];
    }),
  );
}
